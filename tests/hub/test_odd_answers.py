"""Answers beyond the list of faults: headers without end, files that change, bodies in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.errors import ChecksumMismatch
from openshelf.hub import library_calls
from openshelf.hub.body import BodyRequest, open_body
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import Setting, Watch, open_line, publish, some_bytes

SIZE = 3_000_000
MIDDLE = 1_000_000


@pytest.fixture
def setting(hub: LoopbackHub, tmp_path: Path) -> Setting:
    return Setting(hub, publish(hub, some_bytes(SIZE)), tmp_path / "models")


def test_endless_header_of_the_hub_ends_in_time(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_calls, "_MAX_CALL_SECONDS", 0.5)
    setting.hub.faults.add("slow_head", stage="head")
    watch = Watch()
    setting.download(watch)
    assert watch.reasons[0] == "waiting_timeout"
    assert setting.is_installed()


def test_file_that_changes_midway_is_refused_by_name(setting: Setting) -> None:
    setting.hub.faults.add("cut", after_bytes=MIDDLE)
    setting.hub.faults.add("status", status=403, skip=1)
    setting.hub.faults.add("etag", stage="head", skip=1)
    with pytest.raises(ChecksumMismatch) as error:
        setting.download()
    assert error.value.why == "etag"
    assert setting.place.part.stat().st_size == MIDDLE, "what is verified so far is kept"
    setting.download()
    assert setting.is_installed()


def test_200_of_another_size_on_resume(setting: Setting) -> None:
    setting.begin(MIDDLE)
    setting.hub.faults.add("ignore_range")
    setting.hub.faults.add("length", after_bytes=7)
    with pytest.raises(ChecksumMismatch) as error:
        setting.download()
    assert error.value.why == "size"
    assert setting.place.part.stat().st_size == MIDDLE
    setting.download()
    assert setting.hub.bodies()[-1].range_start == MIDDLE
    assert setting.is_installed()


def test_storage_that_gives_only_pieces(setting: Setting) -> None:
    """Some storages answer at most so much at once; each goes on at the exact byte."""
    setting.begin(1000)
    setting.hub.faults.add("short_range", after_bytes=1_000_000, count=9)
    setting.download()
    starts = [request.range_start for request in setting.hub.bodies()]
    assert starts == [1000, 1_001_000, 2_001_000]
    assert setting.is_installed()


def test_plain_bodies_are_read_without_a_copy_and_chunks_are_not(setting: Setting) -> None:
    """Where urllib3 changes inside, this fails, and throughput would silently be less."""
    for kind in (None, "chunked"):
        if kind:
            setting.hub.faults.add(kind)
        with open_line(setting.hub) as line:
            url = line.hub.locate(setting.file).url
            request = BodyRequest(url, 0, setting.file, line.hub.options)
            body = open_body(line.pool, request)
            assert (body._plain is None) == (kind == "chunked")
            room = memoryview(bytearray(1 << 16))
            count = body.read_into(room)
            assert bytes(room[:count]) == some_bytes(SIZE)[:count]
            body.close()

"""The list of downloads as a crash, another version or somebody's editor left it: what makes sense
goes on, what makes none is put aside, and the app starts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openshelf.errors import CancelledByUser
from openshelf.library.downloads import DownloadState
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.tasks import CancelToken
from tests.conftest import ExpectedLogs
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import Watch
from tests.library.conftest import OpenHome
from tests.library.test_downloads import SIZE, publish

Change = Callable[[dict[str, Any]], Any]
ODD: tuple[Any, ...] = (5, None, [1], {"a": 1}, True, "../../x")
FIELDS = ("target", "model_name", "repo", "folder", "source", "quant", "left_bytes", "installed_id")
FILE_FIELDS = ("repo", "commit", "path", "size_bytes", "sha256")
NUMBERS = ("1e400", "9" * 400, "NaN", '"x"', "[]", "null")


@pytest.fixture
def entry(hub: LoopbackHub, open_at: OpenHome) -> Path:
    """Of a download that was paused in the middle."""
    (repo,) = publish(hub)
    hub.bytes_per_second = 2_000_000
    home = open_at(endpoint=hub.endpoint)
    offer = home.prepare(repo)
    clearance = home.installer.accept(offer, AcceptanceForm("Ada"))
    watch = Watch(at=200_000, stops=True)
    with pytest.raises(CancelledByUser):
        home.kept.install(offer, clearance, watch.cancel, watch)
    hub.bytes_per_second = 0
    (path,) = (home.folder / "data" / "downloads").glob("*.json")
    return path


def opens(open_at: OpenHome, hub: LoopbackHub) -> list[DownloadState]:
    """The window's list, which is the command line's as well."""
    home = open_at(endpoint=hub.endpoint)
    shown = home.downloads.snapshots()
    assert [each.id for each in home.kept.listed()] == [each.id for each in shown]
    for each in shown:
        json.dumps(each.as_json())
        assert isinstance(each.target, str)
        assert 0 <= each.done_bytes <= each.total_bytes
    return [each.state for each in shown]


def test_goes_on_from_where_it_was(hub: LoopbackHub, open_at: OpenHome, entry: Path) -> None:
    assert opens(open_at, hub) == [DownloadState.PAUSED]
    home = open_at(endpoint=hub.endpoint)
    model = home.kept.resume(json.loads(entry.read_bytes())["id"], CancelToken(), Watch())
    assert model.size_bytes == SIZE
    assert (hub.bodies()[-1].range_start or 0) >= 200_000


def test_any_field_of_another_kind_stops_no_start(
    hub: LoopbackHub, open_at: OpenHome, entry: Path, expected_logs: ExpectedLogs
) -> None:
    good = json.loads(entry.read_bytes())
    broken = 0
    for where in [("offer", name) for name in FIELDS] + [("file", name) for name in FILE_FIELDS]:
        for value in ODD:
            data = json.loads(json.dumps(good))
            place = data["offer"] if where[0] == "offer" else data["offer"]["files"][0]
            place[where[1]] = value
            entry.write_text(json.dumps(data))
            broken += opens(open_at, hub) == []
    assert broken > 40
    expected_logs("was put aside")
    entry.write_text(json.dumps(good))
    assert opens(open_at, hub) == [DownloadState.PAUSED]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["created", "order"])
def test_times_that_are_none(
    hub: LoopbackHub, open_at: OpenHome, entry: Path, name: str, number: str,
    expected_logs: ExpectedLogs,
) -> None:  # fmt: skip
    data = json.loads(entry.read_bytes())
    data[name] = "HERE"
    entry.write_text(json.dumps(data).replace('"HERE"', number))
    if opens(open_at, hub) == []:
        expected_logs("was put aside")


@pytest.mark.parametrize("content", [b"", b"null", b"[" * 100_000, bytes(range(256)), b'{"v": 1}'])
def test_what_is_no_entry_is_put_aside(
    hub: LoopbackHub, open_at: OpenHome, entry: Path, content: bytes, expected_logs: ExpectedLogs
) -> None:
    expected_logs("was put aside")
    entry.write_bytes(content)
    assert opens(open_at, hub) == []
    assert entry.with_name(f"{entry.name}.broken").read_bytes() == content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_not_waited_for(
    hub: LoopbackHub, open_at: OpenHome, entry: Path, expected_logs: ExpectedLogs
) -> None:
    expected_logs("was put aside")
    entry.unlink()
    os.mkfifo(entry)
    assert opens(open_at, hub) == []

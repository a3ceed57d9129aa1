"""The body of a download against the faults of a line: never a wrong file, never from the start."""

from __future__ import annotations

import errno
import hashlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from openshelf.errors import (
    CancelledByUser,
    ChecksumMismatch,
    GatedModel,
    NetworkFailure,
    NotEnoughDisk,
    NotFound,
    Offline,
    UnsafeName,
)
from openshelf.hub import part_file
from openshelf.hub.cache_layout import discard_part, part_bytes, write_sidecar
from openshelf.hub.entries import DownloadFile
from openshelf.network import NetworkOptions
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import REPO, Setting, Watch, open_line, publish, some_bytes

SIZE = 3_000_000
MIDDLE = 1_000_000
TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def setting(hub: LoopbackHub, tmp_path: Path) -> Setting:
    return Setting(hub, publish(hub, some_bytes(SIZE)), tmp_path / "models")


def test_straight(setting: Setting) -> None:
    watch = Watch()
    fetched = setting.download(watch, job={"is_main": True})
    assert setting.is_installed()
    assert fetched.path == setting.place.snapshot
    assert (fetched.resumed_from_bytes, fetched.was_there) == (0, False)
    assert (setting.place.repo_folder / "refs" / "main").read_text() == setting.file.commit
    assert [request.method for request in setting.hub.requests] == ["HEAD", "GET"]
    assert watch.seen[-1].phase == "verifying"


def test_huggingface_hub_finds_what_we_fetched(setting: Setting) -> None:
    setting.download()
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        REPO, setting.file.path, cache_dir=setting.models, revision=setting.file.commit
    )
    assert found == str(setting.place.snapshot)


def test_main_is_written_only_when_it_is_main(setting: Setting) -> None:
    setting.download()
    assert not (setting.place.repo_folder / "refs").exists()


def test_what_is_there_is_checked_and_used(setting: Setting) -> None:
    setting.download()
    asked = len(setting.hub.requests)
    again = setting.download()
    assert again.was_there
    assert len(setting.hub.requests) == asked


def test_what_is_there_and_wrong_is_replaced(setting: Setting) -> None:
    setting.download()
    damaged = bytearray(setting.place.blob.read_bytes())
    damaged[MIDDLE] ^= 1
    setting.place.blob.write_bytes(damaged)
    assert not setting.download().was_there
    assert setting.is_installed()


def test_resumes_at_the_length_on_disk(setting: Setting) -> None:
    setting.begin(MIDDLE + 7)
    assert part_bytes(setting.models, setting.file) == MIDDLE + 7
    fetched = setting.download()
    assert fetched.resumed_from_bytes == MIDDLE + 7
    assert [request.range_start for request in setting.hub.bodies()] == [MIDDLE + 7]
    assert setting.hub.sent_bytes == SIZE - MIDDLE - 7
    assert setting.is_installed()


def test_whole_part_is_verified_without_asking(setting: Setting) -> None:
    setting.begin(SIZE)
    setting.download()
    assert setting.hub.requests == []
    assert setting.is_installed()


def test_part_of_something_else_is_thrown_away(setting: Setting) -> None:
    other = DownloadFile(REPO, setting.file.commit, setting.file.path, SIZE, "1" * 64)
    setting.begin(MIDDLE)
    write_sidecar(setting.place, other)
    assert part_bytes(setting.models, setting.file) == 0
    setting.download()
    assert setting.hub.bodies()[0].range_start is None
    assert setting.is_installed()


@pytest.mark.parametrize("sidecar", [b"", b"{", b"[]", b'{"etag": 1}', None])
def test_broken_sidecar_means_a_fresh_start(setting: Setting, sidecar: bytes | None) -> None:
    setting.begin(MIDDLE)
    if sidecar is None:
        setting.place.sidecar.unlink()
    else:
        setting.place.sidecar.write_bytes(sidecar)
    setting.download()
    assert setting.is_installed()


def test_part_longer_than_the_file(setting: Setting) -> None:
    setting.begin(SIZE)
    with setting.place.part.open("ab") as part:
        part.write(b"more")
    setting.download()
    assert setting.is_installed()


BREAKS: dict[str, dict[str, Any]] = {
    "cut at the first byte": {"kind": "cut"},
    "cut in the middle": {"kind": "cut", "after_bytes": MIDDLE},
    "cut before the last byte": {"kind": "cut", "after_bytes": SIZE - 1},
    "reset in the middle": {"kind": "reset", "after_bytes": MIDDLE},
    "reset at once": {"kind": "reset"},
    "silence at once": {"kind": "hang"},
    "silence in the middle": {"kind": "hang", "after_bytes": MIDDLE},
    "503": {"kind": "status", "status": 503},
    "500 twice": {"kind": "status", "status": 500, "count": 2},
    "429": {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "408": {"kind": "status", "status": 408},
    "403 from the storage": {"kind": "status", "status": 403},
    "404 from the storage": {"kind": "status", "status": 404},
    "sign-in page from the storage": {"kind": "html"},
    "416 out of the blue": {"kind": "status", "status": 416},
    "HEAD 502": {"kind": "status", "status": 502, "stage": "head"},
    "HEAD sign-in page": {"kind": "html", "stage": "head"},
    "HEAD silence": {"kind": "hang", "stage": "head"},
    "HEAD without commit": {"kind": "no_commit", "stage": "head"},
}


@pytest.mark.parametrize("name", BREAKS)
def test_goes_on_from_where_it_broke(setting: Setting, name: str) -> None:
    fault = dict(BREAKS[name])
    setting.hub.faults.add(fault.pop("kind"), **fault)
    watch = Watch()
    setting.download(watch)
    assert setting.is_installed()
    assert any(reason.startswith("waiting_") for reason in watch.reasons)
    received = 0
    for request in setting.hub.bodies():
        # Each asks for exactly what is not on disk; bytes in flight at a reset are lost.
        assert (request.range_start or 0) <= received
        received += request.sent_bytes
    assert setting.hub.sent_bytes <= SIZE + (4 << 20 if "reset" in name else 0)


def test_cut_resumes_at_the_exact_byte(setting: Setting) -> None:
    for position in (1, MIDDLE, SIZE - MIDDLE - 2):
        setting.hub.faults.add("cut", after_bytes=position)
    setting.download()
    starts = [request.range_start for request in setting.hub.bodies()]
    assert starts == [None, 1, 1 + MIDDLE, SIZE - 1]
    assert setting.hub.sent_bytes == SIZE


def test_expired_link_gets_a_new_one(setting: Setting) -> None:
    setting.hub.faults.add("cut", after_bytes=MIDDLE)
    watch = Watch(phase="waiting")

    def report(progress: Any) -> None:
        if progress.phase == "waiting" and setting.hub.link_generation == 1:
            setting.hub.expire_links()
        watch(progress)

    with open_line(setting.hub) as line:
        from openshelf.hub.download import DownloadJob, download_file

        download_file(DownloadJob(setting.file, setting.models), line, watch.cancel, report)
    assert [request.status for request in setting.hub.bodies()] == [200, 403, 206]
    assert setting.hub.bodies()[-1].range_start == MIDDLE
    assert [r.method for r in setting.hub.requests if r.origin == "hub"] == ["HEAD", "HEAD"]
    assert setting.is_installed()


def test_200_for_a_range_takes_nothing_away(setting: Setting) -> None:
    setting.begin(MIDDLE)
    setting.hub.faults.add("ignore_range", count=2)
    setting.hub.faults.add("cut", after_bytes=MIDDLE // 2)
    fetched = setting.download()
    assert fetched.resumed_from_bytes == MIDDLE, "what comes again is passed over"
    assert len(setting.hub.bodies()) == 2, "the first ended before it came to anything new"
    assert setting.is_installed()


def test_a_part_that_differs_from_the_whole_answer_is_mended(setting: Setting) -> None:
    setting.begin(MIDDLE)
    damaged = bytearray(setting.place.part.read_bytes())
    damaged[700_001] ^= 1
    setting.place.part.write_bytes(damaged)
    setting.hub.faults.add("ignore_range")
    fetched = setting.download()
    assert fetched.resumed_from_bytes == 700_001
    assert setting.is_installed()


def test_416_takes_nothing_away(setting: Setting) -> None:
    setting.begin(MIDDLE)
    setting.hub.faults.add("status", status=416)
    setting.hub.faults.add("cut", after_bytes=MIDDLE + 5, skip=1)
    setting.download()
    starts = [request.range_start for request in setting.hub.bodies()]
    assert starts == [None, None, MIDDLE + 5], "all of it once, and then as before"
    assert setting.is_installed()


@pytest.mark.parametrize("offset", [0, MIDDLE, SIZE - 1])
def test_one_flipped_byte_is_refused(setting: Setting, offset: int) -> None:
    setting.hub.faults.add("corrupt", offset=offset)
    with pytest.raises(ChecksumMismatch) as error:
        setting.download()
    assert error.value.expected == setting.file.sha256
    assert setting.place.bad.exists()
    assert not setting.place.blob.exists()
    assert not setting.place.snapshot.is_symlink()
    setting.download()
    assert setting.is_installed(), "offered again, it works, and the bad one is gone"


def test_flipped_byte_in_the_part(setting: Setting) -> None:
    setting.begin(MIDDLE)
    damaged = bytearray(setting.place.part.read_bytes())
    damaged[17] ^= 1
    setting.place.part.write_bytes(damaged)
    with pytest.raises(ChecksumMismatch):
        setting.download()
    assert not setting.place.blob.exists()


@pytest.mark.parametrize("kind", ["etag", "size"])
def test_what_the_hub_announces_must_be_what_was_listed(setting: Setting, kind: str) -> None:
    setting.begin(MIDDLE)
    setting.hub.faults.add(kind, stage="head")
    with pytest.raises(ChecksumMismatch) as error:
        setting.download()
    assert error.value.why == kind
    assert setting.hub.bodies() == []
    setting.download()
    assert setting.hub.bodies()[0].range_start == MIDDLE, "nothing verified was thrown away"


def test_too_long_an_answer(setting: Setting) -> None:
    setting.hub.faults.add("length", after_bytes=5)
    with pytest.raises(ChecksumMismatch) as error:
        setting.download()
    assert error.value.why == "size"
    assert not setting.place.blob.exists()


def test_more_bytes_than_asked_for_are_not_taken(setting: Setting) -> None:
    setting.begin(MIDDLE)
    setting.hub.faults.add("extra", after_bytes=5000)
    setting.download()
    assert setting.is_installed()


def test_gives_up_when_nothing_comes(setting: Setting) -> None:
    setting.begin(MIDDLE)
    setting.hub.faults.add("status", count=99)
    with pytest.raises(NetworkFailure) as error:
        setting.download(job={"tries": 3})
    assert error.value.why == "http_503"
    assert len(setting.hub.bodies()) == 3
    assert setting.place.part.stat().st_size == MIDDLE


def test_slow_trickle_counts_as_a_stall(setting: Setting) -> None:
    setting.hub.faults.add("slow", bytes_per_second=60)
    watch = Watch()
    setting.download(watch, job={"stall_seconds": 0.5})
    assert "waiting_timeout" in watch.reasons
    assert setting.is_installed()


def test_pause_keeps_the_part_and_empties_the_line(setting: Setting) -> None:
    setting.hub.bytes_per_second = 2_000_000
    watch = Watch(at=500_000, stops=True)
    with pytest.raises(CancelledByUser):
        setting.download(watch)
    sent = setting.hub.sent_bytes
    length = setting.place.part.stat().st_size
    assert 500_000 <= length < SIZE
    setting.hub.stopping.wait(0.3)
    assert setting.hub.sent_bytes - sent <= 1_000_000
    setting.hub.bytes_per_second = 0
    fetched = setting.download()
    assert fetched.resumed_from_bytes == length
    assert setting.hub.bodies()[-1].range_start == length


def test_pause_while_nothing_comes(setting: Setting) -> None:
    setting.hub.faults.add("hang", after_bytes=MIDDLE)
    watch = Watch()

    def stop_soon() -> None:
        while setting.hub.sent_bytes < MIDDLE:
            setting.hub.stopping.wait(0.02)
        watch.cancel.cancel()

    stopper = threading.Thread(target=stop_soon)
    stopper.start()
    started = time.monotonic()
    with pytest.raises(CancelledByUser):
        setting.download(watch, read_timeout_seconds=30.0)
    assert time.monotonic() - started < 5
    stopper.join()
    assert setting.place.part.exists()


def test_discarded_part_leaves_nothing(setting: Setting) -> None:
    setting.begin(MIDDLE)
    discard_part(setting.models, setting.file)
    assert not setting.place.repo_folder.exists()


def test_rate_limit_is_kept(setting: Setting) -> None:
    started = time.monotonic()
    setting.download(bytes_per_second=4_000_000)
    assert 0.55 < time.monotonic() - started < 6


def test_token_stays_with_the_hub(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.tokens.add(TOKEN)
    file = publish(hub, some_bytes(SIZE), gated="manual", access={TOKEN})
    setting = Setting(hub, file, tmp_path)
    hub.faults.add("cut", after_bytes=MIDDLE)
    setting.download(token=TOKEN)
    assert setting.is_installed()
    assert {r.header("authorization") for r in hub.requests if r.origin == "hub"} == {
        f"Bearer {TOKEN}"
    }
    assert {request.header("authorization") for request in hub.bodies()} == {None}
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert TOKEN.encode() not in written
    assert b"Signature" not in written


def test_gated_without_a_token(hub: LoopbackHub, tmp_path: Path) -> None:
    setting = Setting(hub, publish(hub, some_bytes(SIZE), gated="auto"), tmp_path)
    with pytest.raises(GatedModel) as error:
        setting.download()
    assert error.value.repo == REPO
    assert len(hub.requests) == 1


def test_file_that_vanished(setting: Setting) -> None:
    del setting.hub.repos[REPO.casefold()]
    with pytest.raises(NotFound):
        setting.download()


def test_offline(setting: Setting) -> None:
    from openshelf.hub.client import HubClient
    from openshelf.hub.download import DownloadJob, Line, download_file
    from openshelf.hub.rate import RateLimit
    from openshelf.network import EgressLog, open_pool
    from openshelf.tasks import CancelToken, no_report

    options = NetworkOptions(offline=True)
    client = HubClient(options)
    line = Line(client, open_pool(options), RateLimit(), EgressLog())
    with pytest.raises(Offline):
        download_file(DownloadJob(setting.file, setting.models), line, CancelToken(), no_report)


@pytest.mark.parametrize("error_number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_keeps_the_part(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, error_number: int
) -> None:
    append = part_file.PartFile.append

    def full(self: part_file.PartFile, count: int) -> None:
        if self.length > MIDDLE:
            with self._disk_errors(self.missing_bytes):
                raise OSError(error_number, "full")
        append(self, count)

    monkeypatch.setattr(part_file.PartFile, "append", full)
    with pytest.raises(NotEnoughDisk) as error:
        setting.download()
    assert 0 < error.value.needed_bytes < SIZE
    length = setting.place.part.stat().st_size
    monkeypatch.undo()
    fetched = setting.download()
    assert fetched.resumed_from_bytes == length > MIDDLE
    assert setting.is_installed()


@pytest.mark.parametrize(
    "path",
    [
        "../evil.gguf", "/etc/evil.gguf", "a/../../evil.gguf", "C:/evil.gguf", "a\\b.gguf",
        "NUL.gguf", "com1.gguf", "x" * 300 + ".gguf", "a\0b.gguf", "", "evil.gguf ", "a//b.gguf",
        "\u202efugg.gguf", "file.gguf:stream",
    ],
)  # fmt: skip
def test_hostile_names(hub: LoopbackHub, tmp_path: Path, path: str) -> None:
    data = some_bytes(100)
    file = DownloadFile(REPO, "1" * 40, path, 100, hashlib.sha256(data).hexdigest())
    with pytest.raises(UnsafeName):
        Setting(hub, file, tmp_path / "models").download()
    assert list(tmp_path.iterdir()) == []
    assert hub.requests == []


@pytest.mark.parametrize(
    ("repo", "commit", "sha256"),
    [
        ("../x", "1" * 40, "1" * 64),
        ("ada/..", "1" * 40, "1" * 64),
        ("ada/x", "main", "1" * 64),
        ("ada/x", "1" * 40, "../../x"),
    ],
)
def test_hostile_ids(hub: LoopbackHub, tmp_path: Path, repo: str, commit: str, sha256: str) -> None:
    file = DownloadFile(repo, commit, "a.gguf", 100, sha256)
    with pytest.raises(UnsafeName):
        Setting(hub, file, tmp_path / "models").download()
    assert list(tmp_path.iterdir()) == []


def test_link_in_the_cache_does_not_lead_out(setting: Setting, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    file = publish(setting.hub, some_bytes(5000), path="sub/x.gguf")
    folder = setting.models / "models--ada--Small-GGUF" / "snapshots" / file.commit
    folder.mkdir(parents=True)
    (folder / "sub").symlink_to(outside)
    with pytest.raises(UnsafeName):
        Setting(setting.hub, file, setting.models).download()
    assert list(outside.iterdir()) == []


def test_egress_log_has_the_hosts_and_bytes(setting: Setting) -> None:
    with open_line(setting.hub) as line:
        from openshelf.hub.download import DownloadJob, download_file
        from openshelf.tasks import CancelToken, no_report

        download_file(DownloadJob(setting.file, setting.models), line, CancelToken(), no_report)
        entries = line.egress.entries()
    assert [entry.purpose for entry in entries] == ["download", "download"]
    assert entries[-1].received_bytes == SIZE
    assert "Signature" not in repr(entries)

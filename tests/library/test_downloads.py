"""The queue of downloads: two at a time, paused, resumed, cancelled, and there after a restart."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.errors import NotFound
from openshelf.library.downloads import Download, DownloadState
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.network import NetworkOptions
from openshelf.wording import reason_of
from tests.conftest import ExpectedLogs
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import some_bytes
from tests.library.conftest import Home, OpenHome

SIZE = 3_000_000
TOKEN = "hf_abcdefghijklmnop"


def publish(hub: LoopbackHub, count: int = 1, **facts: object) -> list[str]:
    repos = [f"ada/Model{number}-GGUF" for number in range(count)]
    for number, repo in enumerate(repos):
        content = some_bytes(SIZE, number)
        hub.add_repo(
            repo, {f"Model{number}-Q4_K_M.gguf": content}, card={"license": "mit"}, **facts
        )  # type: ignore[arg-type]
    return repos


class Events:
    """Waits for states of downloads as they are announced."""

    def __init__(self, home: Home) -> None:
        self.seen: list[Download] = []
        self._changed = threading.Condition()
        home.downloads.announcer.subscribe(self._on_change)

    def _on_change(self, download: Download) -> None:
        with self._changed:
            self.seen.append(download)
            self._changed.notify_all()

    def wait(self, download_id: str, *states: DownloadState, done_bytes: int = 0) -> Download:
        def found() -> list[Download]:
            return [
                download
                for download in self.seen
                if download.id == download_id
                and download.state in states
                and download.done_bytes >= done_bytes
            ]

        with self._changed:
            assert self._changed.wait_for(found, 30), self.seen[-3:]
            return found()[-1]

    def forget(self) -> None:
        with self._changed:
            self.seen.clear()


def start(home: Home, repo: str) -> Download:
    offer = home.prepare(repo)
    return home.downloads.start(offer, home.installer.accept(offer, AcceptanceForm("Ada")))


def settled(home: Home, download_id: str) -> Download:
    """As it is once nothing of it runs any more."""
    entry = home.downloads._entry(download_id)
    done = threading.Event()
    for _ in range(500):
        if not entry.is_running:
            return entry.shown
        done.wait(0.02)
    raise AssertionError(entry)


def test_runs_to_the_library(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 6_000_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    done = events.wait(download.id, DownloadState.DONE)
    assert done.installed_id is not None
    assert done.done_bytes == done.total_bytes == SIZE
    assert home.library.find(done.installed_id).size_bytes == SIZE
    moving = [d for d in events.seen if d.state is DownloadState.RUNNING and d.rate_per_second]
    assert moving
    assert all(d.seconds_left is not None for d in moving)
    assert len(events.seen) < 30, "told at most five times a second"
    assert list((home.folder / "data" / "downloads").iterdir()) == []
    home.downloads.dismiss(download.id)
    assert home.downloads.snapshots() == ()
    assert home.library.find(done.installed_id)


def test_pause_and_resume(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 1_500_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=300_000)
    home.downloads.pause(download.id)
    paused = settled(home, download.id)
    sent = hub.sent_bytes
    assert paused.state is DownloadState.PAUSED
    assert 300_000 <= paused.done_bytes < SIZE
    hub.stopping.wait(0.3)
    assert hub.sent_bytes == sent
    hub.bytes_per_second = 0
    home.downloads.resume(download.id)
    events.wait(download.id, DownloadState.DONE)
    assert hub.bodies()[-1].range_start == paused.done_bytes


def test_resume_while_it_is_still_stopping(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 3_000_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=100_000)
    home.downloads.pause(download.id)
    home.downloads.resume(download.id)
    events.wait(download.id, DownloadState.DONE)


def test_cancel_leaves_nothing(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 1_500_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=100_000)
    home.downloads.cancel(download.id)
    assert settled(home, download.id).state is DownloadState.CANCELLED
    assert [p for p in home.models.rglob("*") if p.is_file() and ".locks" not in p.parts] == []
    assert list((home.folder / "data" / "downloads").iterdir()) == []
    assert home.library.installed() == ()


def test_two_at_a_time(hub: LoopbackHub, open_at: OpenHome) -> None:
    repos = publish(hub, 4)
    hub.bytes_per_second = 300_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    downloads = [start(home, repo) for repo in repos]
    events.wait(downloads[0].id, DownloadState.RUNNING, done_bytes=1)
    states = [download.state for download in home.downloads.snapshots()]
    assert states[2:] == [DownloadState.QUEUED] * 2
    home.downloads.pause(downloads[2].id)
    hub.bytes_per_second = 0
    for number in (0, 1, 3):
        events.wait(downloads[number].id, DownloadState.DONE)
    assert home.downloads.snapshots()[2].state is DownloadState.PAUSED


def test_same_model_is_not_fetched_twice(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 2_000_000
    home = open_at(endpoint=hub.endpoint)
    assert start(home, repo).id == start(home, repo).id
    assert len(home.downloads.snapshots()) == 1


def test_restart_keeps_paused_downloads(hub: LoopbackHub, open_at: OpenHome) -> None:
    hub.tokens.add(TOKEN)
    (repo,) = publish(hub, gated="auto", access={TOKEN})
    hub.bytes_per_second = 1_500_000
    home = open_at(endpoint=hub.endpoint, token=TOKEN)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=300_000)
    home.close()
    saved = next((home.folder / "data" / "downloads").glob("*.json"))
    assert TOKEN not in saved.read_text()

    hub.bytes_per_second = 0
    again = open_at(endpoint=hub.endpoint, token=TOKEN)
    (listed,) = again.downloads.snapshots()
    assert (listed.id, listed.state) == (download.id, DownloadState.PAUSED)
    assert 300_000 <= listed.done_bytes < SIZE
    assert (listed.model_name, listed.quant, listed.total_bytes) == ("Model0", "Q4_K_M", SIZE)
    events = Events(again)
    again.downloads.resume(download.id)
    events.wait(download.id, DownloadState.DONE)
    assert hub.bodies()[-1].range_start == listed.done_bytes


def test_resume_asks_the_gate_again(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 1_500_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=100_000)
    home.downloads.pause(download.id)
    settled(home, download.id)
    home.parts.acceptances.revoke(
        home.parts.acceptances.records()[-1]["record_id"], AcceptanceForm()
    )
    asked = len(hub.requests)
    home.downloads.resume(download.id)
    failed = events.wait(download.id, DownloadState.FAILED)
    assert failed.reason is not None
    assert failed.reason.code == "LicenseNotAccepted"
    assert len(hub.requests) == asked


def test_waiting_is_shown_with_its_cause(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.faults.add("cut", after_bytes=1_000_000)
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    waiting = events.wait(download.id, DownloadState.WAITING)
    assert waiting.reason is not None
    assert waiting.reason.code == "waiting_early_end"
    assert waiting.done_bytes == 1_000_000
    events.wait(download.id, DownloadState.DONE)


def test_damaged_file_fails_by_name(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.faults.add("corrupt", offset=1_000_000)
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    failed = events.wait(download.id, DownloadState.FAILED)
    assert failed.reason is not None
    assert "arrived damaged" in wording.sentence(failed.reason)
    home.downloads.resume(download.id)
    events.wait(download.id, DownloadState.DONE)


def test_offline_after_a_restart_rests(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 1_500_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=100_000)
    home.close()
    again = open_at(offline=True)
    events = Events(again)
    again.downloads.resume(download.id)
    events.wait(download.id, DownloadState.QUEUED)
    rests = events.wait(download.id, DownloadState.PAUSED)
    assert rests.reason is not None
    assert rests.reason.code == "Offline"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"v": 1}', '{"id": "x", "offer": {"files": []}}']
)
def test_broken_entries_are_put_aside(
    open_at: OpenHome, tmp_path: Path, content: str, expected_logs: ExpectedLogs
) -> None:
    expected_logs("cannot be read and was put aside")
    folder = tmp_path / "app" / "data" / "downloads"
    folder.mkdir(parents=True)
    (folder / "x.json").write_text(content)
    assert open_at().downloads.snapshots() == ()
    assert (folder / "x.json.broken").read_text() == content


def test_unknown_id(open_at: OpenHome) -> None:
    home = open_at()
    for act in (home.downloads.pause, home.downloads.resume, home.downloads.cancel):
        with pytest.raises(NotFound):
            act("nothing")


def test_reasons_have_sentences() -> None:
    assert reason_of(ZeroDivisionError()).code == "unexpected"
    assert json.dumps(reason_of(NotFound("file", "x")).as_json())
    assert NetworkOptions().token is None

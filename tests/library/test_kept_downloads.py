"""Downloads steered from another process than the one that runs them. A second opening of the same
home stands for that process: the locks and files between the two are the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from openshelf.errors import CancelledByUser, ChecksumMismatch, NotFound
from openshelf.library import kept_downloads
from openshelf.library.downloads import DownloadState
from openshelf.library.installed import InstalledModel
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.tasks import CancelToken, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import Watch
from tests.library.conftest import Home, OpenHome
from tests.library.test_downloads import SIZE, Events, publish, settled, start


def install(home: Home, repo: str, watch: Watch | None = None) -> InstalledModel:
    offer = home.prepare(repo)
    clearance = home.installer.accept(offer, AcceptanceForm("Ada"))
    watch = watch or Watch()
    return home.kept.install(offer, clearance, watch.cancel, watch)


def in_background(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  handed to the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failures


def nothing_left(home: Home) -> bool:
    folder = home.folder / "data" / "downloads"
    return not folder.exists() or list(folder.iterdir()) == []


def test_what_a_window_runs_is_listed_and_paused(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 600_000
    window, other = open_at(endpoint=hub.endpoint), open_at(endpoint=hub.endpoint)
    events = Events(window)
    download = start(window, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=100_000)
    (listed,) = other.kept.listed()
    assert (listed.id, listed.state) == (download.id, DownloadState.RUNNING)
    paused = other.kept.pause(download.id, CancelToken())
    assert paused.state is DownloadState.PAUSED
    sent = hub.sent_bytes
    assert 100_000 <= paused.done_bytes < SIZE
    assert settled(window, download.id).state is DownloadState.PAUSED
    hub.stopping.wait(0.3)
    assert hub.sent_bytes == sent
    hub.bytes_per_second = 0
    model = other.kept.resume(download.id[:5], CancelToken(), no_report)
    assert hub.bodies()[-1].range_start == paused.done_bytes
    assert other.library.find(model.id)
    assert nothing_left(other)


def test_what_a_window_runs_is_cancelled(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 600_000
    window, other = open_at(endpoint=hub.endpoint), open_at(endpoint=hub.endpoint)
    events = Events(window)
    download = start(window, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=100_000)
    assert other.kept.cancel(repo, CancelToken()).state is DownloadState.CANCELLED
    assert settled(window, download.id).state is DownloadState.CANCELLED
    assert nothing_left(other)
    left = [p for p in window.models.rglob("*") if p.is_file() and ".locks" not in p.parts]
    assert left == []


def test_an_install_that_was_stopped_is_kept_and_resumed(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 2_000_000
    home = open_at(endpoint=hub.endpoint)
    with pytest.raises(CancelledByUser):
        install(home, repo, Watch(at=300_000, stops=True))
    (kept,) = home.kept.listed()
    assert kept.state is DownloadState.PAUSED
    assert 300_000 <= kept.done_bytes < SIZE
    hub.bytes_per_second = 0
    install(home, repo)
    assert hub.bodies()[-1].range_start == kept.done_bytes
    assert nothing_left(home)


def test_an_install_in_one_terminal_is_paused_and_cancelled_in_another(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 600_000
    one, other = open_at(endpoint=hub.endpoint), open_at(endpoint=hub.endpoint)
    for act, state in ((other.kept.pause, "paused"), (other.kept.cancel, "cancelled")):
        watch = Watch(at=1)
        thread, failures = in_background(lambda watch=watch: install(one, repo, watch))  # type: ignore[misc]
        assert watch.fired.wait(30), failures
        assert act(repo, CancelToken()).state.value == state
        thread.join()
        assert [type(error) for error in failures] == [CancelledByUser]
    assert nothing_left(other)


@pytest.mark.parametrize("fault", [{"kind": "corrupt"}, {"kind": "etag", "stage": "head"}])
def test_what_failed_can_be_resumed(
    hub: LoopbackHub, open_at: OpenHome, fault: dict[str, str]
) -> None:
    (repo,) = publish(hub)
    hub.faults.add(**fault)
    home = open_at(endpoint=hub.endpoint)
    with pytest.raises(ChecksumMismatch):
        install(home, repo)
    (kept,) = home.kept.listed()
    hub.faults.clear()
    home.kept.resume(kept.id, CancelToken(), no_report)
    assert nothing_left(home)


def test_a_killed_process_leaves_a_paused_download(hub: LoopbackHub, open_at: OpenHome) -> None:
    """Its lock went with it; the file of the lock stays and means nothing."""
    (repo,) = publish(hub)
    hub.bytes_per_second = 600_000
    home = open_at(endpoint=hub.endpoint)
    with pytest.raises(CancelledByUser):
        install(home, repo, Watch(at=1, stops=True))
    (kept,) = home.kept.listed()
    folder = home.folder / "data" / "downloads"
    (folder / f"{kept.id}.lock").touch()
    (folder / f"{kept.id}.wish").write_text("cancel")
    assert home.kept.find(kept.id).state is DownloadState.PAUSED
    hub.bytes_per_second = 0
    home.kept.resume(kept.id, CancelToken(), no_report)
    assert nothing_left(home)


def test_unknown(open_at: OpenHome) -> None:
    kept = open_at().kept
    assert kept.listed() == ()
    for act in (kept.pause, kept.cancel):
        with pytest.raises(NotFound):
            act("nothing", CancelToken())
    with pytest.raises(NotFound):
        kept.resume("", CancelToken(), no_report)


def test_what_is_asked_too_late_leaves_nothing(
    hub: LoopbackHub, open_at: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The download ends between the look and the wish."""
    (repo,) = publish(hub)
    hub.bytes_per_second = 2_000_000
    home = open_at(endpoint=hub.endpoint)
    with pytest.raises(CancelledByUser):
        install(home, repo, Watch(at=300_000, stops=True))
    looks = iter([True])
    monkeypatch.setattr(kept_downloads, "is_running", lambda *_: next(looks, False))
    home.kept.cancel(repo, CancelToken())
    assert nothing_left(home)

"""Downloads and several model folders: where each begins it goes on, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from openshelf import wording
from openshelf.library.downloads import DownloadState
from openshelf.library.folders import ModelFolders
from tests.fakes.hub.loopback import LoopbackHub
from tests.library.conftest import Home, OpenHome
from tests.library.test_downloads import SIZE, Events, publish, settled, start


class Chosen:
    """A home with a second folder, which is the one for downloads as long as `is_second`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.second = home.folder / "second"
        self.second.mkdir(exist_ok=True)
        self.is_second = True
        home.library.folders = ModelFolders(
            home.models,
            lambda: [str(self.second)],
            lambda: str(self.second) if self.is_second else "",
        )
        home.library.follow_folders()


def partial(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))


def test_what_began_in_a_folder_goes_on_there(hub: LoopbackHub, open_at: OpenHome) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 1_500_000
    chosen = Chosen(open_at(endpoint=hub.endpoint))
    home, events = chosen.home, Events(chosen.home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=300_000)
    assert home.downloads.is_active
    home.downloads.pause(download.id)
    paused = settled(home, download.id)
    assert not home.downloads.is_active
    assert len(partial(chosen.second)) == 1
    assert partial(home.models) == []
    chosen.is_second = False
    hub.bytes_per_second = 0
    home.downloads.resume(download.id)
    done = events.wait(download.id, DownloadState.DONE)
    assert hub.bodies()[-1].range_start == paused.done_bytes
    model = home.library.find(str(done.installed_id))
    assert model.first_file.folder == str(chosen.second)
    assert home.prepare(repo).installed_id == model.id
    assert home.library.remove(model.id).freed_bytes == SIZE
    assert [path for path in chosen.second.rglob("*") if path.is_file()] == []


def test_what_another_folder_has_already_is_used_there(hub: LoopbackHub, open_at: OpenHome) -> None:
    """As a cache that other programs fill, while new files are to go elsewhere."""
    (repo,) = publish(hub)
    chosen = Chosen(open_at(endpoint=hub.endpoint))
    chosen.is_second = False
    model = chosen.home.install(repo)
    with chosen.home.library._database.writing() as connection:
        connection.execute("DELETE FROM models")
    chosen.is_second = True
    sent = len(hub.bodies())
    offer = chosen.home.prepare(repo)
    assert (offer.folder, offer.left_bytes) == (str(chosen.home.models), 0)
    assert chosen.home.install(repo).first_file.location == model.first_file.location
    assert len(hub.bodies()) == sent


def test_a_drive_that_is_taken_out_ends_the_download_with_its_name(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    (repo,) = publish(hub)
    hub.bytes_per_second = 1_500_000
    chosen = Chosen(open_at(endpoint=hub.endpoint))
    home, events = chosen.home, Events(chosen.home)
    download = start(home, repo)
    events.wait(download.id, DownloadState.RUNNING, done_bytes=300_000)
    home.downloads.pause(download.id)
    paused = settled(home, download.id)
    chosen.second.rename(home.folder / "in the drawer")
    home.downloads.resume(download.id)
    failed = events.wait(download.id, DownloadState.FAILED, DownloadState.PAUSED)
    failed = settled(home, download.id)
    assert failed.reason is not None
    assert str(chosen.second) in wording.sentence(failed.reason)
    assert not chosen.second.exists(), "nothing is made where the drive was"
    (home.folder / "in the drawer").rename(chosen.second)
    hub.bytes_per_second = 0
    home.downloads.resume(download.id)
    events.wait(download.id, DownloadState.DONE)
    assert hub.bodies()[-1].range_start == paused.done_bytes

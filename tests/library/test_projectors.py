"""A model that sees comes with its projector: offered, accepted, installed and removed with it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from openshelf.fit.memory import FitRequest
from openshelf.hub.cache_layout import Place, place_of
from openshelf.library.downloads import DownloadState
from openshelf.library.fitting import fit_installed, shape_of_file, shape_of_installed
from openshelf.tasks import CancelToken
from tests.fakes.example_data import plain_machine
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.tiny_eyes import write_eyes
from tests.fakes.tiny_model import write_sliding_window_model
from tests.hub.downloading import some_bytes
from tests.library.conftest import Home, OpenHome
from tests.library.test_downloads import Events, settled, start

REPO = "ada/Seeing-GGUF"


def publish(hub: LoopbackHub, folder: Path) -> None:
    write_sliding_window_model(folder / "model.gguf")
    model = (folder / "model.gguf").read_bytes()
    files = {
        "Seeing-Q4_K_M.gguf": model,
        "Seeing-Q8_0.gguf": model + bytes(0),
        "mmproj-F16.gguf": write_eyes(folder / "mmproj.gguf").read_bytes(),
    }
    hub.add_repo(REPO, files, card={"license": "apache-2.0"})


def test_the_projector_comes_along_under_the_same_clearance(
    hub: LoopbackHub, open_at: OpenHome, tmp_path: Path
) -> None:
    publish(hub, tmp_path)
    home = open_at(endpoint=hub.endpoint)
    offer = home.prepare(f"{REPO}:Q4_K_M")
    assert [file.path for file in offer.files] == ["Seeing-Q4_K_M.gguf", "mmproj-F16.gguf"]
    assert offer.size_bytes == sum(file.size_bytes for file in offer.files)
    model = home.install(f"{REPO}:Q4_K_M")
    assert model.first_file.path == "Seeing-Q4_K_M.gguf"
    assert [file.path for file in model.weight_files] == ["Seeing-Q4_K_M.gguf"]
    assert model.projector is not None
    assert model.id.endswith(":Seeing-Q4_K_M")
    cleared = home.installer.clear_installed(model)
    assert {file.path for file in cleared.files} == {"Seeing-Q4_K_M.gguf", "mmproj-F16.gguf"}


def test_the_fit_counts_it(hub: LoopbackHub, open_at: OpenHome, tmp_path: Path) -> None:
    publish(hub, tmp_path)
    model = open_at(endpoint=hub.endpoint).install(f"{REPO}:Q4_K_M")
    assert shape_of_file(Path(model.first_file.location)).projector is None
    assert shape_of_installed(model).projector is not None
    request = FitRequest(context_length=1024)
    fit = fit_installed(model, plain_machine(), request)
    assert sum(device.projector_bytes for device in fit.devices) > 100_000


def test_two_variants_share_it_and_the_last_one_takes_it_away(
    hub: LoopbackHub, open_at: OpenHome, tmp_path: Path
) -> None:
    publish(hub, tmp_path)
    home = open_at(endpoint=hub.endpoint)
    small, large = home.install(f"{REPO}:Q4_K_M"), home.install(f"{REPO}:Q8_0")
    assert small.projector is not None
    eyes = Path(small.projector.location)
    assert large.projector is not None
    home.library.remove(small.id)
    assert Path(large.projector.location).exists()
    assert home.library.find(large.id).is_usable
    home.library.remove(large.id)
    assert not eyes.exists()


def test_cancelling_one_download_leaves_the_other_its_projector(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    """Whole when the first of two is cancelled: neither lost nor fetched twice."""
    publish_large(hub)
    hub.bytes_per_second = 2_000_000
    home = open_at(endpoint=hub.endpoint)
    events = Events(home)
    small, large = start(home, f"{REPO}:Q4_K_M"), start(home, f"{REPO}:Q8_0")
    eyes = eyes_of(home)
    events.wait(large.id, DownloadState.RUNNING, done_bytes=1)
    wait_until(eyes.blob.exists)
    for download in (small, large):
        home.downloads.pause(download.id)
        settled(home, download.id)
    home.downloads.cancel(small.id)
    assert eyes.blob.exists()
    hub.bytes_per_second = 0
    home.downloads.resume(large.id)
    done = events.wait(large.id, DownloadState.DONE)
    assert done.installed_id is not None
    model = home.library.find(done.installed_id)
    assert model.is_usable
    assert model.projector is not None
    assert model.projector.is_ours
    assert sum(EYES in request.path for request in hub.bodies()) == 1
    home.library.remove(model.id, for_good=True)
    assert not eyes.blob.exists(), "the last one takes it away"


def test_half_a_projector_is_kept_for_the_other_download(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    publish_large(hub)
    hub.bytes_per_second = 500_000
    home = open_at(endpoint=hub.endpoint)
    small, large = start(home, f"{REPO}:Q4_K_M"), start(home, f"{REPO}:Q8_0")
    eyes = eyes_of(home)
    wait_until(lambda: eyes.part.exists() and eyes.part.stat().st_size > 100_000)
    for download in (small, large):
        home.downloads.pause(download.id)
        settled(home, download.id)
    there = eyes.part.stat().st_size
    home.kept.cancel(small.id, CancelToken())
    assert eyes.part.stat().st_size == there, "another process cancels as this one does"
    hub.bytes_per_second = 0
    asked = len(hub.bodies())
    events = Events(home)
    home.downloads.resume(large.id)
    events.wait(large.id, DownloadState.DONE)
    (again,) = [request for request in hub.bodies()[asked:] if EYES in request.path]
    assert again.range_start == there


def test_both_cancelled_leave_nothing(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish_large(hub)
    hub.bytes_per_second = 500_000
    home = open_at(endpoint=hub.endpoint)
    small, large = start(home, f"{REPO}:Q4_K_M"), start(home, f"{REPO}:Q8_0")
    eyes = eyes_of(home)
    wait_until(lambda: eyes.part.exists() and eyes.part.stat().st_size > 100_000)
    for download in (small, large):
        home.downloads.cancel(download.id)
    for download in (small, large):
        settled(home, download.id)
    left = [path for path in home.models.glob("models--*/**/*") if path.is_file()]
    assert left == []


def test_a_projector_that_was_removed_while_the_other_ran_is_fetched_again(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    publish_large(hub)
    home = open_at(endpoint=hub.endpoint)
    small = home.install(f"{REPO}:Q4_K_M")
    events = Events(home)
    hub.bytes_per_second = 2_000_000
    large = start(home, f"{REPO}:Q8_0")
    events.wait(large.id, DownloadState.RUNNING, done_bytes=SIZE // 2)
    home.library.remove(small.id, for_good=True)
    hub.bytes_per_second = 0
    done = events.wait(large.id, DownloadState.DONE)
    assert done.installed_id is not None
    assert home.library.find(done.installed_id).is_usable


SIZE = 1_500_000
EYES = hashlib.sha256(some_bytes(SIZE, 3)).hexdigest()


def publish_large(hub: LoopbackHub) -> None:
    names = ("Seeing-Q4_K_M.gguf", "Seeing-Q8_0.gguf")
    files = {name: some_bytes(4 * SIZE, number) for number, name in enumerate(names)}
    files["mmproj-F16.gguf"] = some_bytes(SIZE, 3)
    hub.add_repo(REPO, files, card={"license": "apache-2.0"})


def eyes_of(home: Home) -> Place:
    offer = home.prepare(f"{REPO}:Q8_0")
    return place_of(home.models, offer.files[-1])


def wait_until(holds: Callable[[], bool]) -> None:
    wait = threading.Event()
    for _ in range(1500):
        if holds():
            return
        wait.wait(0.02)
    raise AssertionError

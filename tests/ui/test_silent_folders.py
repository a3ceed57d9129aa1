"""Network folders that do not answer for minutes: neither start, Library page nor end wait for
them, and what lies there is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.hub.entries import DownloadFile
from openshelf.library.folder_look import PATIENCE_SECONDS
from openshelf.library.saved_downloads import new_download, save_download
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.paths import Paths, find_paths
from openshelf.services import Services
from openshelf.tasks import CancelToken, PoolTaskRunner, no_report
from openshelf.ui.models.installed_table import InstalledColumn
from openshelf.ui.pages.library import LibraryPage
from openshelf.ui.task_bridge import TaskBridge
from openshelf.wiring import build_services
from tests.fakes.silence import Silence
from tests.library.foreign import gguf, put


@dataclass
class Nas:
    """A model folder on the net with a model and half a download, and a stray file elsewhere on
    it that was imported where it lies."""

    paths: Paths
    root: Path
    outside: Path

    def fill(self) -> None:
        services = build_services(self.paths, runner=PoolTaskRunner())
        settings = services.settings.current
        chosen = str(self.root)
        services.settings.save(replace(settings, model_folders=[chosen], download_folder=chosen))
        services.library.follow_folders()  # type: ignore[attr-defined]
        for path in (self.root / "in.gguf", self.outside / "out.gguf", self.local):
            self._import(services, put(path, gguf(path.stem, "mit")))
        offer = services.installer.prepare(str(self.local), CancelToken(), no_report)
        file = DownloadFile("ada/Half-GGUF", "1" * 40, "half.gguf", 5000, "2" * 64)
        half = replace(offer, repo=file.repo, files=(file,), source="hub", folder=chosen)
        self.paths.downloads.mkdir(parents=True, exist_ok=True)
        save_download(self.paths.downloads, new_download(half))
        services.close()

    @property
    def local(self) -> Path:
        return self.paths.data / "own" / "local.gguf"

    def _import(self, services: Services, path: Path) -> None:
        offer = services.installer.prepare(str(path), CancelToken(), no_report)
        clearance = services.installer.accept(offer, AcceptanceForm())
        services.installer.install(offer, clearance, CancelToken(), no_report)


@pytest.fixture
def nas(tmp_path: Path) -> Nas:
    made = Nas(find_paths(), tmp_path / "nas" / "models", tmp_path / "nas" / "other")
    made.root.mkdir(parents=True)
    made.fill()
    return made


@pytest.fixture
def silence(nas: Nas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Silence]:
    made = Silence(monkeypatch, tmp_path / "nas")
    made.begin()
    yield made
    made.end()


def test_neither_start_nor_library_wait_for_a_folder_that_is_silent(
    nas: Nas, silence: Silence, themed_app: QApplication, qtbot: QtBot
) -> None:
    begun = time.monotonic()
    services = build_services(nas.paths, runner=PoolTaskRunner())
    assert time.monotonic() - begun < PATIENCE_SECONDS, "a start waits for no drive"
    (half,) = services.downloads.snapshots()
    assert half.done_bytes == 0
    bridge = TaskBridge(services.runner)
    page = LibraryPage(services, bridge)
    qtbot.addWidget(page)
    page.show()
    page.open_page()
    table = page.installed_card.table
    qtbot.waitUntil(lambda: len(table.rows) == 3, timeout=20_000)
    said = {
        model.name: table.index(at, InstalledColumn.INTEGRITY).data()
        for at, model in enumerate(table.rows)
    }
    assert said == {"in": "folder not here", "out": "folder not here", "local": "verified today"}
    qtbot.waitUntil(lambda: page.folders.found is not None, timeout=20_000)
    assert page.folders.found is not None
    assert (page.folders.found.away, page.folders.found.unchanged) == (2, 1)
    assert str(nas.root) in page.folders.text.text()
    assert len(silence.asked) < 12, "whoever does not come back is not asked again and again"
    page.installed_card.ask_to_remove(next(m.id for m in table.rows if m.name == "local"))
    page.installed_card.question.remove_button.click()
    qtbot.waitUntil(lambda: len(table.rows) == 2, timeout=20_000)
    begun = time.monotonic()
    bridge.close()
    services.close()
    assert time.monotonic() - begun < PATIENCE_SECONDS + 1
    assert silence.main == []


def test_a_dropped_path_is_not_looked_at_by_the_window(
    nas: Nas, silence: Silence, themed_app: QApplication, qtbot: QtBot
) -> None:
    services = build_services(nas.paths, runner=PoolTaskRunner())
    bridge = TaskBridge(services.runner)
    page = LibraryPage(services, bridge)
    qtbot.addWidget(page)
    page.drops.look(str(nas.root / "new.gguf"))
    qtbot.waitUntil(lambda: any("new.gguf" in asked for asked in silence.asked))
    assert silence.main == []
    with qtbot.waitSignal(page.install_requested, timeout=10_000):
        silence.end()
    bridge.close()
    services.close()

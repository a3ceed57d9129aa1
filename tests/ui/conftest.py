"""Fixtures for the window: the themed application, fake services, a bridge, a window that is
taken down again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.hardware.facts import Machine
from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.model import ModelPage
from openshelf.ui.places import Place
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import Scheme, apply_theme, load_fonts
from openshelf.ui.translation import install_translators
from openshelf.ui.widgets.formulas import FORMULAS
from tests.fakes.downloads import FakeInstaller
from tests.fakes.example_data import example_machine
from tests.fakes.example_models import FakeModels
from tests.fakes.services import fake_services
from tests.ui.library_page import Setting

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What the offscreen platform says about windows with a minimum size is not about us.
    ignore = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(ignore)


@pytest.fixture(autouse=True)
def no_formulas_left() -> Iterator[None]:
    """Their child process ends with the test that drew one."""
    yield
    FORMULAS.close()


@pytest.fixture(scope="session")
def themed_app(qapp: QApplication) -> QApplication:
    load_fonts()
    install_translators(qapp)
    apply_theme(qapp, Scheme.LIGHT)
    return qapp


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return fake_services(tmp_path / "app")


@pytest.fixture
def bridge(themed_app: QApplication, services: Services) -> Iterator[TaskBridge]:
    made = TaskBridge(services.runner)
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def make_window(
    themed_app: QApplication, qtbot: QtBot
) -> Iterator[Callable[[Services], MainWindow]]:
    """Shows a window over these services, with the machine set, and takes it down again."""
    made: list[tuple[MainWindow, TaskBridge]] = []

    def make(services: Services, machine: Machine | None = None) -> MainWindow:
        bridge = TaskBridge(services.runner)
        window = MainWindow(services, bridge)
        made.append((window, bridge))
        with qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        window.set_machine(machine or example_machine())
        return window

    yield make
    for window, bridge in made:
        bridge.close()
        window.close()
        window.deleteLater()
        bridge.deleteLater()


@pytest.fixture
def window(make_window: Callable[[Services], MainWindow], services: Services) -> MainWindow:
    return make_window(services)


@pytest.fixture
def installer() -> FakeInstaller:
    return FakeInstaller()


@pytest.fixture
def models() -> FakeModels:
    return FakeModels()


@pytest.fixture
def open_page(
    tmp_path: Path,
    make_window: Callable[..., MainWindow],
    installer: FakeInstaller,
    models: FakeModels,
    qtbot: QtBot,
) -> Callable[..., ModelPage]:
    def make(**changes: Any) -> ModelPage:
        changes = {"models": models, "installer": installer, **changes}
        window = make_window(fake_services(tmp_path, changes=changes))
        window.open_model("Qwen3-14B")
        page = window.page(Place.MODEL)
        assert isinstance(page, ModelPage)
        qtbot.waitUntil(lambda: page.variants.chosen_row is not None)
        return page

    return make


@pytest.fixture
def make_library(
    tmp_path: Path, themed_app: QApplication, qtbot: QtBot
) -> Iterator[Callable[..., Setting]]:
    bridges: list[TaskBridge] = []

    def build(*models: InstalledModel, **changes: Any) -> Setting:
        services = fake_services(tmp_path, changes=changes)
        services.library.models.extend(models)  # type: ignore[attr-defined]
        bridge = TaskBridge(services.runner)
        bridges.append(bridge)
        setting = Setting(services, bridge)
        setting.page.resize(1172, 860)
        qtbot.addWidget(setting.page)
        setting.page.show()
        setting.page.open_page()
        qtbot.waitUntil(lambda: setting.page._facts is not None)
        return setting

    yield build
    for bridge in bridges:
        bridge.close()
        bridge.deleteLater()


@pytest.fixture
def no_starters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The import list is what a test put there, whatever packages are installed."""
    monkeypatch.setattr("openshelf.ui.models.import_facts.find_starters", tuple)

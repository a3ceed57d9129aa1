"""The library page with its fakes at hand, as the tests of it drive it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.ui.models.installed_table import InstalledColumn
from openshelf.ui.pages.library import LibraryPage
from openshelf.ui.task_bridge import TaskBridge
from tests.fakes.downloads import FakeDownloads
from tests.fakes.library import FakeLibrary


class Setting:
    """A page with its fakes at hand."""

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        self.services = services
        self.page = LibraryPage(services, bridge)
        self.library: FakeLibrary = services.library  # type: ignore[assignment]
        self.downloads: FakeDownloads = services.downloads  # type: ignore[assignment]

        self.card = self.page.installed_card

    def names(self) -> list[str]:
        return [model.name for model in self.card.table.rows]

    def cell(self, model: InstalledModel, column: InstalledColumn) -> str:
        at = self.card.table.position(model.id)
        assert at is not None
        return str(self.card.table.index(at, column).data())

    def press(self, model: InstalledModel, column: InstalledColumn) -> None:
        """As the mouse does it."""
        self.card.view.choose(model.id)
        index = self.card.view.currentIndex().siblingAtColumn(column)
        place = self.card.view.visualRect(index).center()
        QTest.mouseClick(
            self.card.view.viewport(), Qt.MouseButton.LeftButton, pos=place
        )  # fmt: skip

    def choose(self, model: InstalledModel) -> None:
        self.card.view.choose(model.id)

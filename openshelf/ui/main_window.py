"""The main window: the rail, the pages, the sheets above them. Navigation only."""

from __future__ import annotations

from importlib import import_module

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.hardware.facts import Machine
from openshelf.library.downloads import Download
from openshelf.services import Services
from openshelf.ui.models.machine_watch import MachineWatch
from openshelf.ui.models.window_geometry import keep_geometry, restore_geometry
from openshelf.ui.places import PAGES, Place
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import InlineNotice, NoticeLevel
from openshelf.ui.widgets.engine_notice import EngineNotice
from openshelf.ui.widgets.overlay import Overlay
from openshelf.ui.widgets.page import Page
from openshelf.ui.widgets.rail import NavigationRail
from openshelf.ui.widgets.window_keys import WindowKeys

MINIMUM_SIZE = QSize(1024, 640)
FIRST_SIZE = QSize(1360, 860)


class MainWindow(QMainWindow):
    """Opens places, hands the machine to the pages, carries requests from one page to another."""

    first_painted = Signal()
    """The Shelf is on the screen, with its rows."""

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._services = services
        self._bridge = bridge
        self._pages: dict[Place, Page] = {}
        self._machine: Machine | None = None
        self._sheet: Overlay | None = None
        self._watch = MachineWatch(services, bridge, self)
        self._keys = WindowKeys(self)
        self.setWindowTitle("Openshelf")
        self.setMinimumSize(MINIMUM_SIZE)
        self._central = central = QWidget()
        row = QHBoxLayout(central)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.rail = NavigationRail()
        self.notice = InlineNotice()
        self._stack = QStackedWidget()
        pages = QVBoxLayout()
        pages.setSpacing(0)
        for notice in (self.notice, EngineNotice(bridge, services.engine_builds.announcer)):
            pages.addWidget(notice)
        pages.addWidget(self._stack, 1)
        row.addWidget(self.rail)
        row.addLayout(pages, 1)
        self.setCentralWidget(central)
        self.resize(FIRST_SIZE)
        restore_geometry(self, services.paths.window_file)
        self._connect()
        self.open_place(Place.SHELF)

    @property
    def machine(self) -> Machine | None:
        return self._machine

    @property
    def sheet(self) -> Overlay | None:
        """The sheet that is open above the pages."""
        return self._sheet

    def page(self, place: Place) -> Page:
        """The page of a place, made when it is first asked for."""
        if place not in self._pages:
            address = PAGES[place]
            page_class = getattr(import_module(address.module), address.name)
            # Inside of the window from the beginning: Qt styles anew whatever gets a parent.
            page: Page = page_class(self._services, self._bridge, self._stack)
            page.chat_requested.connect(self.start_chat)
            page.install_requested.connect(self.open_install)
            page.model_requested.connect(self.open_model)
            page.place_requested.connect(self.open_place)
            page.machine_found.connect(self.set_machine)
            page.memory_changed.connect(self._watch.look)
            page.keys_requested.connect(self._keys.show_list)
            if place is Place.SHELF:
                page.first_painted.connect(self.first_painted)
            self._pages[place] = page
            self._stack.addWidget(page)
            if self._machine is not None:
                page.set_machine(self._machine)
        return self._pages[place]

    def open_place(self, place: Place) -> None:
        page = self.page(place)
        self.rail.show_place(place)
        self._stack.setCurrentWidget(page)
        page.open_page()
        page.focus_content()

    def set_machine(self, machine: Machine) -> None:
        """Tell rail and pages what the hardware is."""
        self._machine = machine
        self._watch.note(machine)
        self.rail.machine_card.show_machine(machine)
        for page in self._pages.values():
            page.set_machine(machine)

    def start_chat(self, model_id: str) -> None:
        self.page(Place.CHAT).set_model(model_id)
        self.open_place(Place.CHAT)

    def open_model(self, text: str) -> None:
        """Show the variants of a model, by its catalog id or name or by any TARGET."""
        self.page(Place.MODEL).show_model(text)
        self.open_place(Place.MODEL)

    def open_install(self, target: str) -> None:
        """Open the install sheet for a target; one sheet at a time."""
        from openshelf.ui.pages.install_sheet import InstallSheet

        if self._sheet is not None:
            return
        sheet = InstallSheet(self._services, self._bridge, target, self._central)
        sheet.installed.connect(self._on_installed)
        sheet.organization_chosen.connect(self._on_organization_chosen)
        sheet.closed.connect(self._on_sheet_closed)
        self._sheet = sheet
        sheet.open_sheet()

    def _connect(self) -> None:
        self.rail.place_chosen.connect(self.open_place)
        self._watch.found.connect(self.set_machine)
        self._bridge.listen(
            self._services.downloads.announcer,
            self._on_download_changed,
            latest_by=lambda download: download.id,
        )
        self._keys.place_chosen.connect(self.open_place)
        self._show_active_downloads()
        self.notice.acted.connect(self.notice.hide)
        problems = " ".join(reason_sentence(reason) for reason in self._services.problems())
        if problems:
            self.notice.show_message(problems, NoticeLevel.WARNING, button=self.tr("Close"))

    def _on_installed(self, model_id: str) -> None:
        """The sheet was still open when the bytes were there: go on where the person wants to."""
        if self._sheet is not None:
            self._sheet.close_sheet()
        self.start_chat(model_id)

    def _on_organization_chosen(self, target: str) -> None:
        self.page(Place.POLICY).ask_about(target)
        self.open_place(Place.POLICY)

    def _on_sheet_closed(self) -> None:
        self._sheet = None
        current = self._stack.currentWidget()
        if isinstance(current, Page):
            current.open_page()

    def _on_download_changed(self, _: Download) -> None:
        self._show_active_downloads()

    def _show_active_downloads(self) -> None:
        running = [d for d in self._services.downloads.snapshots() if d.state.is_active]
        self.rail.show_active_downloads(len(running))

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        current = self._stack.currentWidget()
        if isinstance(current, Page):
            current.focus_content()

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        keep_geometry(self, self._services.paths.window_file)
        super().closeEvent(event)

    def raise_to_front(self) -> None:
        """Somebody started the app again: show this window instead."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

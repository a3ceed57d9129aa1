"""The Model screen: every variant of one model on a machine, and why one of them is recommended."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.errors import OpenshelfError
from openshelf.hardware.facts import Machine
from openshelf.library.installed import InstalledModel
from openshelf.licenses.license import License
from openshelf.policy.store import PolicyState
from openshelf.policy.verdict import Decision
from openshelf.services import Services
from openshelf.shelf.builds import ModelListing
from openshelf.tasks import Failed, Outcome, Succeeded, Task
from openshelf.ui.models.hardware_facts import read_profiles
from openshelf.ui.models.machine_facts import decides_alike, without_our_model
from openshelf.ui.models.model_lookup import Looked, look_up, with_installed
from openshelf.ui.pages.model_header import ModelHeader, ModelTab
from openshelf.ui.pages.model_states import LoadingPanel
from openshelf.ui.pages.model_tabs import FactTabs
from openshelf.ui.pages.model_variants import VariantsPanel
from openshelf.ui.places import Place
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import EmptyState
from openshelf.ui.widgets.page import Page

ROOM_FOR_TRADEOFFS = 720
"""Pixels of height from which on the table can spare a row."""


class ModelPage(Page):
    """Looks a model up in a task; everything after that is worked out from the listing."""

    def __init__(
        self, services: Services, bridge: TaskBridge, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._services, self._bridge = services, bridge
        self._text = ""
        self._number = 0
        self._is_stale = False
        self._task: Task | None = None
        self._machine: Machine | None = None
        self._listing: ModelListing | None = None
        self._licenses: Mapping[str, License] = {}
        self._has_profiles = False
        self._build()
        self._connect()

    @property
    def listing(self) -> ModelListing | None:
        return self._listing

    def _build(self) -> None:
        self.setAccessibleName(self.tr("Model"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = ModelHeader()
        self.variants = VariantsPanel(self._services, self._bridge)
        self.tabs = FactTabs(self._services, self._bridge)
        self._loading = LoadingPanel()
        self.empty = EmptyState("", "", self.tr("Try again"))
        self._stack = QStackedWidget()
        for part in (self._loading, self.variants, self.tabs, self.empty):
            self._stack.addWidget(part)
        column.addWidget(self.header)
        column.addWidget(self._stack, 1)
        self._show_nothing_chosen()

    def _connect(self) -> None:
        self.header.back_pressed.connect(self._on_back)
        self.header.tab_changed.connect(self._on_tab)
        self.tabs.license_found.connect(self._on_license_found)
        self.header.size_chosen.connect(self.show_model)
        self.variants.install_pressed.connect(self.install_requested)
        self.variants.chat_pressed.connect(self.chat_requested)
        self.variants.retry_pressed.connect(self._look_up)
        self.empty.acted.connect(self._look_up)
        self._bridge.listen(self._services.library.announcer, self._on_library_changed)
        self._bridge.listen(self._services.policies.announcer, self._on_policy_changed)
        for keys in (Qt.Key.Key_Escape, Qt.Modifier.ALT | Qt.Key.Key_Left):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(self._on_back)

    @override
    def show_model(self, text: str) -> None:
        if text == self._text and self._listing is not None and not self._is_stale:
            return
        self._text = text
        self.header.show_waiting(text)
        self.variants.clear()
        self.tabs.clear()
        self._look_up()

    @override
    def open_page(self) -> None:
        if not self._has_profiles:
            self._has_profiles = True
            self._bridge.submit("profiles", read_profiles, on_outcome=self._on_profiles)
        if self._is_stale and self._text:
            self._look_up()
        self.variants.try_again()

    @override
    def focus_content(self) -> None:
        if self._stack.currentWidget() is self.variants:
            self.variants.table.setFocus()
        elif self._stack.currentWidget() is self.tabs:
            self.tabs.focus_content()
        else:
            self.header.back.setFocus()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.header.tradeoffs.set_roomy(is_roomy=self.height() >= ROOM_FOR_TRADEOFFS)

    @override
    def set_machine(self, machine: Machine) -> None:
        machine = without_our_model(machine, self._machine, self._services.chats.loaded())
        if not decides_alike(machine, self._machine):
            self._machine = machine
            self.variants.set_machine(machine)

    def _look_up(self) -> None:
        if not self._text:
            self._on_back()
            return
        if self._task is not None:
            self._task.cancel()
        self._number += 1
        self._is_stale = False
        self._listing = None
        self._stack.setCurrentWidget(self._loading)
        work = look_up(self._services, self._text, self._number)
        self._task = self._bridge.submit("model", work, on_outcome=self._on_looked)

    def _on_looked(self, outcome: Outcome[Looked]) -> None:
        if isinstance(outcome, Failed):
            self._show_problem(outcome.error)
        if not isinstance(outcome, Succeeded) or outcome.value.number != self._number:
            return
        looked, self._task = outcome.value, None
        if looked.listing is None:
            self._show_problem(looked.problem)
            return
        self._listing, self._licenses = looked.listing, looked.licenses
        self.header.show_listing(looked.listing, looked.licenses)
        self.header.tabs.choose(ModelTab.VARIANTS)
        self.tabs.clear()
        self.tabs.show_listing(looked.listing, looked.licenses)
        if looked.listing.builds:
            self.variants.show_listing(looked.listing)
        self._show(ModelTab.VARIANTS)
        if self.isVisible():
            self.focus_content()

    def _show(self, tab: ModelTab) -> None:
        if self._listing is None:
            return
        if tab is not ModelTab.VARIANTS:
            self._stack.setCurrentWidget(self.tabs)
            self.tabs.show_tab(tab, self.variants.chosen_row, self.variants.reckoned)
        elif self._listing.builds:
            self._stack.setCurrentWidget(self.variants)
        else:
            self._show_no_builds(self._listing)

    def _on_tab(self, tab: ModelTab) -> None:
        self._show(tab)

    def _on_license_found(self, decision: Decision) -> None:
        if self._listing is not None:
            self.header.show_listing(self._listing, self._licenses, decision)

    def _on_back(self) -> None:
        self.place_requested.emit(Place.SHELF)

    def _on_profiles(self, outcome: Outcome[tuple[Machine, ...]]) -> None:
        if isinstance(outcome, Succeeded):
            self.variants.controls.machine.chooser.set_machines(outcome.value)

    def _on_policy_changed(self, state: PolicyState) -> None:
        """Its verdicts are those of another policy: looked up again when somebody looks."""
        self._is_stale = self._listing is not None
        self.tabs.obligations.set_policy(state.policy)

    def _on_library_changed(self, installed: tuple[InstalledModel, ...]) -> None:
        if self._listing is not None:
            self._listing = with_installed(self._listing, installed)
            self.variants.update_builds(lambda listing: with_installed(listing, installed))

    def _show_problem(self, problem: BaseException | None) -> None:
        text = error_text(problem) if problem is not None else ""
        details = error_details(problem) if isinstance(problem, OpenshelfError) else ""
        self._show_empty(self.tr("This model could not be looked up"), text, details)

    def _show_no_builds(self, listing: ModelListing) -> None:
        self.variants.clear()
        notes = self.variants.notes_of(listing)
        text = self.tr("No GGUF build of this model is known.")
        self._show_empty(self.tr("No variants"), f"{text} {notes}".strip(), "")

    def _show_nothing_chosen(self) -> None:
        text = self.tr("Choose a family on the Shelf, or paste the name of a model there.")
        self._show_empty(self.tr("No model is open"), text, "")
        self._set_button(self.tr("Open the Shelf"))

    def _show_empty(self, title: str, text: str, details: str) -> None:
        self.empty.title.setText(title)
        self.empty.text.setText(text)
        self.empty.text.setToolTip(details)
        self._set_button(self.tr("Try again"))
        self._stack.setCurrentWidget(self.empty)

    def _set_button(self, text: str) -> None:
        if self.empty.button is not None:
            self.empty.button.setText(text)
            self.empty.button.setAccessibleName(text)

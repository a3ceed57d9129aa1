"""The Policy screen: the organization's facts, its rules, what they allow, the acceptance log."""

from __future__ import annotations

import enum

from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.services import Services
from openshelf.ui.pages.policy_draft import DraftPanel
from openshelf.ui.pages.policy_log import LogPanel
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import PageHeader, SegmentedControl
from openshelf.ui.widgets.page import Page


class PolicyTab(enum.StrEnum):
    RULES = "rules"
    LOG = "log"


class PolicyPage(Page):
    """Two tabs; both look again at what may have changed when the page is opened."""

    def __init__(
        self, services: Services, bridge: TaskBridge, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Policy"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = PageHeader(self.tr("Policy"))
        tabs = [
            (PolicyTab.RULES, self.tr("Facts and rules")),
            (PolicyTab.LOG, self.tr("Acceptance log")),
        ]
        self.tabs: SegmentedControl[PolicyTab] = SegmentedControl(
            self.tr("Show"), tabs, PolicyTab.RULES
        )
        self.header.add_control(self.tabs)
        column.addWidget(self.header)
        self._stack = QStackedWidget()
        column.addWidget(self._stack, 1)
        self.draft = DraftPanel(services, bridge, self._stack)
        self.log = LogPanel(services, bridge, self._stack)
        self._stack.addWidget(self.draft)
        self._stack.addWidget(self.log)
        self.header.set_subtitle(self.draft.subtitle)
        self.tabs.value_changed.connect(self._on_tab)
        self.draft.told.connect(self.header.set_subtitle)
        self.draft.install_pressed.connect(self.install_requested)

    @override
    def open_page(self) -> None:
        self.draft.try_out()
        self.log.refresh()

    @override
    def focus_content(self) -> None:
        self.tabs.focus_chosen()

    @override
    def ask_about(self, target: str) -> None:
        self.show_tab(PolicyTab.RULES)
        self.draft.ask_about(target)

    def show_tab(self, tab: PolicyTab) -> None:
        self.tabs.choose(tab)
        self._on_tab(tab)

    def _on_tab(self, tab: PolicyTab) -> None:
        self._stack.setCurrentWidget(self.log if tab is PolicyTab.LOG else self.draft)

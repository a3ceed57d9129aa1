"""The hardware page: what was found, what the engine can use, what fits, and what would."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.errors import BadOverride
from openshelf.hardware.facts import Machine
from openshelf.hardware.overrides import Overrides, reset_overrides, with_overrides
from openshelf.hardware.profiles import find_machine
from openshelf.services import Services
from openshelf.tasks import Cancelled, Failed, Outcome, Succeeded, Task
from openshelf.ui.models.hardware_facts import (
    LongestContexts,
    MachineShelves,
    read_engine,
    read_longest,
    read_machine,
    read_profiles,
    read_shelves,
    report_text,
    typed_machine,
)
from openshelf.ui.models.hardware_values import entered_overrides
from openshelf.ui.models.machine_facts import decides_alike, with_engine_of, without_our_model
from openshelf.ui.models.settings_keeping import keep_settings
from openshelf.ui.pages.hardware_engine import EngineCard
from openshelf.ui.pages.hardware_fits import FitsCard, WhatIfCard
from openshelf.ui.pages.hardware_found import FoundCard
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.containers import PageHeader, ScrollPage
from openshelf.ui.widgets.machine_list import (
    MachineChoice,
    MachineList,
    choices_by_maker,
)
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.ui.widgets.page import Page

_FIRST_PROFILES = 2
"""So many are compared before anybody asks."""

ROOM_FOR_TWO = 950
"""Below this width the two cards stand one above the other."""


class HardwarePage(Page):
    """Shows the machine that the window detected; looks again when asked."""

    def __init__(
        self, services: Services, bridge: TaskBridge, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._services, self._bridge = services, bridge
        self._machine: Machine | None = None
        self._checked: Machine | None = None
        self._has_asked_engine = False
        self._profiles: tuple[Machine, ...] | None = None
        self._compared: list[Machine] = []
        self._other: Machine | None = None
        """The machine of *What fits*, where it is not this one."""
        self._context_length = services.settings.current.context_length
        self._number = 0
        self._task: Task | None = None
        self._is_looking = False
        self._build()
        self._connect()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = PageHeader(
            self.tr("Hardware"), self.tr("What was found, what the engine can use, and what fits")
        )
        self.look_button = Button(self.tr("Look again"), self.tr("Look at the hardware again"))
        self.copy_button = Button(self.tr("Copy report"))
        self.copy_button.setEnabled(False)
        self.header.add_control(self.look_button)
        self.header.add_control(self.copy_button)
        self._scroll = ScrollPage(spacing=14)
        self.notice = InlineNotice()
        self.found = FoundCard()
        self.engine = EngineCard(self._services, self._bridge)
        self.fits = FitsCard(self._context_length)
        self.what_if = WhatIfCard()
        pair = QWidget()
        self._pair = QBoxLayout(QBoxLayout.Direction.LeftToRight, pair)
        self._pair.setContentsMargins(0, 0, 0, 0)
        self._pair.setSpacing(14)
        self._pair.addWidget(self.found, 1, Qt.AlignmentFlag.AlignTop)
        self._pair.addWidget(self.fits, 1, Qt.AlignmentFlag.AlignTop)
        for part in (self.notice, pair, self.what_if, self.engine):
            self._scroll.body.addWidget(part)
        self._scroll.body.addStretch(1)
        column.addWidget(self.header)
        column.addWidget(self._scroll, 1)

    def _connect(self) -> None:
        self.look_button.clicked.connect(self.refresh)
        self.copy_button.clicked.connect(self._on_copy)
        self.notice.acted.connect(self.refresh)
        self.fits.context_changed.connect(self._on_context_changed)
        self.fits.choose_asked.connect(self._on_choose_fits)
        self.what_if.add_asked.connect(self._on_choose_compared)
        self.engine.changed.connect(self.refresh)
        self.found.builds_asked.connect(self._on_builds_asked)
        self.found.entered.connect(self._on_values_entered)
        self.found.reset.connect(self._on_value_reset)
        self.what_if.removed.connect(self._on_removed)

    @override
    def open_page(self) -> None:
        self.engine.open_card()
        if self._machine is None:
            self.refresh()
        elif self._machine.engine is None and not self._has_asked_engine:
            self._ask_engine(self._machine)
        if self._profiles is None:
            self._bridge.submit("profiles", read_profiles, on_outcome=self._on_profiles_read)
        elif self._machine is not None:
            self._ask()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= ROOM_FOR_TWO
        self._pair.setDirection(
            QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        )

    @override
    def set_machine(self, machine: Machine) -> None:
        if machine is self._machine:
            return
        self._machine = machine
        self.found.show_machine(machine)
        self.copy_button.setEnabled(True)
        loaded = self._services.chats.loaded()
        checked = without_our_model(machine, self._checked, loaded)
        if not decides_alike(checked, self._checked):
            self._checked = checked
            if self._profiles is not None and self.isVisible():
                self._ask()

    def refresh(self) -> None:
        """Detect the hardware again and ask the engine what it can use."""
        if self._is_looking:
            return
        self._is_looking = True
        self.look_button.setEnabled(False)
        self.header.set_subtitle(self.tr("Looking at the hardware…"))
        self._bridge.submit("hardware", read_machine(self._services), on_outcome=self._on_looked)

    def _ask_engine(self, machine: Machine) -> None:
        """Once; where it stays silent, its silence is a note, and *Look again* asks anew."""
        self._has_asked_engine = True
        work = read_engine(self._services, machine)
        self._bridge.submit("ask the engine", work, on_outcome=self._on_engine_asked)

    def _on_engine_asked(self, outcome: Outcome[Machine]) -> None:
        if isinstance(outcome, Succeeded) and self._machine is not None:
            # What is free may have been seen anew in the meantime.
            machine = with_engine_of(self._machine, outcome.value)
            self.machine_found.emit(machine)
            self.set_machine(machine)
        elif isinstance(outcome, Failed):
            self._show_error(outcome.error)

    def _on_looked(self, outcome: Outcome[Machine]) -> None:
        self._is_looking = False
        self.look_button.setEnabled(True)
        self.header.set_subtitle(self.tr("What was found, what the engine can use, and what fits"))
        match outcome:
            case Succeeded(machine):
                self.notice.hide()
                self.machine_found.emit(machine)
                self.set_machine(machine)
            case Failed(error):
                self._show_error(error)
            case Cancelled():
                pass

    def _on_profiles_read(self, outcome: Outcome[tuple[Machine, ...]]) -> None:
        match outcome:
            case Succeeded(profiles):
                self._profiles = profiles
                self._compared = list(profiles[:_FIRST_PROFILES])
            case Failed(error):
                self._profiles = ()
                self._show_error(error)
            case Cancelled():
                pass
        if self._machine is not None:
            self._ask()

    def _ask(self) -> None:
        """What fits on this machine and on the ones it is compared with; late answers are lost."""
        if self._checked is None:
            return
        if self._task is not None:
            self._task.cancel()
        self._number += 1
        machines = [self._checked, *self._compared]
        if self._other is not None:
            machines.append(self._other)
        self.what_if.show_machines(self._compared)
        self.fits.show_name("" if self._other is None else self._other.name)
        work = read_shelves(self._services, machines, self._context_length, self._number)
        self._task = self._bridge.submit("what fits", work, on_outcome=self._on_shelves_read)

    def _on_shelves_read(self, outcome: Outcome[MachineShelves]) -> None:
        match outcome:
            case Succeeded(answer):
                if answer.number == self._number:
                    fitting = answer.shelves[0 if self._other is None else -1]
                    self.fits.show_shelf(fitting)
                    self.what_if.show_shelves(answer.shelves[: len(self._compared) + 1])
                    work = read_longest(self._services, fitting, answer.number)
                    self._task = self._bridge.submit(
                        "longest context", work, on_outcome=self._on_longest_read
                    )
            case Failed(error):
                self._show_error(error)
            case Cancelled():
                pass

    def _on_longest_read(self, outcome: Outcome[LongestContexts]) -> None:
        if isinstance(outcome, Succeeded) and outcome.value.number == self._number:
            self.fits.show_longest(outcome.value.lengths)

    def _show_error(self, error: BaseException) -> None:
        self.notice.show_message(
            error_text(error),
            NoticeLevel.BAD,
            button=self.tr("Try again"),
            details=error_details(error),
        )

    def _on_context_changed(self, context_length: int) -> None:
        self._context_length = context_length
        self._ask()

    def _on_choose_compared(self) -> None:
        names = [machine.name for machine in self._compared]
        choices = [choice for choice in self._choices() if choice.name not in names]
        self._open_chooser(choices, self.what_if.add_button).chosen.connect(self.compare_with)

    def _on_choose_fits(self) -> None:
        this = self.tr("This machine")
        choices = [MachineChoice("", this, this), *self._choices()]
        self._open_chooser(choices, self.fits.machine_button).chosen.connect(self.show_fits_of)

    def _choices(self) -> list[MachineChoice]:
        return choices_by_maker(self._profiles or (), self.tr("Without a GPU"))

    def _open_chooser(self, choices: list[MachineChoice], anchor: QWidget) -> MachineList:
        chooser = MachineList(self, choices, typed_machine)
        chooser.open_below(anchor)
        return chooser

    def compare_with(self, name: str) -> None:
        """One more machine beside this one."""
        if name not in [machine.name for machine in self._compared]:
            self._compared.append(find_machine(name))
            self._ask()

    def show_fits_of(self, name: str) -> None:
        """What fits another machine; an empty name goes back to this one."""
        self._other = find_machine(name) if name else None
        self._ask()

    def _on_values_entered(self, part: str, texts: dict[str, str]) -> None:
        if self._machine is None:
            return
        before = self._services.settings.current.hardware
        try:
            overrides = entered_overrides(self._machine, before, part, texts)
        except BadOverride as error:
            if self.found.editor is not None:
                field = error.name.rpartition(".")[2]
                self.found.editor.show_problem(field, error_text(error))
            return
        self._keep(overrides)

    def _on_value_reset(self, part: str, field: str) -> None:
        overrides = self._services.settings.current.hardware
        self._keep(reset_overrides(overrides, part, field))

    def _keep(self, overrides: Overrides) -> None:
        """In force at once, and for every later look at the machine."""
        store = self._services.settings
        kept = {part: dict(values) for part, values in overrides.items()}
        settings = replace(store.current, hardware=kept)
        keep_settings(store, self._bridge, settings, self._on_written)
        self.found.close_editor()
        if self._machine is not None:
            machine = with_overrides(self._machine, store.current.hardware)
            self.machine_found.emit(machine)
            self.set_machine(machine)

    def _on_written(self, outcome: Outcome[None]) -> None:
        if isinstance(outcome, Failed):
            self._show_error(outcome.error)

    def _on_builds_asked(self) -> None:
        self._scroll.ensureWidgetVisible(self.engine)
        self.engine.add_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_removed(self, name: str) -> None:
        self._compared = [machine for machine in self._compared if machine.name != name]
        self._ask()

    def _on_copy(self) -> None:
        if self._machine is not None:
            QGuiApplication.clipboard().setText(report_text(self._machine))
            self.copy_button.setText(self.tr("Copied"))

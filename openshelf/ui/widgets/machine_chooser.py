"""A button that tells which machine is reckoned with, and opens the list of all others."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy
from typing_extensions import override

from openshelf.hardware.facts import Machine
from openshelf.hardware.profiles import find_machine
from openshelf.ui.models.hardware_facts import typed_machine
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.machine_list import MachineChoice, MachineList, choices_by_maker


class MachineChooser(Button):
    """`machine_chosen` carries a Machine, or None for the one that people sit at."""

    machine_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__("")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(120)
        self._machines: tuple[Machine, ...] = ()
        self._machine: Machine | None = None
        self.clicked.connect(self._on_clicked)
        self._show()

    @property
    def machine(self) -> Machine | None:
        return self._machine

    @property
    def popup(self) -> MachineList | None:
        """The list, while it is open."""
        return self.findChild(MachineList)

    def set_machines(self, machines: Sequence[Machine]) -> None:
        self._machines = tuple(machines)

    def choose(self, machine: Machine | None) -> None:
        """Show `machine` as chosen, without a signal."""
        self._machine = machine
        self._show()

    def _on_clicked(self) -> None:
        this = self.tr("This machine")
        others = choices_by_maker(self._machines, self.tr("Without a GPU"))
        popup = MachineList(self, [MachineChoice("", this, this), *others], typed_machine)
        popup.chosen.connect(self._on_chosen)
        popup.open_below(self)

    def _on_chosen(self, name: str) -> None:
        machine = find_machine(name) if name else None
        self.setFocus()
        if machine is not self._machine:
            self.choose(machine)
            self.machine_chosen.emit(machine)

    def _show(self) -> None:
        name = self._name
        self.setToolTip(name)
        self.setAccessibleName(self.tr("Machine: {name}").format(name=name))
        self._elide(name)

    @property
    def _name(self) -> str:
        return self.tr("This machine") if self._machine is None else self._machine.name

    def _elide(self, name: str) -> None:
        room = max(60, self.width() - 46)
        shown = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, room)
        self.setText(f"{shown.replace('&', '&&')} ▾")

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide(self._name)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(120, super().minimumSizeHint().height())

"""What every page of the window is: what it asks for, and what the window tells it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from openshelf.hardware.facts import Machine
from openshelf.ui.widgets.tab_order import order_tabs


class Page(QWidget):
    """A room of the window. Pages know services and bridge, never each other.

    They ask by signal and the main window acts: `chat_requested(installed_id)`,
    `install_requested(target: str)`, `model_requested(text)`, `place_requested(Place)`. Who looked
    at the hardware anew tells it by `machine_found(Machine)`.
    """

    chat_requested = Signal(str)
    install_requested = Signal(str)
    model_requested = Signal(str)
    """A model of the catalog by id or name, or a TARGET: show its variants."""
    place_requested = Signal(object)
    machine_found = Signal(object)
    memory_changed = Signal()
    """A model was loaded or is gone: what is free on the machine is not what it was."""
    keys_requested = Signal()
    """Show what the keyboard does."""
    first_painted = Signal()
    """What the page is for is on the screen for the first time."""

    def open_page(self) -> None:
        """The page has become the visible one: look again at what may have changed."""

    def focus_content(self) -> None:
        """Put the keyboard where most people start."""

    def set_machine(self, machine: Machine) -> None:
        """Hardware was detected, or detected anew."""

    def set_model(self, model_id: str) -> None:
        """Somebody asked to work with this installed model here."""

    def catch_up(self) -> None:
        """The window is shown and at rest: find out what takes its time."""

    def show_model(self, text: str) -> None:
        """Somebody asked for the variants of this model."""

    def ask_about(self, target: str) -> None:
        """Somebody wants to install this, and says first for whom."""

    @override
    def focusNextPrevChild(self, next: bool) -> bool:
        order_tabs(self)
        return super().focusNextPrevChild(next)

"""A short list of words that can be taken out and added to from a menu: licenses, classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.flow import FlowLayout


@dataclass(frozen=True)
class Entry:
    """`group` is the submenu that it stands in; "" for the menu itself."""

    value: str
    text: str
    group: str = ""


class EntryList(QWidget):
    """Emits `changed` when the person adds or removes; entries of `locked` cannot be removed."""

    changed = Signal()

    def __init__(self, name: str, add: str, choices: Sequence[Entry]) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._name = name
        self._texts = {entry.value: entry.text for entry in choices}
        self._values: tuple[str, ...] = ()
        self._locked: tuple[str, ...] = ()
        self._buttons: dict[str, Button] = {}
        self._flow = FlowLayout(self, spacing=6)
        self.add_button = _ListButton(add, f"{name}: {add}")
        self.add_button.setMenu(self._make_menu(choices))
        self._flow.addWidget(self.add_button)

    @property
    def values(self) -> tuple[str, ...]:
        """Without those that are locked."""
        return self._values

    def show_values(self, values: Sequence[str], locked: Sequence[str] = ()) -> None:
        self._locked = tuple(locked)
        self._values = tuple(value for value in values if value not in self._locked)
        self._show()

    def _make_menu(self, choices: Sequence[Entry]) -> QMenu:
        menu = QMenu(self)
        groups: dict[str, QMenu] = {}
        for entry in choices:
            if entry.group and entry.group not in groups:
                groups[entry.group] = menu.addMenu(entry.group.replace("&", "&&"))
            action = groups.get(entry.group, menu).addAction(entry.text.replace("&", "&&"))
            action.setData(entry.value)
        menu.triggered.connect(self._on_added)
        return menu

    def _show(self) -> None:
        for button in self._buttons.values():
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = {}
        self._flow.removeWidget(self.add_button)
        for value in (*self._locked, *self._values):
            self._buttons[value] = self._make_button(value)
            self._flow.addWidget(self._buttons[value])
        self._flow.addWidget(self.add_button)
        self.updateGeometry()

    def _make_button(self, value: str) -> Button:
        text = self._texts.get(value, value)
        is_locked = value in self._locked
        spoken = text if is_locked else self.tr("Remove {name}").format(name=text)
        button = _ListButton(text if is_locked else f"{text} ✕", f"{self._name}: {spoken}")
        button.setProperty("active", "false" if is_locked else "true")
        button.setProperty("value", value)
        button.setEnabled(not is_locked)
        button.clicked.connect(self._on_removed)
        return button

    def _on_removed(self) -> None:
        gone = str(self.sender().property("value"))
        self._values = tuple(value for value in self._values if value != gone)
        self._show()
        self.add_button.setFocus()
        self.changed.emit()

    def _on_added(self, action: QAction) -> None:
        value = str(action.data())
        if value not in (*self._values, *self._locked):
            self._values = (*self._values, value)
            self._show()
            self.changed.emit()


class _ListButton(Button):
    look = "filter"

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text.replace("&", "&&"), name)
        self.setFont(font(TextRole.CHIP))

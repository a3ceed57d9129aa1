"""Names to choose from, to save under and to delete: a quiet button with a menu and a line."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QMenu
from typing_extensions import override

from openshelf.ui.widgets.buttons import LinkButton

_MOST_NAME = 80


class PresetMenu(LinkButton):
    """`chosen` and `deleted` carry a name; `save_requested` when a name is to be given."""

    chosen = Signal(str)
    deleted = Signal(str)
    save_requested = Signal()

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text, name, muted=True, small=True)
        self._menu = QMenu(self)
        self.setMenu(self._menu)
        self._menu.triggered.connect(self._on_triggered)
        self.set_names(())

    def set_names(self, names: Sequence[str]) -> None:
        """What is saved now."""
        self._menu.clear()
        for name in names:
            self._add(self._menu, name, "choose", name)
        if not names:
            nothing = self._menu.addAction(self.tr("Nothing is saved yet"))
            nothing.setEnabled(False)
        self._menu.addSeparator()
        self._add(self._menu, self.tr("Save as…"), "save", "")
        if names:
            away = self._menu.addMenu(self.tr("Delete"))
            for name in names:
                self._add(away, name, "delete", name)

    def _add(self, menu: QMenu, words: str, what: str, name: str) -> None:
        # An & would become an underline, and hide itself.
        menu.addAction(words.replace("&", "&&")).setData((what, name))

    def _on_triggered(self, action: QAction) -> None:
        what, name = action.data()
        if what == "choose":
            self.chosen.emit(name)
        elif what == "delete":
            self.deleted.emit(name)
        else:
            self.save_requested.emit()


class NameEdit(QLineEdit):
    """Hidden until a name is asked for; `named` on Enter, gone on Esc."""

    named = Signal(str)

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self.setPlaceholderText(placeholder)
        self.setAccessibleName(placeholder)
        self.setMaxLength(_MOST_NAME)
        self.returnPressed.connect(self._on_return)
        self.hide()

    def ask(self) -> None:
        self.clear()
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_return(self) -> None:
        name = self.text().strip()
        if name:
            self.hide()
            self.named.emit(name)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

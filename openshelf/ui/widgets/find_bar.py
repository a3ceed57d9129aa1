"""The strip above a conversation in which words of it are looked for."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit
from typing_extensions import override

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.text import TextLabel


class FindEdit(QLineEdit):
    """Enter and Shift+Enter go on and back, Esc leaves."""

    stepped = Signal(int)
    left = Signal()

    @override
    def event(self, event: QEvent) -> bool:
        # Esc stops an answer elsewhere on the page; here it closes the strip.
        is_asked = event.type() == QEvent.Type.ShortcutOverride
        if is_asked and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            is_back = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.stepped.emit(-1 if is_back else 1)
        else:
            super().keyPressEvent(event)


class FindBar(QFrame):
    """`changed` with the words, `stepped` with 1 or -1, `left` when it is closed."""

    changed = Signal(str)
    stepped = Signal(int)
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "header")
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 6, 12, 6)
        row.setSpacing(8)
        self.edit = FindEdit()
        self.edit.setPlaceholderText(self.tr("Find in this chat…"))
        self.edit.setAccessibleName(self.tr("Find in this chat"))
        self.edit.setMaximumWidth(340)
        self.count = TextLabel("", TextRole.SMALL, "muted")
        self.back = LinkButton("↑", self.tr("The one before"), muted=True)
        self.back.setToolTip(self.tr("The one before (Shift+F3)"))
        self.forth = LinkButton("↓", self.tr("The next one"), muted=True)
        self.forth.setToolTip(self.tr("The next one (F3)"))
        self.close_button = LinkButton(self.tr("Close"), self.tr("Close the search"), muted=True)
        row.addWidget(self.edit, 1)
        for part in (self.count, self.back, self.forth):
            row.addWidget(part)
        row.addStretch(1)
        row.addWidget(self.close_button)
        self.hide()
        self.edit.textChanged.connect(self.changed)
        self.edit.stepped.connect(self.stepped)
        self.edit.left.connect(self.left)
        self.back.clicked.connect(self._on_back)
        self.forth.clicked.connect(self._on_forth)
        self.close_button.clicked.connect(self._on_close)

    def open(self) -> None:
        self.show()
        self.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.edit.selectAll()

    def show_count(self, at: int, count: int) -> None:
        """`at` counts from 0; negative where none is the current one."""
        if not self.edit.text():
            words = ""
        elif not count:
            words = self.tr("Nothing found")
        elif at < 0:
            words = self.tr("%n found", "", count)
        else:
            words = self.tr("{number} of {count}").format(number=at + 1, count=f"{count:,}")
        self.count.setText(words)
        self.count.setAccessibleName(words)
        for button in (self.back, self.forth):
            button.setEnabled(count > 0)

    def _on_back(self) -> None:
        self.stepped.emit(-1)

    def _on_forth(self) -> None:
        self.stepped.emit(1)

    def _on_close(self) -> None:
        self.left.emit()

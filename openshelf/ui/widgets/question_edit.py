"""A question asked in other words: Enter asks, Esc leaves it as it was."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import Button, PrimaryButton
from openshelf.ui.widgets.composer import MessageEdit
from openshelf.ui.widgets.text import TextLabel


class QuestionEdit(QFrame):
    """`submitted` carries the new words; `left` where nothing is asked."""

    submitted = Signal(str)
    left = Signal()

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(8)
        self.edit = MessageEdit()
        self.edit.setAccessibleName(self.tr("Edit the message"))
        self.edit.setPlainText(text)
        self.edit.moveCursor(QTextCursor.MoveOperation.End)
        hint = TextLabel(self.tr("The first version is kept"), TextRole.TINY, "faint")
        self.cancel_button = Button(self.tr("Cancel"))
        self.ask_button = PrimaryButton(self.tr("Ask"), self.tr("Ask in these words"))
        row = QHBoxLayout()
        row.addWidget(hint)
        row.addStretch(1)
        row.addWidget(self.cancel_button)
        row.addWidget(self.ask_button)
        column.addWidget(self.edit)
        column.addLayout(row)
        self.edit.submitted.connect(self._on_submitted)
        self.edit.escaped.connect(self._on_left)
        self.edit.textChanged.connect(self._on_text_changed)
        self.ask_button.clicked.connect(self._on_submitted)
        self.cancel_button.clicked.connect(self._on_left)

    def take_focus(self) -> None:
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_text_changed(self) -> None:
        self.ask_button.setEnabled(bool(self.edit.toPlainText().strip()))

    def _on_submitted(self) -> None:
        text = self.edit.toPlainText().strip()
        if text:
            self.submitted.emit(text)

    def _on_left(self) -> None:
        self.left.emit()

"""A question with its answer at the right, or below it where there is no room for both."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.text import TextLabel

_ROOM_FOR_WORDS = 176


class AnswerRow(QWidget):
    """`words` is the column of the question and its hint; more labels can be put below them."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__()
        self._control: QWidget | None = None
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 4, 0, 4)
        self._row.setSpacing(14)
        self.words = QVBoxLayout()
        self.words.setSpacing(1)
        self.words.addWidget(TextLabel(text, TextRole.BODY, wrap=True))
        if hint:
            self.words.addWidget(TextLabel(hint, TextRole.TINY, "faint", wrap=True))
        self._row.addLayout(self.words, 1)

    def put_control(self, control: QWidget) -> None:
        self._control = control
        self._row.addWidget(control, 0, Qt.AlignmentFlag.AlignTop)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._control is None:
            return
        room = self.width() - self._control.sizeHint().width() - 14
        is_narrow = room < _ROOM_FOR_WORDS
        wanted = QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
        if self._row.direction() != wanted:
            self._row.setDirection(wanted)
            self._row.setSpacing(4 if is_narrow else 14)

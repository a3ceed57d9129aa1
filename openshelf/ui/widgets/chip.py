"""Chips: a word on a soft ground. The word carries the meaning, the color only repeats it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy
from typing_extensions import override

from openshelf.ui.models.plain_text import plain_tooltip
from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.text import set_property

_SIDE = 8


class Chip(QLabel):
    """A short plain text in one of five kinds; grows with its text and never with its layout.

    Where there is no room for the words they end in …, and stand in the tooltip.
    """

    def __init__(self, text: str = "", kind: ChipKind = ChipKind.NEUTRAL) -> None:
        super().__init__()
        self._words = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(font(TextRole.CHIP))
        self.setProperty("chip", kind.value)
        # The border makes QLabel indent its text by itself, and that cuts off the last letter.
        self.setIndent(0)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self.set_words(text)

    @property
    def words(self) -> str:
        """The whole text, also where only its beginning is shown."""
        return self._words

    @property
    def is_elided(self) -> bool:
        return self.text() != self._words

    def set_words(self, text: str) -> None:
        self._words = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self._elide()

    def show_as(self, text: str, kind: ChipKind) -> None:
        self.set_words(text)
        set_property(self, "chip", kind.value)

    @override
    def setToolTip(self, text: str, /) -> None:
        super().setToolTip(plain_tooltip(text))

    @override
    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._words) + 2 * _SIDE, metrics.height() + 4)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(min(48, self.sizeHint().width()), self.sizeHint().height())

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room = max(self.width() - 2 * _SIDE, 0) + 1
        mode = Qt.TextElideMode.ElideRight
        shown = self.fontMetrics().elidedText(self._words, mode, room)
        if shown != self.text():
            super().setText(shown)
        if shown != self._words:
            self.setToolTip(self._words)


class Badge(Chip):
    """A number in the rail, hidden while empty."""

    def __init__(self) -> None:
        super().__init__("", ChipKind.ACCENT)
        self.hide()

    def show_text(self, text: str) -> None:
        self.set_words(text)
        self.setVisible(bool(text))

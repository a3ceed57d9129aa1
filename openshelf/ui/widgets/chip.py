"""Chips: a word on a soft ground. The word carries the meaning, the color only repeats it."""

from __future__ import annotations

import enum

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy

from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets.text import set_property


class ChipKind(enum.StrEnum):
    NEUTRAL = "neutral"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    ACCENT = "accent"


class Chip(QLabel):
    """A short plain text in one of five kinds; grows with its text and never with its layout."""

    def __init__(self, text: str = "", kind: ChipKind = ChipKind.NEUTRAL) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(font(TextRole.CHIP))
        self.setProperty("chip", kind.value)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)

    def show_as(self, text: str, kind: ChipKind) -> None:
        self.setText(text)
        set_property(self, "chip", kind.value)


class Badge(Chip):
    """A number in the rail, hidden while empty."""

    def __init__(self) -> None:
        super().__init__("", ChipKind.ACCENT)
        self.hide()

    def show_text(self, text: str) -> None:
        self.setText(text)
        self.setVisible(bool(text))

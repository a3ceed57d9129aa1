"""What stands on the Model screen while there is no table: its outline, or why there is none."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.ui.theme import scheme
from openshelf.ui.widgets import PAGE_MARGIN, Card

_ROW = 46


class TableOutline(Card):
    """The shape of rows before there is anything to say."""

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(scheme.color("skeleton"))
        width = float(self.width())
        for row in range((self.height() - 16) // _ROW):
            top = 16 + row * _ROW
            for left, share in (
                (0.015, 0.09), (0.2, 0.04), (0.27, 0.06), (0.36, 0.17), (0.57, 0.06),
                (0.66, 0.06), (0.75, 0.08), (0.9, 0.07),
            ):  # fmt: skip
                painter.drawRoundedRect(QRectF(width * left, top + 12, width * share, 12), 5, 5)


class LoadingPanel(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Looking up variants…"))
        column = QVBoxLayout(self)
        column.setContentsMargins(PAGE_MARGIN, 18, PAGE_MARGIN, 18)
        column.setSpacing(14)
        controls = Card()
        controls.setFixedHeight(98)
        column.addWidget(controls)
        column.addWidget(TableOutline(), 1)

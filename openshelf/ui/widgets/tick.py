"""A check box painted in our own colors, so that its mark can be seen in every scheme."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QCheckBox, QSizePolicy
from typing_extensions import override

from openshelf.ui.theme import scheme
from openshelf.ui.theme.fonts import TextRole, font

_BOX = 16
_GAP = 9


class TickBox(QCheckBox):
    """Text is shown as it is, without mnemonics, and breaks into lines where it must."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._words = text
        self.setFont(font(TextRole.BODY))
        self.setAccessibleName(text)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    @override
    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self._words) + _BOX + _GAP + 4
        return QSize(width, max(22, self.fontMetrics().height() + 4))

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(90, self.sizeHint().height())

    @override
    def hasHeightForWidth(self) -> bool:
        return True

    @override
    def heightForWidth(self, width: int) -> int:
        return max(22, round(self._text_area(width).height()) + 4)

    @override
    def hitButton(self, pos: object) -> bool:
        return True

    def _text_area(self, width: int) -> QRectF:
        room = QRectF(0, 0, max(40, width - _BOX - _GAP - 2), 10_000)
        bounds = self.fontMetrics().boundingRect(
            room.toRect(), int(Qt.TextFlag.TextWordWrap), self._words
        )
        return QRectF(bounds)

    def _focus_area(self, area: QRectF) -> QRectF:
        """Around the words alone, however wide the box is."""
        words = self._text_area(self.width())
        left = area.left() - 3
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            left = area.right() - words.width() - 3
        return QRectF(left, 1.5, words.width() + 7, self.height() - 3)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        x = self.width() - _BOX - 1.5 if is_mirrored else 1.5
        box = QRectF(x, 3.5, _BOX - 1, _BOX - 1)
        is_on = self.isChecked()
        fill = "accent" if is_on else "surface"
        edge = "accent" if is_on or self.hasFocus() else "faint"
        if not self.isEnabled():
            fill, edge = ("faint" if is_on else "sunken"), "control_line"
        painter.setPen(QPen(scheme.color(edge), 2 if self.hasFocus() else 1.2))
        painter.setBrush(scheme.color(fill))
        painter.drawRoundedRect(box, 4, 4)
        if is_on:
            mark = QPen(scheme.color("on_accent"), 2)
            mark.setCapStyle(Qt.PenCapStyle.RoundCap)
            mark.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            painter.setPen(mark)
            points = [QPointF(3.5, 8), QPointF(6.5, 11), QPointF(11.5, 4.8)]
            painter.drawPolyline(QPolygonF([box.topLeft() + point for point in points]))
        painter.setPen(scheme.color("ink" if self.isEnabled() else "faint"))
        left = 0 if is_mirrored else _BOX + _GAP
        area = QRectF(left, 2, self.width() - _BOX - _GAP, self.height() - 2)
        side = Qt.AlignmentFlag.AlignRight if is_mirrored else Qt.AlignmentFlag.AlignLeft
        painter.drawText(area, int(Qt.TextFlag.TextWordWrap) | int(side.value), self._words)
        if self.hasFocus():
            painter.setPen(QPen(scheme.color("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self._focus_area(area), 4, 4)

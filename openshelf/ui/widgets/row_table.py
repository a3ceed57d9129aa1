"""A table whose rows are chosen as a whole: painted by a delegate, scrolled by the pixel."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QAbstractItemModel, QPointF, QRect, Qt
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QFrame, QHeaderView, QStyledItemDelegate, QTableView, QWidget
from typing_extensions import override

from openshelf.ui.theme import color
from openshelf.ui.widgets.build_cells import bottom_line


@dataclass(frozen=True)
class TableLook:
    """What paints the column names and the cells; `row_height` in pixels."""

    header: QHeaderView
    delegate: QStyledItemDelegate
    row_height: int


class RowHeader(QHeaderView):
    """Column names, small and muted, that sort; `height` in pixels."""

    def __init__(self, parent: QWidget, height: int) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSectionsClickable(True)
        self.setSortIndicatorShown(True)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setFixedHeight(height)
        self.setAccessibleName(self.tr("Columns"))

    def text_of(self, column: int) -> str:
        model: QAbstractItemModel = self.model()
        return str(model.headerData(column, Qt.Orientation.Horizontal) or "")

    def paint_ground(self, painter: QPainter, rect: QRect) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(rect, color("surface"))
        painter.fillRect(bottom_line(rect), color("line"))

    def paint_arrow(self, painter: QPainter, middle: QPointF) -> None:
        """Up where the smallest is first."""
        up = -1 if self.sortIndicatorOrder() is Qt.SortOrder.AscendingOrder else 1
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("muted"))
        corners = [middle + QPointF(-3, -up * 1.5), middle + QPointF(3, -up * 1.5)]
        painter.drawPolygon(QPolygonF([*corners, middle + QPointF(0, up * 2.5)]))


class RowTable(QTableView):
    """Without a grid, row numbers, or a scroll bar below it; Tab leaves it."""

    def dress(self, name: str, model: QAbstractItemModel, look: TableLook) -> None:
        """`name` is what a screen reader says."""
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setHorizontalHeader(look.header)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(look.row_height)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setModel(model)
        self.setItemDelegate(look.delegate)
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        """The keyboard is somewhere: on the first row where none was chosen."""
        super().focusInEvent(event)
        self.viewport().update()
        by_keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if event.reason() in by_keys and not self.currentIndex().isValid():
            self.setCurrentIndex(self.model().index(0, 0))

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        """A frame around the chosen row while the keyboard is here."""
        super().paintEvent(event)
        if self.hasFocus() and self.currentIndex().isValid():
            row = self.visualRect(self.currentIndex())
            painter = QPainter(self.viewport())
            painter.setPen(color("accent"))
            painter.drawRect(QRect(0, row.top(), self.viewport().width() - 1, row.height() - 1))
            painter.end()

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

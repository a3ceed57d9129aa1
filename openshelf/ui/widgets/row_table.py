"""A table whose rows are chosen as a whole: painted by a delegate, scrolled by the pixel."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtWidgets import QFrame, QHeaderView, QStyledItemDelegate, QTableView


@dataclass(frozen=True)
class TableLook:
    """What paints the column names and the cells; `row_height` in pixels."""

    header: QHeaderView
    delegate: QStyledItemDelegate
    row_height: int


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

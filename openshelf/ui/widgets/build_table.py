"""The table of a model's builds: columns that fit the width, a header that sorts, keys."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QWidget
from typing_extensions import override

from openshelf.ui.models.model_table import NUMBERS, BuildColumn, BuildTableModel, ShownBuild
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.ui.theme import TextRole, font
from openshelf.ui.widgets.build_cells import (
    NARROW,
    ROW_HEIGHT,
    WIDEST_BAR,
    BuildDelegate,
    draw_text,
    padding_in,
)
from openshelf.ui.widgets.row_table import RowHeader, RowTable, TableLook

HEADER_HEIGHT = 34
_WIDTHS = {
    BuildColumn.BITS: 54,
    BuildColumn.SIZE: 86,
    BuildColumn.SPEED: 114,
    BuildColumn.QUALITY: 108,
    BuildColumn.PACKAGER: 132,
    BuildColumn.DOWNLOADS: 94,
    BuildColumn.FIT: 116,
}
_WIDTHS_NARROW = {
    BuildColumn.BITS: 44,
    BuildColumn.SIZE: 84,
    BuildColumn.SPEED: 102,
    BuildColumn.QUALITY: 100,
    BuildColumn.PACKAGER: 90,
    BuildColumn.FIT: 96,
}
"""Pixels; the first column and the bar share what is left. Where it is narrow, no downloads."""
_BAR_SHARE = 0.46


class BuildHeader(RowHeader):
    """Column names, small and muted, with an arrow where the table is sorted."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, HEADER_HEIGHT)

    @override
    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:
        painter.save()
        self.paint_ground(painter, rect)
        text = self.text_of(logicalIndex)
        is_number = BuildColumn(logicalIndex) in NUMBERS
        side = Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag(0)
        padding = padding_in(self.parent())
        room = rect.adjusted(padding, 0, -padding, 0)
        is_sorted = self.sortIndicatorSection() == logicalIndex
        style = font(TextRole.CHIP)
        draw_text(painter, room, text, style, "ink" if is_sorted else "muted", side)
        if is_sorted:
            width = QFontMetrics(style).horizontalAdvance(text)
            self.paint_arrow(painter, self._beside(room, width, at_right=is_number))
        painter.restore()

    def _beside(self, room: QRect, width: int, *, at_right: bool) -> QPointF:
        """Where the arrow has its middle, beside a name so wide."""
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        if at_right:
            x = room.right() + 6 if not is_mirrored else room.left() - 6
        else:
            x = room.left() + width + 8 if not is_mirrored else room.right() - width - 8
        return QPointF(x, room.center().y() + 1)


class BuildTableView(RowTable):
    """`row_chosen(target)` when the selection moves; `row_opened(target)` on Enter."""

    row_chosen = Signal(str)
    row_opened = Signal(str)

    def __init__(self, model: BuildTableModel) -> None:
        super().__init__()
        look = TableLook(BuildHeader(self), BuildDelegate(self), ROW_HEIGHT)
        self.dress(self.tr("Variants"), model, look)
        self.sortByColumn(BuildColumn.SIZE, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)
        self.setMinimumHeight(HEADER_HEIGHT + 3 * ROW_HEIGHT)
        self.selectionModel().currentRowChanged.connect(self._on_current_changed)

    @property
    def chosen(self) -> ShownBuild | None:
        shown = self.currentIndex().data(ROW_ROLE)
        return shown if isinstance(shown, ShownBuild) else None

    def choose(self, target: str) -> None:
        """Select the row of `target` and bring it into view."""
        model = self.model()
        at = model.position(target) if isinstance(model, BuildTableModel) else None
        if at is not None:
            self.setCurrentIndex(model.index(at, 0))
            hint = QAbstractItemView.ScrollHint.EnsureVisible
            self.scrollTo(model.index(at, 0), hint)

    def _on_current_changed(self, current: Index, before: Index) -> None:
        shown = current.data(ROW_ROLE)
        if isinstance(shown, ShownBuild):
            self.row_chosen.emit(shown.target)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        shown = self.chosen
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and shown is not None:
            self.row_opened.emit(shown.target)
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)

    @override
    def sizeHint(self) -> QSize:
        rows = self.model().rowCount() if self.model() is not None else 0
        return QSize(760, HEADER_HEIGHT + max(3, rows) * ROW_HEIGHT + 2)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_widths()
        current = self.currentIndex()
        was_seen = 0 <= self.visualRect(current).top() < event.oldSize().height()
        if current.isValid() and was_seen:
            self.scrollTo(current, QAbstractItemView.ScrollHint.EnsureVisible)

    def _set_widths(self) -> None:
        room = self.viewport().width()
        widths = _WIDTHS_NARROW if self.width() < NARROW else _WIDTHS
        self.setColumnHidden(BuildColumn.DOWNLOADS, BuildColumn.DOWNLOADS not in widths)
        rest = room - sum(widths.values())
        bar = min(WIDEST_BAR + 20, round(rest * _BAR_SHARE) if rest > 300 else rest // 2 - 4)
        header = self.horizontalHeader()
        for column, width in widths.items():
            header.resizeSection(column, width)
        header.resizeSection(BuildColumn.MEMORY, bar)
        header.resizeSection(BuildColumn.VARIANT, rest - bar)

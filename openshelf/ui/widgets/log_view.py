"""The table of the acceptance log: plain cells, keys, one row chosen."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)
from typing_extensions import override

from openshelf.ui.models.log_table import LogColumn, LogTableModel
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.ui.theme import TextRole, color, font
from openshelf.ui.widgets.build_cells import bottom_line, draw_text, paint_ground
from openshelf.ui.widgets.row_table import RowTable, TableLook

ROW_HEIGHT, HEADER_HEIGHT = 34, 32
_SHARES = {
    LogColumn.WHEN: 10,
    LogColumn.WHO: 17,
    LogColumn.MODEL: 34,
    LogColumn.LICENSES: 17,
    LogColumn.VERDICT: 22,
}
_SHARES_NARROW = {
    LogColumn.WHEN: 16,
    LogColumn.WHO: 23,
    LogColumn.MODEL: 34,
    LogColumn.VERDICT: 27,
}
"""Of the width, in percent. Where it is narrow, the licenses stand only in the record."""
_NARROW = 560


class LogHeader(QHeaderView):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setFixedHeight(HEADER_HEIGHT)
        self.setAccessibleName(self.tr("Columns"))

    @override
    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:
        painter.save()
        painter.fillRect(rect, color("surface"))
        painter.fillRect(bottom_line(rect), color("line"))
        text = str(self.model().headerData(logicalIndex, Qt.Orientation.Horizontal) or "")
        draw_text(painter, rect.adjusted(8, 0, -8, 0), text, font(TextRole.CHIP), "muted")
        painter.restore()


class LogDelegate(QStyledItemDelegate):
    @override
    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        area: QRect = option.rect
        state: QStyle.StateFlag = option.state
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        paint_ground(painter, option, self.parent(), is_first=index.column() == 0)
        tone = "ink" if index.column() in (LogColumn.WHO, LogColumn.MODEL) else "muted"
        if is_chosen:
            tone = "ink"
        painter.setLayoutDirection(option.direction)
        text = str(index.data() or "")
        draw_text(painter, area.adjusted(8, 0, -8, 0), text, font(TextRole.SMALL), tone)
        painter.restore()


class LogView(RowTable):
    """`record_chosen(record)` when the selection moves."""

    record_chosen = Signal(object)

    def __init__(self, model: LogTableModel) -> None:
        super().__init__()
        look = TableLook(LogHeader(self), LogDelegate(self), ROW_HEIGHT)
        self.dress(self.tr("Acceptances"), model, look)
        self.selectionModel().currentRowChanged.connect(self._on_current_changed)

    def choose_first(self) -> None:
        self.setCurrentIndex(self.model().index(0, 0))

    def _on_current_changed(self, current: Index, before: Index) -> None:
        self.record_chosen.emit(current.data(ROW_ROLE) if current.isValid() else None)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)

    @override
    def sizeHint(self) -> QSize:
        return QSize(640, HEADER_HEIGHT + 8 * ROW_HEIGHT)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        room, header = self.viewport().width(), self.horizontalHeader()
        is_narrow = room < _NARROW
        self.setColumnHidden(LogColumn.LICENSES, is_narrow)
        shares = _SHARES_NARROW if is_narrow else _SHARES
        left = room
        for column, share in shares.items():
            width = left if column is LogColumn.VERDICT else room * share // 100
            header.resizeSection(column, width)
            left -= width

"""The view of the installed models: columns that fit the width, a header that sorts, keys."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QWidget
from typing_extensions import override

from openshelf.library.installed import InstalledModel
from openshelf.ui.models.installed_table import (
    NUMBERS,
    SORTED,
    InstalledColumn,
    InstalledTableModel,
)
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.ui.theme import TextRole, font
from openshelf.ui.widgets.build_cells import draw_text
from openshelf.ui.widgets.installed_cells import PADDING, ROW_HEIGHT, InstalledDelegate
from openshelf.ui.widgets.row_table import RowHeader, RowTable, TableLook

HEADER_HEIGHT = 30
_WIDTHS = {
    InstalledColumn.QUANT: 96,
    InstalledColumn.SIZE: 78,
    InstalledColumn.USED: 84,
    InstalledColumn.SPEED: 86,
    InstalledColumn.NOTE: 138,
    InstalledColumn.ACTION: 58,
    InstalledColumn.MORE: 34,
}
_SHARES = {
    InstalledColumn.MODEL: 10,
    InstalledColumn.LICENSE: 8,
    InstalledColumn.INTEGRITY: 7,
}
"""Pixels; the rest of the width is shared."""
_NARROW, _WIDE = 860, 1180
"""Below the first width notes stand behind the names; below the second the last use is left out."""
_PRESSED = (InstalledColumn.ACTION, InstalledColumn.MORE)


class InstalledHeader(RowHeader):
    """Column names, small and muted; an arrow where somebody sorted."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, HEADER_HEIGHT)

    @override
    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:
        text = self.text_of(logicalIndex)
        column = InstalledColumn(logicalIndex)
        is_sorted = self.sortIndicatorSection() == logicalIndex and column in SORTED
        side = Qt.AlignmentFlag.AlignRight if column in NUMBERS else Qt.AlignmentFlag(0)
        painter.save()
        self.paint_ground(painter, rect)
        room = rect.adjusted(PADDING, 0, -PADDING, 0)
        draw_text(painter, room, text, font(TextRole.CHIP), "ink" if is_sorted else "muted", side)
        if is_sorted:
            # Above the middle, where no column's name is in its way.
            self.paint_arrow(painter, QPointF(rect.center().x(), rect.top() + 4))
        painter.restore()


class InstalledView(RowTable):
    """Signals carry the model's id; `menu_asked` also where its menu is to open."""

    acted = Signal(str)
    news_pressed = Signal(str)
    menu_asked = Signal(str, QPoint)
    removal_asked = Signal(str)

    def __init__(self, model: InstalledTableModel) -> None:
        super().__init__()
        self._limit = 16 * ROW_HEIGHT
        look = TableLook(InstalledHeader(self), InstalledDelegate(self), ROW_HEIGHT)
        self.dress(self.tr("Installed models"), model, look)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.clicked.connect(self._on_clicked)
        self.doubleClicked.connect(self._on_double_clicked)
        for changed in (model.modelReset, model.rowsInserted, model.rowsRemoved):
            changed.connect(self._fit_height)

    @property
    def chosen(self) -> InstalledModel | None:
        shown = self.currentIndex().data(ROW_ROLE)
        return shown if isinstance(shown, InstalledModel) else None

    def choose(self, model_id: str) -> None:
        """Select the row of a model and bring it into view."""
        model = self.model()
        at = model.position(model_id) if isinstance(model, InstalledTableModel) else None
        if at is not None:
            self.setCurrentIndex(model.index(at, 0))
            self.scrollTo(model.index(at, 0), QAbstractItemView.ScrollHint.EnsureVisible)

    def set_limit(self, pixels: int) -> None:
        """The height beyond which it scrolls by itself."""
        self._limit = max(HEADER_HEIGHT + 3 * ROW_HEIGHT, pixels)
        self._fit_height()

    def _fit_height(self) -> None:
        rows = self.model().rowCount()
        self.setFixedHeight(min(HEADER_HEIGHT + rows * ROW_HEIGHT + 1, self._limit))

    @override
    def sizeHint(self) -> QSize:
        return QSize(760, self.height())

    def _on_clicked(self, index: Index) -> None:
        shown = index.data(ROW_ROLE)
        if not isinstance(shown, InstalledModel):
            return
        if index.column() == InstalledColumn.ACTION:
            self.acted.emit(shown.id)
        elif index.column() == InstalledColumn.NOTE and shown.news:
            self.news_pressed.emit(shown.id)
        elif index.column() == InstalledColumn.MORE:
            self.open_menu()

    def _on_double_clicked(self, index: Index) -> None:
        shown = index.data(ROW_ROLE)
        if isinstance(shown, InstalledModel) and index.column() not in _PRESSED:
            self.acted.emit(shown.id)

    def open_menu(self) -> None:
        """The menu of the chosen row, below its dots."""
        chosen = self.chosen
        if chosen is not None:
            place = self.currentIndex().siblingAtColumn(InstalledColumn.MORE)
            corner = self.viewport().mapToGlobal(self.visualRect(place).bottomLeft())
            self.menu_asked.emit(chosen.id, corner)

    @override
    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() is QContextMenuEvent.Reason.Mouse:
            index = self.indexAt(self.viewport().mapFromGlobal(event.globalPos()))
            if index.isValid():
                self.setCurrentIndex(index)
        self.open_menu()
        event.accept()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        chosen = self.chosen
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and chosen is not None:
            self.acted.emit(chosen.id)
        elif event.key() == Qt.Key.Key_Delete and chosen is not None:
            self.removal_asked.emit(chosen.id)
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        index = self.indexAt(event.position().toPoint())
        shown = index.data(ROW_ROLE)
        has_news = isinstance(shown, InstalledModel) and bool(shown.news)
        is_note = index.column() == InstalledColumn.NOTE
        is_pressed = index.column() in _PRESSED or (is_note and has_news)
        shape = Qt.CursorShape.PointingHandCursor if is_pressed else Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setColumnHidden(InstalledColumn.USED, self.width() < _WIDE)
        self.setColumnHidden(InstalledColumn.NOTE, self.width() < _NARROW)
        header = self.horizontalHeader()
        fixed = {c: w for c, w in _WIDTHS.items() if not self.isColumnHidden(c)}
        rest = max(0, self.viewport().width() - sum(fixed.values()))
        for column, width in fixed.items():
            header.resizeSection(column, width)
        for column, share in _SHARES.items():
            header.resizeSection(column, rest * share // sum(_SHARES.values()))

"""The table of a model's builds: bars with the parts of memory, and how sure the figures are."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QObject,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QFont,
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QPainter,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolTip,
    QWidget,
)
from typing_extensions import override

from openshelf.ui.models.model_table import NUMBERS, BuildColumn, BuildTableModel, ShownBuild
from openshelf.ui.models.model_words import UNKNOWN, Basis, basis_of
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.ui.theme import TextRole, color, font
from openshelf.ui.widgets.bars import FitParts, describe_parts, paint_segments

ROW_HEIGHT = 46
HEADER_HEIGHT = 34
_PADDING, _PADDING_NARROW = 10, 6
_NARROW = 900
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
    BuildColumn.SIZE: 74,
    BuildColumn.SPEED: 102,
    BuildColumn.QUALITY: 100,
    BuildColumn.PACKAGER: 92,
    BuildColumn.FIT: 96,
}
"""Pixels; the first column and the bar share what is left. Where it is narrow, no downloads."""
_BAR_SHARE = 0.46
_WIDEST_BAR = 240


def padding_in(view: QObject | None) -> int:
    """Pixels at both sides of a cell of this table."""
    is_narrow = isinstance(view, QWidget) and view.width() < _NARROW
    return _PADDING_NARROW if is_narrow else _PADDING


class BuildDelegate(QStyledItemDelegate):
    """Paints one cell; what a color says stands beside it as a word or is a shape."""

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(60, ROW_HEIGHT)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        shown, column = index.data(ROW_ROLE), BuildColumn(index.column())
        if not isinstance(shown, ShownBuild):
            return
        area: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, option, column)
        padding = padding_in(self.parent())
        room = area.adjusted(padding, 0, -padding, 0)
        is_mirrored = bool(option.direction == Qt.LayoutDirection.RightToLeft)
        text = str(index.data() or "")
        match column:
            case BuildColumn.VARIANT:
                self._paint_variant(painter, room, text, shown)
            case BuildColumn.MEMORY:
                _paint_memory(painter, room, text, shown, is_mirrored=is_mirrored)
            case BuildColumn.FIT:
                is_selected = bool(state & QStyle.StateFlag.State_Selected)
                _paint_basis(painter, room, text, shown, is_selected=is_selected)
            case _:
                tone = "faint" if text == UNKNOWN else "ink"
                side = Qt.AlignmentFlag.AlignRight if column in NUMBERS else Qt.AlignmentFlag(0)
                style = font(TextRole.BODY, tabular=True)
                _draw(painter, room, text, style, tone, side)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, option: QStyleOptionViewItem, column: BuildColumn
    ) -> None:
        area: QRect = option.rect
        state: QStyle.StateFlag = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, color("accent_soft"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, color("background"))
        painter.fillRect(_bottom_line(area), color("line"))
        view = self.parent()
        has_focus = isinstance(view, QWidget) and view.hasFocus()
        is_selected = bool(state & QStyle.StateFlag.State_Selected)
        if has_focus and is_selected and column is BuildColumn.VARIANT:
            # The bar at the edge tells that the arrow keys work here.
            is_mirrored = bool(option.direction == Qt.LayoutDirection.RightToLeft)
            x = area.right() - 2 if is_mirrored else area.left()
            painter.fillRect(QRect(x, area.top(), 3, area.height()), color("accent"))

    def _paint_variant(self, painter: QPainter, room: QRect, text: str, shown: ShownBuild) -> None:
        notes = [self.tr("Recommended")] if shown.is_recommended else []
        if shown.row.build.installed_id is not None:
            notes.append(self.tr("Installed"))
        elif shown.row.build.is_local:
            notes.append(self.tr("On this machine"))
        note = " · ".join(notes)
        style, small = font(TextRole.CODE), font(TextRole.CHIP)
        width = QFontMetrics(style).horizontalAdvance(text) + 14
        if not note:
            _draw(painter, room, text, style, "ink")
        elif width + QFontMetrics(small).horizontalAdvance(note) <= room.width():
            is_mirrored = painter.layoutDirection() == Qt.LayoutDirection.RightToLeft
            _draw(painter, room, text, style, "ink")
            rest = room.adjusted(0, 0, -width, 0) if is_mirrored else room.adjusted(width, 0, 0, 0)
            _draw(painter, rest, note, small, "accent")
        else:
            middle = room.center().y()
            _draw(painter, QRect(room.left(), middle - 18, room.width(), 18), text, style, "ink")
            below = QRect(room.left(), middle, room.width(), 18)
            _draw(painter, below, note, small, "accent")

    @override
    def helpEvent(
        self,
        event: QHelpEvent,
        view: QAbstractItemView,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:
        """The parts of memory are the bar's own words, as on the Shelf."""
        shown = index.data(ROW_ROLE) if index.column() == BuildColumn.MEMORY else None
        if event.type() != QEvent.Type.ToolTip or not isinstance(shown, ShownBuild):
            return bool(super().helpEvent(event, view, option, index))
        fit = shown.row.fit
        text = describe_parts(FitParts.of(fit)) if fit is not None and fit.devices else ""
        QToolTip.showText(event.globalPos(), text, view)
        return True


def _bottom_line(area: QRect) -> QRect:
    """One whole pixel: a line would be smeared over two."""
    return QRect(area.left(), area.bottom(), area.width(), 1)


def _draw(
    painter: QPainter,
    room: QRect,
    text: str,
    style: QFont,
    tone: str,
    side: Qt.AlignmentFlag = Qt.AlignmentFlag(0),  # noqa: B008
) -> None:
    painter.setFont(style)
    painter.setPen(color(tone))
    shown = QFontMetrics(style).elidedText(text, Qt.TextElideMode.ElideRight, room.width())
    flags = int(side | Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextSingleLine)
    painter.drawText(room, flags, shown)


def _paint_memory(
    painter: QPainter, room: QRect, text: str, shown: ShownBuild, *, is_mirrored: bool
) -> None:
    fit = shown.row.fit
    bar = QRectF(room.left(), room.center().y() - 14, min(room.width(), _WIDEST_BAR), 10)
    if is_mirrored:
        bar.moveRight(room.right())
    if fit is not None and fit.devices:
        segments = FitParts.of(fit).segments()
        paint_segments(painter, bar, segments, is_mirrored=is_mirrored)
    does_not_fit = fit is not None and not fit.verdict.fits
    below = QRect(room.left(), room.center().y() + 1, room.width(), 16)
    _draw(painter, below, text, font(TextRole.TINY), "bad" if does_not_fit else "muted")


def _paint_basis(
    painter: QPainter, room: QRect, text: str, shown: ShownBuild, *, is_selected: bool
) -> None:
    """Verified: a filled chip with a tick. From the file's header: an outlined chip. Else words."""
    basis = basis_of(shown.row.fit)
    style = font(TextRole.CHIP)
    tones = {Basis.VERIFIED: "good", Basis.HEADER: "muted", Basis.REFUSED: "bad"}
    if basis not in (Basis.VERIFIED, Basis.HEADER):
        tone = tones.get(basis, "faint")
        _draw(painter, room, text, font(TextRole.TINY), tone)
        return
    metrics = QFontMetrics(style)
    tick = 14 if basis is Basis.VERIFIED else 0
    width = min(room.width(), metrics.horizontalAdvance(text) + 18 + tick)
    chip = QRect(room.left(), room.center().y() - 10, width, 20)
    if painter.layoutDirection() == Qt.LayoutDirection.RightToLeft:
        chip.moveRight(room.right())
    is_filled = basis is Basis.VERIFIED
    edge = "good" if is_filled and is_selected else "line"
    painter.setPen(Qt.PenStyle.NoPen if is_filled and not is_selected else QPen(color(edge), 1))
    painter.setBrush(color("good_soft" if is_filled else "surface"))
    painter.drawRoundedRect(QRectF(chip).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    words = chip.adjusted(8, 0, -8, 0)
    if tick:
        _paint_tick(painter, QPointF(words.left() + 4, chip.center().y() + 0.5))
        words.setLeft(words.left() + tick)
    _draw(painter, words, text, style, tones[basis])


def _paint_tick(painter: QPainter, middle: QPointF) -> None:
    painter.setPen(QPen(color("good"), 1.8))
    points = [middle + QPointF(-4, 0), middle + QPointF(-1, 3), middle + QPointF(4, -3.5)]
    painter.drawPolyline(QPolygonF(points))


class BuildHeader(QHeaderView):
    """Column names, small and muted, with an arrow where the table is sorted."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSectionsClickable(True)
        self.setSortIndicatorShown(True)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setFixedHeight(HEADER_HEIGHT)
        self.setAccessibleName(self.tr("Columns"))

    @override
    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(rect, color("surface"))
        painter.fillRect(_bottom_line(rect), color("line"))
        model: QAbstractItemModel = self.model()
        text = str(model.headerData(logicalIndex, Qt.Orientation.Horizontal) or "")
        is_number = BuildColumn(logicalIndex) in NUMBERS
        side = Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag(0)
        padding = padding_in(self.parent())
        room = rect.adjusted(padding, 0, -padding, 0)
        is_sorted = self.sortIndicatorSection() == logicalIndex
        style = font(TextRole.CHIP)
        _draw(painter, room, text, style, "ink" if is_sorted else "muted", side)
        if is_sorted:
            self._paint_arrow(painter, room, QFontMetrics(style).horizontalAdvance(text), is_number)
        painter.restore()

    def _paint_arrow(
        self,
        painter: QPainter,
        room: QRect,
        width: int,
        at_right: bool,  # noqa: FBT001
    ) -> None:
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        if at_right:
            x = room.right() + 6 if not is_mirrored else room.left() - 6
        else:
            x = room.left() + width + 8 if not is_mirrored else room.right() - width - 8
        up = -1 if self.sortIndicatorOrder() is Qt.SortOrder.AscendingOrder else 1
        y = room.center().y() + 1
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color("muted"))
        corners = [QPointF(x - 3, y - up * 1.5), QPointF(x + 3, y - up * 1.5)]
        painter.drawPolygon(QPolygonF([*corners, QPointF(x, y + up * 2.5)]))


class BuildTableView(QTableView):
    """`row_chosen(target)` when the selection moves; `row_opened(target)` on Enter."""

    row_chosen = Signal(str)
    row_opened = Signal(str)

    def __init__(self, model: BuildTableModel) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Variants"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setHorizontalHeader(BuildHeader(self))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setModel(model)
        self.setItemDelegate(BuildDelegate(self))
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
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
        widths = _WIDTHS_NARROW if self.width() < _NARROW else _WIDTHS
        self.setColumnHidden(BuildColumn.DOWNLOADS, BuildColumn.DOWNLOADS not in widths)
        rest = room - sum(widths.values())
        bar = min(
            _WIDEST_BAR + 2 * _PADDING, round(rest * _BAR_SHARE) if rest > 300 else rest // 2 - 4
        )
        header = self.horizontalHeader()
        for column, width in widths.items():
            header.resizeSection(column, width)
        header.resizeSection(BuildColumn.MEMORY, bar)
        header.resizeSection(BuildColumn.VARIANT, rest - bar)

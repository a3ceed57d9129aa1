"""The cells of the table of builds: a bar with the parts of memory, a chip for how sure it is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QHelpEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)
from typing_extensions import override

from openshelf.ui.models.model_table import NUMBERS, BuildColumn, ShownBuild
from openshelf.ui.models.model_words import (
    UNKNOWN,
    Basis,
    basis_of,
    month_words,
    packager_kind_words,
    plain,
    recipe_words,
)
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.ui.theme import TextRole, color, font
from openshelf.ui.widgets.bars import FitParts, describe_parts, paint_segments

ROW_HEIGHT = 46
NARROW = 900
"""Pixels of the table below which its cells move together."""
WIDEST_BAR = 240
_PADDING, _PADDING_NARROW = 10, 6


def padding_in(view: QObject | None) -> int:
    """Pixels at both sides of a cell of this table."""
    is_narrow = isinstance(view, QWidget) and view.width() < NARROW
    return _PADDING_NARROW if is_narrow else _PADDING


def paint_ground(
    painter: QPainter, option: QStyleOptionViewItem, view: QObject | None, *, is_first: bool
) -> None:
    """A cell's ground and line; in a row's first cell the bar that tells the arrow keys work."""
    area: QRect = option.rect
    state: QStyle.StateFlag = option.state
    is_selected = bool(state & QStyle.StateFlag.State_Selected)
    if is_selected:
        painter.fillRect(area, color("accent_soft"))
    elif state & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(area, color("background"))
    painter.fillRect(bottom_line(area), color("line"))
    if is_first and is_selected and isinstance(view, QWidget) and view.hasFocus():
        is_mirrored = bool(option.direction == Qt.LayoutDirection.RightToLeft)
        x = area.right() - 2 if is_mirrored else area.left()
        painter.fillRect(QRect(x, area.top(), 3, area.height()), color("accent"))


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
        paint_ground(painter, option, self.parent(), is_first=column is BuildColumn.VARIANT)
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
                _paint_text(painter, room, text, shown, column)
        painter.restore()

    def _paint_variant(self, painter: QPainter, room: QRect, text: str, shown: ShownBuild) -> None:
        notes = [self.tr("Recommended")] if shown.is_recommended else []
        if shown.row.build.installed_id is not None:
            notes.append(self.tr("Installed"))
        elif shown.row.build.is_local:
            notes.append(self.tr("On this machine"))
        note, recipe = " · ".join(notes), recipe_words(shown.row.build)
        style, small = font(TextRole.CODE), font(TextRole.CHIP)
        width = QFontMetrics(style).horizontalAdvance(text) + 14
        is_beside = width + QFontMetrics(small).horizontalAdvance(note) <= room.width()
        both = " · ".join(filter(None, (note, recipe)))
        below = recipe if is_beside else _fitting(room, small, both, note)
        first, second = _lines(room) if below else (room, room)
        draw_text(painter, first, text, style, "ink")
        if note and is_beside:
            is_mirrored = painter.layoutDirection() == Qt.LayoutDirection.RightToLeft
            change = (0, 0, -width, 0) if is_mirrored else (width, 0, 0, 0)
            draw_text(painter, first.adjusted(*change), note, small, "accent")
        if below:
            has_note = bool(note) and not is_beside
            style = small if has_note else font(TextRole.TINY)
            draw_text(painter, second, below, style, "accent" if has_note else "muted")

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


def bottom_line(area: QRect) -> QRect:
    """One whole pixel: a line would be smeared over two."""
    return QRect(area.left(), area.bottom(), area.width(), 1)


def draw_text(
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
    # The words keep their own direction in a mirrored window; only their side changes.
    direction = painter.layoutDirection()
    place = QStyle.visualAlignment(direction, side or Qt.AlignmentFlag.AlignLeft)
    place |= Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter
    painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)
    painter.drawText(room, int(place) | int(Qt.TextFlag.TextSingleLine), shown)
    painter.setLayoutDirection(direction)


def _lines(room: QRect) -> tuple[QRect, QRect]:
    """Places of two lines in a cell."""
    middle = room.center().y()
    upper = QRect(room.left(), middle - 17, room.width(), 18)
    return upper, QRect(room.left(), middle + 1, room.width(), 16)


def _fitting(room: QRect, style: QFont, *texts: str) -> str:
    """The first of these that fits, else the last."""
    metrics = QFontMetrics(style)
    return next((t for t in texts if metrics.horizontalAdvance(t) <= room.width()), texts[-1])


def _paint_text(
    painter: QPainter, room: QRect, text: str, shown: ShownBuild, column: BuildColumn
) -> None:
    """A word or figure; who made a build and when it was changed have a second line."""
    build = shown.row.build
    below = ""
    if column is BuildColumn.PACKAGER:
        below = _fitting(room, font(TextRole.TINY), *packager_kind_words(build))
        text = _fitting(room, font(TextRole.BODY), text, plain(build.packager.name))
    elif column is BuildColumn.DOWNLOADS:
        below = month_words(build)
    tone = "faint" if text == UNKNOWN else "ink"
    side = Qt.AlignmentFlag.AlignRight if column in NUMBERS else Qt.AlignmentFlag(0)
    first, second = _lines(room) if below else (room, room)
    draw_text(painter, first, text, font(TextRole.BODY, tabular=True), tone, side)
    if below:
        draw_text(painter, second, below, font(TextRole.TINY), "muted", side)


def _paint_memory(
    painter: QPainter, room: QRect, text: str, shown: ShownBuild, *, is_mirrored: bool
) -> None:
    fit = shown.row.fit
    bar = QRectF(room.left(), room.center().y() - 14, min(room.width(), WIDEST_BAR), 10)
    if is_mirrored:
        bar.moveRight(room.right())
    if fit is not None and fit.devices:
        segments = FitParts.of(fit).segments()
        paint_segments(painter, bar, segments, is_mirrored=is_mirrored)
    does_not_fit = fit is not None and not fit.verdict.fits
    below = QRect(room.left(), room.center().y() + 1, room.width(), 16)
    draw_text(painter, below, text, font(TextRole.TINY), "bad" if does_not_fit else "muted")


def _paint_basis(
    painter: QPainter, room: QRect, text: str, shown: ShownBuild, *, is_selected: bool
) -> None:
    """Verified: a filled chip with a tick. From the file's header: an outlined chip. Else words."""
    basis = basis_of(shown.row.fit)
    style = font(TextRole.CHIP)
    tones = {Basis.VERIFIED: "good", Basis.HEADER: "muted", Basis.REFUSED: "bad"}
    if basis not in (Basis.VERIFIED, Basis.HEADER):
        tone = tones.get(basis, "faint")
        draw_text(painter, room, text, font(TextRole.TINY), tone)
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
    draw_text(painter, words, text, style, tones[basis])


def _paint_tick(painter: QPainter, middle: QPointF) -> None:
    painter.setPen(QPen(color("good"), 1.8))
    points = [middle + QPointF(-4, 0), middle + QPointF(-1, 3), middle + QPointF(4, -3.5)]
    painter.drawPolyline(QPolygonF(points))

"""The cells of the table of installed models: chips, tones, and words that can be pressed."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTableView
from typing_extensions import override

from openshelf.library.installed import InstalledModel
from openshelf.ui.models.installed_table import NUMBERS, InstalledColumn, InstalledTableModel
from openshelf.ui.models.installed_words import NOTHING, can_act, integrity_words, note_words
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.ui.theme import TextRole, color, font
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.build_cells import draw_text, paint_ground

ROW_HEIGHT = 39
PADDING = 6
_CHIP_SIDE = 8
_RIGHT = Qt.AlignmentFlag.AlignRight


class InstalledDelegate(QStyledItemDelegate):
    """Paints one cell; rows that are of no use now are paler, and say why in words."""

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(60, ROW_HEIGHT)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model, table = index.data(ROW_ROLE), index.model()
        if not isinstance(model, InstalledModel) or not isinstance(table, InstalledTableModel):
            return
        column = InstalledColumn(index.column())
        area: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_ground(painter, option, self.parent(), is_first=column is InstalledColumn.MODEL)
        room = area.adjusted(PADDING, 0, -PADDING, 0)
        text = str(index.data() or "")
        pale = "ink" if model.is_usable else "faint"
        match column:
            case InstalledColumn.MODEL:
                # Its first half, where there is no room for more.
                note = note_words(model, table.facts).partition(" · ")[0]
                _paint_name(painter, room, text, pale, note if self._is_narrow else "")
            case InstalledColumn.LICENSE:
                is_permissive = table.facts.is_permissive(model)
                kind = ChipKind.GOOD if is_permissive else ChipKind.WARNING
                # On the selection's ground a chip needs an edge of its own.
                is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
                paint_chip(painter, room, text, kind, has_edge=is_selected)
            case InstalledColumn.INTEGRITY:
                draw_text(painter, room, text, font(TextRole.SMALL), integrity_words(model)[1])
            case InstalledColumn.NOTE:
                if text:
                    paint_chip(painter, room, text, ChipKind.ACCENT)
            case InstalledColumn.ACTION:
                tone = "accent" if can_act(model) else "faint"
                draw_text(painter, room, text, font(TextRole.STRONG), tone, _RIGHT)
            case InstalledColumn.MORE:
                draw_text(painter, room, text, font(TextRole.STRONG), "accent", _RIGHT)
            case _:
                _paint_figure(painter, room, text, column, pale)
        painter.restore()

    @property
    def _is_narrow(self) -> bool:
        """No room for a column of notes: they stand behind the names."""
        view = self.parent()
        return isinstance(view, QTableView) and view.isColumnHidden(InstalledColumn.NOTE)


def _paint_name(painter: QPainter, room: QRect, text: str, tone: str, note: str) -> None:
    style = font(TextRole.STRONG)
    if note:
        wanted = QFontMetrics(font(TextRole.CHIP)).horizontalAdvance(note) + 2 * _CHIP_SIDE
        width = min(wanted, room.width() * 3 // 5)
        used = min(QFontMetrics(style).horizontalAdvance(text), room.width() - width - 8)
        is_mirrored = painter.layoutDirection() == Qt.LayoutDirection.RightToLeft
        change = (0, 0, -used - 8, 0) if is_mirrored else (used + 8, 0, 0, 0)
        paint_chip(painter, room.adjusted(*change), note, ChipKind.ACCENT)
        rest = (width + 8, 0, 0, 0) if is_mirrored else (0, 0, -width - 8, 0)
        room = room.adjusted(*rest)
    draw_text(painter, room, text, style, tone)


def _paint_figure(
    painter: QPainter, room: QRect, text: str, column: InstalledColumn, tone: str
) -> None:
    is_code = column is InstalledColumn.QUANT
    style = font(TextRole.CODE) if is_code else font(TextRole.BODY, tabular=True)
    if column is InstalledColumn.USED:
        style, tone = font(TextRole.SMALL), "muted"
    side = _RIGHT if column in NUMBERS else Qt.AlignmentFlag(0)
    draw_text(painter, room, text, style, "faint" if text == NOTHING else tone, side)


def paint_chip(
    painter: QPainter, room: QRect, text: str, kind: ChipKind, *, has_edge: bool = False
) -> None:
    """A word on a soft ground at the beginning of `room`, cut where there is no room for it."""
    style = font(TextRole.CHIP)
    metrics = QFontMetrics(style)
    width = min(room.width(), metrics.horizontalAdvance(text) + 2 * _CHIP_SIDE + 1)
    height = metrics.height() + 4
    chip = QRect(room.left(), room.center().y() - height // 2, width, height)
    if painter.layoutDirection() == Qt.LayoutDirection.RightToLeft:
        chip.moveRight(room.right())
    painter.setPen(QPen(color(kind.value), 1) if has_edge else Qt.PenStyle.NoPen)
    painter.setBrush(color(f"{kind.value}_soft"))
    painter.drawRoundedRect(QRectF(chip).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    words = chip.adjusted(_CHIP_SIDE, 0, -_CHIP_SIDE + 1, 0)
    draw_text(painter, words, text, style, kind.value)

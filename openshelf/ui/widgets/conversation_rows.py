"""The rows of the list of conversations, and what can be done with one."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QFrame,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)
from typing_extensions import override

from openshelf.ui.theme import TextRole, color, font

_ROW_HEIGHT, _FOUND_HEIGHT, _HEADING_HEIGHT = 33, 48, 34
_PADDING = 11


class ConversationDelegate(QStyledItemDelegate):
    """Headings small and faint, the chosen conversation in a box."""

    @override
    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        if not _can_be_chosen(index):
            return QSize(100, _HEADING_HEIGHT)
        return QSize(100, _FOUND_HEIGHT if _excerpt_of(index) else _ROW_HEIGHT)

    @override
    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area: QRect = option.rect
        state: QStyle.StateFlag = option.state
        text = str(index.data() or "")
        if not _can_be_chosen(index):
            painter.setFont(font(TextRole.SECTION))
            painter.setPen(color("faint"))
            room = area.adjusted(_PADDING, 8, -_PADDING, 0)
            painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), text.upper())
            painter.restore()
            return
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        is_hot = bool(state & QStyle.StateFlag.State_MouseOver)
        has_focus = is_chosen and bool(state & QStyle.StateFlag.State_HasFocus)
        if is_chosen or is_hot:
            painter.setBrush(color("background"))
            frame = "accent" if has_focus else "line"
            painter.setPen(QPen(color(frame), 1) if is_chosen else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(area.adjusted(1, 1, -2, -2), 7, 7)
        style = font(TextRole.STRONG if is_chosen else TextRole.BODY)
        room = area.adjusted(_PADDING, 0, -_PADDING, 0)
        excerpt = _excerpt_of(index)
        if excerpt:
            half = room.height() // 2
            _draw_line(
                painter, room.adjusted(0, half, 0, -5), excerpt, font(TextRole.TINY), "faint"
            )
            room = room.adjusted(0, 3, 0, -half)
        _draw_line(painter, room, text, style, "ink" if is_chosen else "muted")
        painter.restore()

    @override
    def updateEditorGeometry(
        self,
        editor: QWidget,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        area: QRect = option.rect
        editor.setGeometry(area.adjusted(1, 0, -1, 0))


def _draw_line(painter: QPainter, room: QRect, text: str, style: QFont, ink: str) -> None:
    shown = QFontMetrics(style).elidedText(text, Qt.TextElideMode.ElideRight, room.width())
    painter.setFont(style)
    painter.setPen(color(ink))
    painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), shown)


def _excerpt_of(index: QModelIndex | QPersistentModelIndex) -> str:
    return str(index.data(Qt.ItemDataRole.AccessibleDescriptionRole) or "")


def _can_be_chosen(index: QModelIndex | QPersistentModelIndex) -> bool:
    return bool(index.flags() & Qt.ItemFlag.ItemIsSelectable)


class ConversationView(QListView):
    """`delete_requested` on Delete or from the menu, `pin_requested` from the menu, with the model
    index. F2 or the menu writes over a title."""

    delete_requested = Signal(QModelIndex)
    pin_requested = Signal(QModelIndex)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setItemDelegate(ConversationDelegate(self))
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(self.tr("Conversations"))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_requested)
        self.setEditTriggers(QListView.EditTrigger.EditKeyPressed)
        self.menu = QMenu(self)
        self.menu.addAction(self.tr("Rename")).triggered.connect(self.rename_current)
        self.menu.addAction(self.tr("Pin or unpin")).triggered.connect(self._on_pin)
        self.menu.addSeparator()
        self.menu.addAction(self.tr("Delete…")).triggered.connect(self._on_delete)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F2:
            self.rename_current()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._on_delete()
        else:
            super().keyPressEvent(event)

    def _on_menu_requested(self, place: QPoint) -> None:
        index = self.indexAt(place)
        if index.isValid() and _can_be_chosen(index):
            self.setCurrentIndex(index)
            self.menu.popup(self.viewport().mapToGlobal(place))

    def rename_current(self) -> None:
        if self.currentIndex().isValid():
            self.edit(self.currentIndex())

    def _on_pin(self) -> None:
        if self.currentIndex().isValid():
            self.pin_requested.emit(self.currentIndex())

    def _on_delete(self) -> None:
        if self.currentIndex().isValid():
            self.delete_requested.emit(self.currentIndex())

"""The rows of the list of conversations, and what can be done with one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QFont, QFontMetrics, QKeyEvent, QPainter, QPen
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

_ROW_SIZE, _FOUND_SIZE, _HEADING_SIZE = QSize(100, 33), QSize(100, 48), QSize(100, 34)
_PADDING = 11
_INSIDE = 12
"""Pixels by which what is in a folder stands further right."""
_NO_FOLDER = 0


class ConversationDelegate(QStyledItemDelegate):
    """Headings small and faint, the chosen conversation in a box."""

    @override
    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        # Asked of every row whenever the list is laid out: the row itself tells it in one step.
        row = index.data(Qt.ItemDataRole.UserRole)
        if row is None or row.conversation is None:
            return _HEADING_SIZE
        return _FOUND_SIZE if row.excerpt else _ROW_SIZE

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
        if is_folder(index):
            self._paint_folder(painter, area, state, text)
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
        inside = _INSIDE if _is_in_folder(index) else 0
        room = area.adjusted(_PADDING + inside, 0, -_PADDING, 0)
        excerpt = _excerpt_of(index)
        if excerpt:
            half = room.height() // 2
            _draw_line(
                painter, room.adjusted(0, half, 0, -5), excerpt, font(TextRole.TINY), "faint"
            )
            room = room.adjusted(0, 3, 0, -half)
        _draw_line(painter, room, text, style, "ink" if is_chosen else "muted")
        painter.restore()

    def _paint_folder(
        self, painter: QPainter, area: QRect, state: QStyle.StateFlag, text: str
    ) -> None:
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            is_focused = state & QStyle.StateFlag.State_Selected
            is_focused = is_focused and state & QStyle.StateFlag.State_HasFocus
            painter.setBrush(color("background"))
            painter.setPen(QPen(color("accent"), 1) if is_focused else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(area.adjusted(1, 5, -2, -2), 7, 7)
        painter.setPen(QPen(color("faint"), 1.2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        left, middle = area.left() + _PADDING, area.center().y() + 2
        # A folder's outline with its tab.
        painter.drawRoundedRect(QRectF(left + 0.5, middle - 4.5, 13, 9), 1.5, 1.5)
        painter.drawLine(QPointF(left + 1.5, middle - 6.5), QPointF(left + 6, middle - 6.5))
        room = area.adjusted(_PADDING + 20, 4, -_PADDING, 0)
        _draw_line(painter, room, text, font(TextRole.STRONG), "muted")

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


def _is_in_folder(index: QModelIndex | QPersistentModelIndex) -> bool:
    return getattr(index.data(Qt.ItemDataRole.UserRole), "folder", None) is not None


def _excerpt_of(index: QModelIndex | QPersistentModelIndex) -> str:
    return str(index.data(Qt.ItemDataRole.AccessibleDescriptionRole) or "")


def is_folder(index: QModelIndex | QPersistentModelIndex) -> bool:
    return bool(getattr(index.data(Qt.ItemDataRole.UserRole), "is_folder", False))


def _can_be_chosen(index: QModelIndex | QPersistentModelIndex) -> bool:
    return bool(index.flags() & Qt.ItemFlag.ItemIsSelectable)


class ConversationView(QListView):
    """`delete_requested` on Delete or from the menu, `pin_requested` from the menu, with the model
    index. F2 or the menu writes over a title. `move_requested` with an index and a folder's id
    (None for none), `new_folder_requested` with the index that goes into it. A row is a folder
    where `is_folder` says so; `folders` are what can be moved into."""

    delete_requested = Signal(QModelIndex)
    pin_requested = Signal(QModelIndex)
    move_requested = Signal(QModelIndex, object)
    new_folder_requested = Signal(QModelIndex)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setProperty("kind", "list")
        self.setItemDelegate(ConversationDelegate(self))
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(self.tr("Conversations"))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu_requested)
        self.setEditTriggers(QListView.EditTrigger.EditKeyPressed)
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDropIndicatorShown(True)
        self.setDragDropMode(QListView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.folders: Sequence[tuple[int, str]] = ()
        self._build_menus()

    def _build_menus(self) -> None:
        self.menu = QMenu(self)
        self.menu.addAction(self.tr("Rename")).triggered.connect(self.rename_current)
        self.menu.addAction(self.tr("Pin or unpin")).triggered.connect(self._on_pin)
        self.move_menu = self.menu.addMenu(self.tr("Move to folder"))
        self.move_menu.triggered.connect(self._on_move)
        self.menu.addSeparator()
        self.menu.addAction(self.tr("Delete…")).triggered.connect(self._on_delete)
        self.folder_menu = QMenu(self)
        self.folder_menu.addAction(self.tr("Rename the folder")).triggered.connect(
            self.rename_current
        )
        gone = self.folder_menu.addAction(self.tr("Delete the folder, keep its chats"))
        gone.triggered.connect(self._on_delete)

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
            menu = self.folder_menu if is_folder(index) else self.menu
            if menu is self.menu:
                self.fill_move_menu()
            menu.popup(self.viewport().mapToGlobal(place))

    def fill_move_menu(self) -> None:
        """Every folder, the way out of one, and a new one; not for what is not saved."""
        self.move_menu.clear()
        can_move = self.currentIndex().flags() & Qt.ItemFlag.ItemIsDragEnabled
        self.move_menu.setEnabled(bool(can_move))
        for number, name in self.folders:
            self.move_menu.addAction(name.replace("&", "&&")).setData(number)
        if self.folders:
            self.move_menu.addSeparator()
            self.move_menu.addAction(self.tr("In no folder")).setData(_NO_FOLDER)
        self.move_menu.addAction(self.tr("New folder"))

    def _on_move(self, action: QAction) -> None:
        if not self.currentIndex().isValid():
            return
        number = action.data()
        if number is None:
            self.new_folder_requested.emit(self.currentIndex())
        else:
            folder = None if number == _NO_FOLDER else number
            self.move_requested.emit(self.currentIndex(), folder)

    def rename_current(self) -> None:
        if self.currentIndex().isValid():
            self.edit(self.currentIndex())

    def _on_pin(self) -> None:
        if self.currentIndex().isValid():
            self.pin_requested.emit(self.currentIndex())

    def _on_delete(self) -> None:
        if self.currentIndex().isValid():
            self.delete_requested.emit(self.currentIndex())

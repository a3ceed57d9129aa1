"""The panel with all conversations: new, search, choose, delete."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
)
from typing_extensions import override

from openshelf.ui.theme import TextRole, color, font
from openshelf.ui.widgets.buttons import Button, DangerButton
from openshelf.ui.widgets.text import TextLabel

_ROW_HEIGHT, _HEADING_HEIGHT = 33, 34
_PADDING = 11


class ConversationDelegate(QStyledItemDelegate):
    """Headings small and faint, the chosen conversation in a box."""

    @override
    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(100, _ROW_HEIGHT if _can_be_chosen(index) else _HEADING_HEIGHT)

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
        shown = QFontMetrics(style).elidedText(text, Qt.TextElideMode.ElideRight, room.width())
        painter.setFont(style)
        painter.setPen(color("ink" if is_chosen else "muted"))
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), shown)
        painter.restore()


def _can_be_chosen(index: QModelIndex | QPersistentModelIndex) -> bool:
    return bool(index.flags() & Qt.ItemFlag.ItemIsSelectable)


class ConversationView(QListView):
    """`delete_requested` on Delete or from the menu, with the model index."""

    delete_requested = Signal(QModelIndex)

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
        self._menu = QMenu(self)
        self._menu.addAction(self.tr("Delete…")).triggered.connect(self._on_delete)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._on_delete()
        else:
            super().keyPressEvent(event)

    def _on_menu_requested(self, place: QPoint) -> None:
        index = self.indexAt(place)
        if index.isValid() and _can_be_chosen(index):
            self.setCurrentIndex(index)
            self._menu.popup(self.viewport().mapToGlobal(place))

    def _on_delete(self) -> None:
        if self.currentIndex().isValid():
            self.delete_requested.emit(self.currentIndex())


class ConversationPanel(QFrame):
    """`chosen` and `delete_confirmed` carry the model's index; the page knows what it means."""

    new_requested = Signal()
    search_changed = Signal(str)
    chosen = Signal(QModelIndex)
    delete_confirmed = Signal(QModelIndex)

    def __init__(self, model: QAbstractItemModel) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.setMinimumWidth(190)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        self.new_button = Button(self.tr("New chat   Ctrl N"), self.tr("New chat"))
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search chats…"))
        self.search.setAccessibleName(self.tr("Search chats"))
        self.search.setClearButtonEnabled(True)
        self.view = ConversationView()
        self.view.setModel(model)
        column.addWidget(self.new_button)
        column.addWidget(self.search)
        column.addWidget(self.view, 1)
        column.addWidget(self._build_confirmation())
        self._asked = QPersistentModelIndex()
        self._connect()

    def _build_confirmation(self) -> QFrame:
        self.confirmation = QFrame()
        self.confirmation.setProperty("kind", "well")
        column = QVBoxLayout(self.confirmation)
        column.setContentsMargins(10, 8, 10, 10)
        self.question = TextLabel("", TextRole.SMALL, wrap=True)
        row = QHBoxLayout()
        self.delete_button = DangerButton(self.tr("Delete"))
        self.keep_button = Button(self.tr("Keep"))
        row.addWidget(self.delete_button)
        row.addWidget(self.keep_button)
        row.addStretch(1)
        column.addWidget(self.question)
        column.addLayout(row)
        self.confirmation.hide()
        return self.confirmation

    def _connect(self) -> None:
        self.new_button.clicked.connect(self._on_new)
        self.search.textChanged.connect(self._on_search)
        self.view.delete_requested.connect(self.ask_to_delete)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.delete_button.clicked.connect(self._on_delete)
        self.keep_button.clicked.connect(self._on_keep)

    def choose(self, index: QModelIndex) -> None:
        """Mark a row without announcing it; an invalid index marks none."""
        blocked = self.view.selectionModel().blockSignals(True)
        self.view.setCurrentIndex(index)
        if not index.isValid():
            self.view.clearSelection()
        self.view.selectionModel().blockSignals(blocked)
        self.view.viewport().update()

    def ask_to_delete(self, index: QModelIndex) -> None:
        """Ask below the list; nothing is gone before it is confirmed."""
        self._asked = QPersistentModelIndex(index)
        title = str(index.data() or "")
        self.question.setText(
            self.tr("Delete “{title}” with all its messages?").format(title=title)
        )
        self.confirmation.show()
        self.keep_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_new(self) -> None:
        self.new_requested.emit()

    def _on_search(self, text: str) -> None:
        self.search_changed.emit(text)

    def _on_current_changed(self, current: QModelIndex, _: QModelIndex) -> None:
        if current.isValid():
            self.chosen.emit(current)

    def _on_delete(self) -> None:
        self.confirmation.hide()
        if self._asked.isValid():
            self.delete_confirmed.emit(self.view.model().index(self._asked.row(), 0))

    def _on_keep(self) -> None:
        self.confirmation.hide()
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

"""The panel with all conversations: new, search, choose, delete."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import Button, DangerButton, LinkButton
from openshelf.ui.widgets.conversation_rows import ConversationView, is_folder
from openshelf.ui.widgets.text import TextLabel

_TYPING_MILLISECONDS = 150


class _NewButton(Button):
    """Its words, and beside them the keys that do the same, in another weight."""

    def __init__(self, text: str) -> None:
        super().__init__("", text)
        keys = QKeySequence(QKeySequence.StandardKey.New)
        native = keys.toString(QKeySequence.SequenceFormat.NativeText).replace("+", " ")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(8)
        row.addStretch(1)
        for label in (
            TextLabel(text, TextRole.STRONG), TextLabel(native, TextRole.TINY, "muted")
        ):  # fmt: skip
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            row.addWidget(label)
        row.addStretch(1)


class ConversationPanel(QFrame):
    """`chosen` and `delete_confirmed` carry the model's index; the page knows what it means.
    `search_settled` follows `search_changed` once nobody types for a moment."""

    new_requested = Signal()
    unsaved_requested = Signal()
    search_settled = Signal(str)
    delete_all_confirmed = Signal()
    search_changed = Signal(str)
    chosen = Signal(QModelIndex)
    delete_confirmed = Signal(QModelIndex)
    folder_delete_requested = Signal(QModelIndex)

    def __init__(self, model: QAbstractItemModel) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.setMinimumWidth(190)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        self.new_button = _NewButton(self.tr("New chat"))
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search chats…"))
        self.search.setAccessibleName(self.tr("Search chats"))
        self.search.setClearButtonEnabled(True)
        self.view = ConversationView()
        self.view.setModel(model)
        self.unsaved_button = LinkButton(
            self.tr("Chat without saving"), self.tr("New chat that is not saved"), muted=True,
            small=True,
        )  # fmt: skip
        self.unsaved_button.setToolTip(
            self.tr("It is never written to disk, and gone when Openshelf closes (Ctrl+Shift+N)")
        )
        column.addWidget(self.new_button)
        column.addWidget(self.unsaved_button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.search)
        column.addWidget(self.view, 1)
        column.addWidget(self._build_confirmation())
        self._asked = QPersistentModelIndex()
        self._asks_for_all = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_TYPING_MILLISECONDS)
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
        self.unsaved_button.clicked.connect(self._on_unsaved)
        self._pause.timeout.connect(self._on_pause)
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
        """Ask below the list; nothing is gone before it is confirmed. A folder goes without
        asking: what is in it stays."""
        if is_folder(index):
            self.folder_delete_requested.emit(index)
            return
        self._asked, self._asks_for_all = QPersistentModelIndex(index), False
        title = str(index.data() or "")
        self.question.setText(
            self.tr("Delete “{title}” with all its messages?").format(title=title)
        )
        self.confirmation.show()
        self.keep_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def ask_to_delete_all(self, count: int) -> None:
        self._asks_for_all = True
        self.question.setText(
            self.tr(
                "Delete all %n chat(s), pinned ones too? They cannot be brought back.", "", count
            )
        )
        self.confirmation.show()
        self.keep_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_unsaved(self) -> None:
        self.unsaved_requested.emit()

    def _on_pause(self) -> None:
        self.search_settled.emit(self.search.text())

    def _on_new(self) -> None:
        self.new_requested.emit()

    def _on_search(self, text: str) -> None:
        self.search_changed.emit(text)
        self._pause.start()

    def _on_current_changed(self, current: QModelIndex, _: QModelIndex) -> None:
        if current.isValid():
            self.chosen.emit(current)

    def _on_delete(self) -> None:
        self.confirmation.hide()
        if self._asks_for_all:
            self.delete_all_confirmed.emit()
        elif self._asked.isValid():
            self.delete_confirmed.emit(self.view.model().index(self._asked.row(), 0))

    def _on_keep(self) -> None:
        self.confirmation.hide()
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

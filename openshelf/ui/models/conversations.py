"""The list of conversations: pinned ones, folders, then by when they were last used; or what was
found."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from PySide6.QtCore import QMimeData, QModelIndex, Qt, Signal
from typing_extensions import override

from openshelf.chat.conversation import Conversation, Folder, FoundConversation
from openshelf.ui.models.moments import local_day
from openshelf.ui.models.rows import Index, RowsModel

MIME_TYPE = "application/x-openshelf-chat"


class Age(enum.IntEnum):
    """Groups of the list, in their order."""

    FOUND = -4
    UNSAVED = -3
    PINNED = -2
    FOLDER = -1
    TODAY = 0
    YESTERDAY = 1
    LAST_WEEK = 2
    LAST_MONTH = 3
    OLDER = 4


def age_of(moment: str, today: date) -> Age:
    """`moment` is ISO UTC; days are those of this machine's time zone. Unreadable means OLDER."""
    day = local_day(moment)
    if day is None:
        return Age.OLDER
    past = today - day
    if past <= timedelta(0):
        return Age.TODAY
    if past == timedelta(days=1):
        return Age.YESTERDAY
    if past <= timedelta(days=7):
        return Age.LAST_WEEK
    return Age.LAST_MONTH if past <= timedelta(days=30) else Age.OLDER


def _today() -> date:
    return datetime.now().astimezone().date()


_Group = tuple[Age, int]
"""With the folder's place among the folders, else 0."""


@dataclass(frozen=True)
class ConversationRow:
    """A heading where `conversation` is None. `excerpt` is the line in which what was searched
    for was found, in the message `found_in`. `folder` is the one that the row belongs to."""

    label: str
    age: Age
    conversation: Conversation | None = None
    excerpt: str = ""
    found_in: int | None = None
    folder: Folder | None = None

    @property
    def is_folder(self) -> bool:
        """The heading of a folder, which can be chosen, renamed and dropped on."""
        return self.folder is not None and self.conversation is None


class ConversationsModel(RowsModel[ConversationRow]):
    """Give it all conversations, the search text and what was found by it; headings cannot be
    chosen, except those of folders. `renamed` carries an id and what the person wrote over the
    title, `folder_renamed` the same of a folder, `moved` a conversation's id and a folder's, None
    for none."""

    renamed = Signal(int, str)
    folder_renamed = Signal(int, str)
    moved = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self._conversations: tuple[Conversation, ...] = ()
        self._folders: dict[int, Folder] = {}
        self._search = ""
        self._found: dict[int, FoundConversation] = {}
        self._day: date | None = None

    def set_conversations(
        self, conversations: Sequence[Conversation], folders: Sequence[Folder] = ()
    ) -> None:
        """`folders` in the order in which they are shown, empty ones too."""
        given = tuple(conversations), {folder.id: folder for folder in folders}
        is_as_shown = given == (self._conversations, self._folders) and self._day == _today()
        if is_as_shown and list(given[1]) == list(self._folders):
            return
        self._conversations, self._folders = given
        self._refresh()

    @property
    def folders(self) -> tuple[Folder, ...]:
        return tuple(self._folders.values())

    def set_search(self, text: str) -> None:
        """Titles are filtered at once; what is found in messages comes with `set_found`."""
        self._search, self._found = text.strip().casefold(), {}
        self._refresh()

    def set_found(self, found: Sequence[FoundConversation]) -> None:
        self._found = {one.conversation_id: one for one in found}
        self._refresh()

    @property
    def is_empty(self) -> bool:
        """No conversation at all, whatever is searched for."""
        return not self._conversations

    @property
    def count(self) -> int:
        return len(self._conversations)

    def title_of(self, conversation: Conversation) -> str:
        return " ".join(conversation.title.split()) or self.tr("New chat")

    def _refresh(self) -> None:
        today = self._day = _today()
        shown = [c for c in self._conversations if self._is_wanted(c)]
        shown.sort(key=lambda c: c.updated_at, reverse=True)
        groups: dict[_Group, list[Conversation]] = {}
        if not self._search:
            groups = {(Age.FOLDER, at): [] for at in range(len(self._folders))}
        for conversation in shown:
            # Within a group by the text of the time: an odd time cannot open it twice.
            groups.setdefault(self._group(conversation, today), []).append(conversation)
        rows: list[ConversationRow] = []
        for age, at in sorted(groups):
            folder = self.folders[at] if age is Age.FOLDER else None
            heading = folder.name if folder is not None else self._heading(age)
            rows.append(ConversationRow(heading, age, folder=folder))
            rows += [self._row(one, age, folder) for one in groups[age, at]]
        self.set_rows(rows)

    def _row(self, conversation: Conversation, age: Age, folder: Folder | None) -> ConversationRow:
        found = self._found.get(conversation.id, FoundConversation(conversation.id))
        return ConversationRow(
            self.title_of(conversation), age, conversation, found.excerpt, found.message_id, folder
        )

    def _is_wanted(self, conversation: Conversation) -> bool:
        is_named = self._search in self.title_of(conversation).casefold()
        return is_named or conversation.id in self._found

    def _group(self, conversation: Conversation, today: date) -> _Group:
        if self._search:
            return Age.FOUND, 0
        if not conversation.is_saved:
            return Age.UNSAVED, 0
        if conversation.is_pinned:
            return Age.PINNED, 0
        if conversation.folder_id in self._folders:
            return Age.FOLDER, list(self._folders).index(conversation.folder_id)
        return age_of(conversation.updated_at, today), 0

    def _heading(self, age: Age) -> str:
        match age:
            case Age.FOUND:
                return self.tr("Found")
            case Age.UNSAVED:
                return self.tr("Not saved")
            case Age.PINNED:
                return self.tr("Pinned")
            case Age.FOLDER:
                return self.tr("Folders")
            case Age.TODAY:
                return self.tr("Today")
            case Age.YESTERDAY:
                return self.tr("Yesterday")
            case Age.LAST_WEEK:
                return self.tr("Last week")
            case Age.LAST_MONTH:
                return self.tr("Last month")
            case Age.OLDER:
                return self.tr("Older")

    @override
    def key(self, row: ConversationRow) -> Hashable:
        if row.conversation is not None:
            return ("conversation", row.conversation.id)
        return ("age", row.age) if row.folder is None else ("folder", row.folder.id)

    @override
    def text(self, row: ConversationRow) -> str:
        return row.label

    @override
    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        row = self._rows[index.row()]
        if row.conversation is None and row.folder is None:
            return Qt.ItemFlag.ItemIsDropEnabled
        result = super().flags(index) | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDropEnabled
        is_kept = row.conversation is not None and row.conversation.is_saved
        return result | Qt.ItemFlag.ItemIsDragEnabled if is_kept else result

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.EditRole:
            return super().data(index)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole and index.isValid():
            return self._rows[index.row()].excerpt
        return super().data(index, role)

    @override
    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        row = self._rows[index.row()] if index.isValid() else None
        if role != Qt.ItemDataRole.EditRole or row is None:
            return False
        if row.conversation is not None:
            if str(value) != row.label:
                self.renamed.emit(row.conversation.id, str(value))
            return True
        if row.folder is not None and str(value).strip() not in ("", row.label):
            self.folder_renamed.emit(row.folder.id, str(value))
        return row.folder is not None

    # --- dragging -----------------------------------------------------------------------------

    @override
    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    @override
    def mimeTypes(self) -> list[str]:
        return [MIME_TYPE]

    @override
    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        conversation = self._rows[indexes[0].row()].conversation if indexes else None
        if conversation is not None:
            data.setData(MIME_TYPE, str(conversation.id).encode("ascii"))
        return data

    @override
    def canDropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        return data.hasFormat(MIME_TYPE) and parent.isValid()

    @override
    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        """On a folder or on what is in it: into it; elsewhere: out of the one that it is in."""
        number = bytes(data.data(MIME_TYPE).data()).decode("ascii", "replace")
        known = {one.id: one for one in self._conversations if one.is_saved}
        dragged = known.get(int(number)) if number.isdecimal() else None
        if dragged is None or not parent.isValid():
            return False
        folder = self._rows[parent.row()].folder
        wanted = None if folder is None else folder.id
        if wanted != dragged.folder_id:
            self.moved.emit(dragged.id, wanted)
        # Nothing is taken out of the list here: the next reading shows where it is.
        return False

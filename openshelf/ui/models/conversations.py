"""The list of conversations: pinned ones, then by when they were last used, or what was found."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from PySide6.QtCore import Qt, Signal
from typing_extensions import override

from openshelf.chat.conversation import Conversation, FoundConversation
from openshelf.ui.models.moments import local_day
from openshelf.ui.models.rows import Index, RowsModel


class Age(enum.IntEnum):
    """Groups of the list, in their order."""

    FOUND = -3
    UNSAVED = -2
    PINNED = -1
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


@dataclass(frozen=True)
class ConversationRow:
    """A heading where `conversation` is None. `excerpt` is the line in which what was searched
    for was found, in the message `found_in`."""

    label: str
    age: Age
    conversation: Conversation | None = None
    excerpt: str = ""
    found_in: int | None = None


class ConversationsModel(RowsModel[ConversationRow]):
    """Give it all conversations, the search text and what was found by it; headings cannot be
    chosen. `renamed` carries an id and what the person wrote over the title."""

    renamed = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self._conversations: tuple[Conversation, ...] = ()
        self._search = ""
        self._found: dict[int, FoundConversation] = {}

    def set_conversations(self, conversations: Sequence[Conversation]) -> None:
        self._conversations = tuple(conversations)
        self._refresh()

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
        today = datetime.now().astimezone().date()
        shown = [c for c in self._conversations if self._is_wanted(c)]
        shown.sort(key=lambda c: c.updated_at, reverse=True)
        shown.sort(key=lambda c: self._group(c, today))
        rows: list[ConversationRow] = []
        last: Age | None = None
        for conversation in shown:
            # Within a group by the text of the time: an odd time cannot open it twice.
            age = self._group(conversation, today)
            if age != last:
                rows.append(ConversationRow(self._heading(age), age))
                last = age
            found = self._found.get(conversation.id, FoundConversation(conversation.id))
            rows.append(
                ConversationRow(
                    self.title_of(conversation), age, conversation, found.excerpt, found.message_id
                )
            )
        self.set_rows(rows)

    def _is_wanted(self, conversation: Conversation) -> bool:
        is_named = self._search in self.title_of(conversation).casefold()
        return is_named or conversation.id in self._found

    def _group(self, conversation: Conversation, today: date) -> Age:
        if self._search:
            return Age.FOUND
        if not conversation.is_saved:
            return Age.UNSAVED
        return Age.PINNED if conversation.is_pinned else age_of(conversation.updated_at, today)

    def _heading(self, age: Age) -> str:
        match age:
            case Age.FOUND:
                return self.tr("Found")
            case Age.UNSAVED:
                return self.tr("Not saved")
            case Age.PINNED:
                return self.tr("Pinned")
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
        conversation = row.conversation
        return ("age", row.age) if conversation is None else ("conversation", conversation.id)

    @override
    def text(self, row: ConversationRow) -> str:
        return row.label

    @override
    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or self._rows[index.row()].conversation is None:
            return Qt.ItemFlag.NoItemFlags
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable

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
        if role != Qt.ItemDataRole.EditRole or row is None or row.conversation is None:
            return False
        if str(value) != row.label:
            self.renamed.emit(row.conversation.id, str(value))
        return True

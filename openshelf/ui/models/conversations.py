"""The list of conversations, grouped by when they were last used, filtered by title."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from PySide6.QtCore import Qt
from typing_extensions import override

from openshelf.chat.conversation import Conversation
from openshelf.ui.models.moments import local_day
from openshelf.ui.models.rows import Index, RowsModel


class Age(enum.IntEnum):
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
    """A heading where `conversation` is None."""

    label: str
    age: Age
    conversation: Conversation | None = None


class ConversationsModel(RowsModel[ConversationRow]):
    """Give it all conversations and the search text; headings cannot be chosen."""

    def __init__(self) -> None:
        super().__init__()
        self._conversations: tuple[Conversation, ...] = ()
        self._search = ""

    def set_conversations(self, conversations: Sequence[Conversation]) -> None:
        self._conversations = tuple(conversations)
        self._refresh()

    def set_search(self, text: str) -> None:
        self._search = text.strip().casefold()
        self._refresh()

    @property
    def is_empty(self) -> bool:
        """No conversation at all, whatever is searched for."""
        return not self._conversations

    def title_of(self, conversation: Conversation) -> str:
        return " ".join(conversation.title.split()) or self.tr("New chat")

    def _refresh(self) -> None:
        today = datetime.now().astimezone().date()
        found = [c for c in self._conversations if self._search in self.title_of(c).casefold()]
        found.sort(key=lambda c: c.updated_at, reverse=True)
        rows: list[ConversationRow] = []
        last: Age | None = None
        for conversation in found:
            # Sorted by the text of the time, so an odd time cannot open the same group twice.
            age = max(age_of(conversation.updated_at, today), last or Age.TODAY)
            if age != last:
                rows.append(ConversationRow(self._heading(age), age))
                last = age
            rows.append(ConversationRow(self.title_of(conversation), age, conversation))
        self.set_rows(rows)

    def _heading(self, age: Age) -> str:
        match age:
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
        return super().flags(index)

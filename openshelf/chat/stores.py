"""Where conversations are: the file, and memory for those that are not to be saved."""

from __future__ import annotations

from openshelf.chat.conversation import Conversation, FoundConversation
from openshelf.chat.store import ConversationStore

UNSAVED_FROM = 1 << 30
"""Ids of unsaved conversations and of their messages; a file never counts so far."""


class Stores:
    """Ids are of conversations or of messages: both tell where they are."""

    def __init__(self, saved: ConversationStore) -> None:
        self.saved = saved
        self.unsaved = ConversationStore(None, first_id=UNSAVED_FROM)

    def of(self, some_id: int) -> ConversationStore:
        return self.unsaved if some_id >= UNSAVED_FROM else self.saved

    def new_conversation(
        self, model_id: str | None, system_prompt: str, *, is_saved: bool
    ) -> Conversation:
        store = self.saved if is_saved else self.unsaved
        return store.new_conversation(model_id, system_prompt)

    def conversations(self) -> tuple[Conversation, ...]:
        """The one used last first."""
        found = (*self.unsaved.conversations(), *self.saved.conversations())
        return tuple(sorted(found, key=lambda c: c.updated_at, reverse=True))

    def search(self, text: str) -> tuple[FoundConversation, ...]:
        return (*self.unsaved.search(text), *self.saved.search(text))

    def delete_all(self) -> int:
        return self.unsaved.delete_all() + self.saved.delete_all()

    def close(self) -> None:
        self.unsaved.close()
        self.saved.close()

"""Conversations on disk: a tree of messages in SQLite, durable from the moment a call returns."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from openshelf.chat import tree
from openshelf.chat.archive import Archive, archive_of, insert_archive
from openshelf.chat.attachment_rows import insert_attachments
from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import (
    Conversation,
    FoundConversation,
    Message,
    MessageState,
    Role,
)
from openshelf.chat.folders import Folders
from openshelf.chat.presets import PresetStore, sampling_as_json, sampling_from_json
from openshelf.chat.rows import row_id
from openshelf.chat.schema import CHATS
from openshelf.chat.searching import search
from openshelf.chat.titles import given_title, storable, title_from
from openshelf.database import Database
from openshelf.engine.asking import Sampling
from openshelf.errors import NotFound
from openshelf.reasons import Reason

# In the order of Conversation's fields.
_CONVERSATIONS = """
    SELECT id, title, created_at, updated_at, model_id, coalesce((
        SELECT content FROM messages
        WHERE conversation_id = conversations.id AND parent_id IS NULL AND role = 'system'
        ORDER BY id LIMIT 1
    ), ''), is_pinned, folder_id, sampling FROM conversations
"""


def now_utc() -> datetime:
    return datetime.now(UTC)


class ConversationStore:
    """Every method may be called from any thread. Raises NotFound, and NotEnoughDisk where the
    disk is full."""

    def __init__(
        self, path: Path | None, clock: Callable[[], datetime] = now_utc, *, first_id: int = 1
    ) -> None:
        """Without a path nothing is written anywhere; ids begin with `first_id`."""
        self._clock = clock
        self._is_saved = path is not None
        self._database = self.database = Database(path, CHATS)
        self.presets = PresetStore(self._database)
        self.folders = Folders(self._database)
        self._end_interrupted()
        if first_id > 1:
            self._begin_ids(first_id)

    @property
    def notes(self) -> tuple[Reason, ...]:
        """What had to be done to open the file, for the window to say."""
        return self._database.notes

    def _begin_ids(self, first: int) -> None:
        with self._database.writing() as connection:
            for table in ("conversations", "messages"):
                connection.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, first - 1)
                )

    def close(self) -> None:
        self._database.close()

    def _end_interrupted(self) -> None:
        """What still says it is being written was cut off with the app itself."""
        detail = json.dumps({"code": "answer_interrupted"})
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE messages SET state = ?, detail = ? WHERE state = ?",
                (MessageState.STOPPED, detail, MessageState.STREAMING),
            )

    # --- conversations --------------------------------------------------------------------------

    def conversations(self) -> tuple[Conversation, ...]:
        """The one used last first."""
        rows = self._database.read(_CONVERSATIONS + " ORDER BY updated_at DESC, id DESC")
        return tuple(self._conversation(row) for row in rows)

    def conversation(self, conversation_id: int) -> Conversation:
        rows = self._database.read(_CONVERSATIONS + " WHERE id = ?", conversation_id)
        if not rows:
            raise NotFound("conversation", str(conversation_id))
        return self._conversation(rows[0])

    def _conversation(self, row: tuple[Any, ...]) -> Conversation:
        *plain, sampling = row
        found = Conversation(*plain)
        return dataclasses.replace(
            found,
            is_pinned=bool(found.is_pinned),
            is_saved=self._is_saved,
            sampling=sampling_from_json(sampling),
        )

    def search(self, text: str) -> tuple[FoundConversation, ...]:
        """See searching.search."""
        return search(self._database, text)

    def new_conversation(self, model_id: str | None, system_prompt: str = "") -> Conversation:
        """Without a title until the first question; a system prompt is its root message."""
        now = self._now()
        with self._database.writing() as connection:
            cursor = connection.execute(
                "INSERT INTO conversations (title, created_at, updated_at, model_id)"
                " VALUES ('', ?, ?, ?)",
                (now, now, model_id),
            )
            conversation = Conversation(
                row_id(cursor), "", now, now, model_id, is_saved=self._is_saved
            )
            if not system_prompt.strip():
                return conversation
            root = self._insert(connection, conversation.id, None, Role.SYSTEM, system_prompt)
        return dataclasses.replace(conversation, system_prompt=root.content)

    def delete_conversation(self, conversation_id: int) -> None:
        with self._database.writing() as connection:
            cursor = connection.execute(
                "DELETE FROM conversations WHERE id = ?", (conversation_id,)
            )
            if not cursor.rowcount:
                raise NotFound("conversation", str(conversation_id))

    def delete_all(self) -> int:
        """Every conversation and folder, also from the file's free pages; returns how many
        conversations are gone."""
        with self._database.writing() as connection:
            gone = connection.execute("DELETE FROM conversations").rowcount
            connection.execute("DELETE FROM folders")
            connection.execute("INSERT INTO message_words(message_words) VALUES ('rebuild')")
        self._database.read("VACUUM")
        self._database.read("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def rename(self, conversation_id: int, title: str) -> None:
        """Words that say nothing give back the title made of the first question."""
        title = given_title(title) or self._made_title(conversation_id)
        self._set(conversation_id, "UPDATE conversations SET title = ? WHERE id = ?", title)

    def _made_title(self, conversation_id: int) -> str:
        rows = self._database.read(
            "SELECT content FROM messages WHERE conversation_id = ? AND role = ?"
            " ORDER BY id LIMIT 1",
            conversation_id,
            Role.USER,
        )
        return title_from(rows[0][0]) if rows else ""

    def pin(self, conversation_id: int, *, pinned: bool) -> None:
        """Pinned ones stand first; retention by policy takes them all the same."""
        self._set(conversation_id, "UPDATE conversations SET is_pinned = ? WHERE id = ?", pinned)

    def _set(self, conversation_id: int, sql: str, value: object) -> None:
        with self._database.writing() as connection:
            if not connection.execute(sql, (value, conversation_id)).rowcount:
                raise NotFound("conversation", str(conversation_id))

    def delete_older_than(self, days: int) -> int:
        """Conversations that nobody wrote in for so many days; returns how many are gone."""
        limit = (self._clock() - timedelta(days=days)).isoformat(timespec="milliseconds")
        with self._database.writing() as connection:
            found = connection.execute("DELETE FROM conversations WHERE updated_at < ?", (limit,))
            if found.rowcount:
                # Until then the index of words only notes that they are gone.
                connection.execute("INSERT INTO message_words(message_words) VALUES ('optimize')")
            return found.rowcount

    def set_asked(self, conversation_id: int, model_id: str, sampling: Sampling) -> None:
        """What it was asked with now, for the next time."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE conversations SET model_id = ?, sampling = ? WHERE id = ?",
                (model_id, sampling_as_json(sampling), conversation_id),
            )

    # --- messages -------------------------------------------------------------------------------

    def branch(self, conversation_id: int) -> tuple[Message, ...]:
        """See tree.branch."""
        return tree.branch(self._database, conversation_id)

    def path_to(self, message_id: int) -> tuple[Message, ...]:
        """See tree.path_to."""
        return tree.path_to(self._database, message_id)

    def message(self, message_id: int) -> Message:
        return tree.message(self._database, message_id)

    def siblings(self, message_id: int) -> tuple[Message, ...]:
        """See tree.siblings."""
        return tree.siblings(self._database, message_id)

    def versions(self, conversation_id: int) -> dict[int, tuple[int, ...]]:
        """See tree.versions."""
        return tree.versions(self._database, conversation_id)

    def show(self, message_id: int) -> None:
        """Show the branch through this message, down to its latest leaf."""
        message = self.message(message_id)
        leaf = tree.latest_leaf(self._database, message_id)
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE conversations SET leaf_id = ? WHERE id = ?",
                (leaf, message.conversation_id),
            )

    def archive(self, conversation_id: int) -> Archive:
        """Every branch of it."""
        conversation = self.conversation(conversation_id)
        shown = self._database.read(
            "SELECT leaf_id FROM conversations WHERE id = ?", conversation_id
        )
        messages = tree.all_messages(self._database, conversation_id)
        archive = archive_of(conversation, messages, shown[0][0])
        names = {folder.id: folder.name for folder in self.folders.all()}
        return dataclasses.replace(archive, folder=names.get(conversation.folder_id or 0, ""))

    def add_archive(self, archive: Archive) -> Conversation:
        """A new conversation with all of it, last used now; wholly or not at all."""
        with self._database.writing() as connection:
            conversation_id = insert_archive(connection, archive, self._now())
        return self.conversation(conversation_id)

    def add_question(
        self,
        conversation_id: int,
        parent_id: int | None,
        text: str,
        attached: Sequence[Attachment] = (),
    ) -> Message:
        """A question below `parent_id`; the first one of a conversation gives it its title."""
        with self._database.writing() as connection:
            message = self._insert(connection, conversation_id, parent_id, Role.USER, text)
            insert_attachments(connection, message.id, attached)
            connection.execute(
                "UPDATE conversations SET title = ? WHERE id = ? AND title = ''",
                (title_from(text), conversation_id),
            )
        return dataclasses.replace(message, attachments=tuple(attached))

    def add_answer(self, question: Message, model_id: str) -> Message:
        """An empty answer that is being written from now on."""
        with self._database.writing() as connection:
            return self._insert(
                connection,
                question.conversation_id,
                question.id,
                Role.ASSISTANT,
                "",
                state=MessageState.STREAMING,
                model_id=model_id,
            )

    def update(self, message: Message) -> None:
        """Keep content, state, figures, detail and time of thinking of `message`."""
        figures = None if message.figures is None else dataclasses.asdict(message.figures)
        with self._database.writing() as connection:
            cursor = connection.execute(
                "UPDATE messages SET content = ?, state = ?, figures = ?, detail = ?,"
                " thought_seconds = ? WHERE id = ?",
                (
                    storable(message.content),
                    message.state,
                    None if figures is None else json.dumps(figures),
                    None if message.detail is None else json.dumps(message.detail),
                    message.thought_seconds,
                    message.id,
                ),
            )
            if not cursor.rowcount:
                raise NotFound("message", str(message.id))

    def discard(self, message: Message) -> None:
        """Take back an answer that never began; its question is the leaf again."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM messages WHERE id = ?", (message.id,))
            connection.execute(
                "UPDATE conversations SET leaf_id = ? WHERE id = ?",
                (message.parent_id, message.conversation_id),
            )

    def _insert(
        self,
        connection: sqlite3.Connection,
        conversation_id: int,
        parent_id: int | None,
        role: Role,
        content: str,
        *,
        state: MessageState = MessageState.COMPLETE,
        model_id: str | None = None,
    ) -> Message:
        now, content = self._now(), storable(content)
        moved = connection.execute(
            "UPDATE conversations SET updated_at = ? WHERE id = ?", (now, conversation_id)
        )
        if not moved.rowcount:
            raise NotFound("conversation", str(conversation_id))
        cursor = connection.execute(
            "INSERT INTO messages"
            " (conversation_id, parent_id, role, content, state, created_at, model_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (conversation_id, parent_id, role, content, state, now, model_id),
        )
        number = row_id(cursor)
        connection.execute(
            "UPDATE conversations SET leaf_id = ? WHERE id = ?", (number, conversation_id)
        )
        return Message(
            number, conversation_id, parent_id, role, content, state, now, model_id=model_id
        )

    def _now(self) -> str:
        return self._clock().isoformat(timespec="milliseconds")

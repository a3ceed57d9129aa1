"""A whole conversation as plain data: every branch of it, as it is exported and imported."""

from __future__ import annotations

import dataclasses
import enum
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.chat.attachment_rows import insert_attachments
from openshelf.chat.conversation import Conversation, Message
from openshelf.chat.folders import folder_named
from openshelf.chat.rows import row_id
from openshelf.chat.titles import storable


class ExportForm(enum.StrEnum):
    """JSON has all branches; the others have the one shown, to be read."""

    MARKDOWN = "md"
    JSON = "json"
    HTML = "html"


@dataclass(frozen=True)
class Archive:
    """`messages` have ids from 1 in their order, each after its parent; `leaf_id` is the end of
    the branch shown, 0 where there is none; `folder` is its folder's name, or empty."""

    conversation: Conversation
    messages: tuple[Message, ...]
    leaf_id: int
    folder: str = ""

    def branch(self) -> tuple[Message, ...]:
        """The branch shown, from its root."""
        by_id = {message.id: message for message in self.messages}
        found: list[Message] = []
        at: int | None = self.leaf_id or None
        while at is not None:
            found.append(by_id[at])
            at = by_id[at].parent_id
        return tuple(reversed(found))


def archive_of(
    conversation: Conversation, messages: Sequence[Message], leaf_id: int | None
) -> Archive:
    """From stored messages in the order of their ids."""
    numbers = {message.id: number for number, message in enumerate(messages, start=1)}
    renumbered = tuple(
        dataclasses.replace(
            message,
            id=numbers[message.id],
            parent_id=None if message.parent_id is None else numbers[message.parent_id],
        )
        for message in messages
    )
    return Archive(conversation, renumbered, numbers.get(leaf_id or 0, 0))


def insert_archive(connection: sqlite3.Connection, archive: Archive, now: str) -> int:
    """Into an open transaction; returns the conversation's id."""
    wanted = archive.conversation
    folder_id = folder_named(connection, archive.folder).id if archive.folder else None
    cursor = connection.execute(
        "INSERT INTO conversations (title, created_at, updated_at, model_id, folder_id)"
        " VALUES (?, ?, ?, ?, ?)",
        (wanted.title, wanted.created_at or now, now, wanted.model_id, folder_id),
    )
    conversation_id = row_id(cursor)
    numbers: dict[int | None, int | None] = {None: None}
    for message in archive.messages:
        figures = None if message.figures is None else dataclasses.asdict(message.figures)
        cursor = connection.execute(
            "INSERT INTO messages (conversation_id, parent_id, role, content, state,"
            " created_at, model_id, figures, thought_seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                conversation_id, numbers[message.parent_id], message.role,
                storable(message.content), message.state, message.created_at or now,
                message.model_id, None if figures is None else json.dumps(figures),
                message.thought_seconds,
            ),
        )  # fmt: skip
        numbers[message.id] = number = row_id(cursor)
        insert_attachments(connection, number, message.attachments)
    connection.execute(
        "UPDATE conversations SET leaf_id = ? WHERE id = ?",
        (numbers[archive.leaf_id], conversation_id),
    )
    return conversation_id

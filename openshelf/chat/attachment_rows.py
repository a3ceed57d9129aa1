"""Attachments in the conversations' tables."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable

from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.conversation import Message
from openshelf.database import Database

_OF_MESSAGES = """
    SELECT message_id, kind, name, tokens, facts, {content} FROM attachments
    WHERE message_id IN (SELECT id FROM messages WHERE conversation_id = ?) ORDER BY id
"""


def insert_attachments(
    connection: sqlite3.Connection, message_id: int, attachments: Iterable[Attachment]
) -> None:
    """Into an open transaction."""
    for one in attachments:
        facts = json.dumps({"counted": one.is_counted, **one.facts})
        connection.execute(
            "INSERT INTO attachments (message_id, kind, name, tokens, facts, text, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (message_id, one.kind, one.name, one.tokens, facts, one.text, one.data),
        )


def keep_counts(database: Database, message_id: int, attachments: Iterable[Attachment]) -> None:
    """The tokens of what came with a message, in the order in which it came."""
    with database.writing() as connection:
        rows = connection.execute(
            "SELECT id FROM attachments WHERE message_id = ? ORDER BY id", (message_id,)
        ).fetchall()
        for (number,), one in zip(rows, attachments, strict=True):
            facts = json.dumps({"counted": one.is_counted, **one.facts})
            connection.execute(
                "UPDATE attachments SET tokens = ?, facts = ? WHERE id = ?",
                (one.tokens, facts, number),
            )


def with_attachments(
    database: Database, messages: tuple[Message, ...], *, whole: bool = False
) -> tuple[Message, ...]:
    """Messages of one conversation, with what came with them; `whole` with text and pictures."""
    if not messages:
        return messages
    content = "text, data" if whole else "'', x''"
    rows = database.read(_OF_MESSAGES.format(content=content), messages[0].conversation_id)
    found: dict[int, list[Attachment]] = {}
    for message_id, kind, name, tokens, facts, text, data in rows:
        known = dict(json.loads(facts))
        counted = bool(known.pop("counted", False))
        found.setdefault(message_id, []).append(
            Attachment(AttachmentKind(kind), name, text, bytes(data), tokens, counted, known)
        )
    if not found:
        return messages
    return tuple(
        dataclasses.replace(message, attachments=tuple(found.get(message.id, ())))
        for message in messages
    )

"""The tree of a conversation's messages, read: branches, versions, paths up to the root."""

from __future__ import annotations

from openshelf.chat.attachment_rows import with_attachments
from openshelf.chat.conversation import Message
from openshelf.chat.rows import message_from
from openshelf.database import Database
from openshelf.errors import NotFound

_COLUMNS = (
    "id, conversation_id, parent_id, role, content, state, created_at, model_id, figures, detail,"
    " thought_seconds"
)

# From a message up to the root.
_PATH = f"""
    WITH RECURSIVE branch(id, parent_id, depth) AS (
        SELECT id, parent_id, 0 FROM messages WHERE id = ?
        UNION ALL
        SELECT messages.id, messages.parent_id, depth + 1
        FROM messages JOIN branch ON messages.id = branch.parent_id
    )
    SELECT {", ".join(f"messages.{name}" for name in _COLUMNS.split(", "))}
    FROM branch JOIN messages USING (id) ORDER BY depth DESC
"""  # noqa: S608 (our own column names)
_BRANCH = _PATH.replace("id = ?", "id = (SELECT leaf_id FROM conversations WHERE id = ?)")

# Each message on that branch with all of its versions; a root's are the conversation's roots.
_VERSIONS = """
    WITH RECURSIVE branch(id, parent_id) AS (
        SELECT id, parent_id FROM messages
        WHERE id = (SELECT leaf_id FROM conversations WHERE id = ?)
        UNION ALL
        SELECT messages.id, messages.parent_id
        FROM messages JOIN branch ON messages.id = branch.parent_id
    )
    SELECT branch.id, version.id
    FROM branch JOIN messages AS shown ON shown.id = branch.id
    JOIN messages AS version
        ON +version.conversation_id = shown.conversation_id
        AND version.parent_id IS shown.parent_id AND version.role = shown.role
    ORDER BY branch.id, version.id
"""

# Down from a message, always to the child made last.
_LATEST_LEAF = """
    WITH RECURSIVE line(id) AS (
        VALUES (?)
        UNION ALL
        SELECT (SELECT max(id) FROM messages WHERE parent_id = line.id) FROM line
        WHERE line.id IS NOT NULL
    )
    SELECT max(id) FROM line
"""


def branch(database: Database, conversation_id: int) -> tuple[Message, ...]:
    """The branch shown, from its root (a system prompt, if there is one) to its leaf."""
    rows = database.read(_BRANCH, conversation_id)
    return with_attachments(database, tuple(message_from(row) for row in rows))


def path_to(database: Database, message_id: int) -> tuple[Message, ...]:
    """From the root to this message, whichever branch is shown; with all that was attached."""
    rows = database.read(_PATH, message_id)
    return with_attachments(database, tuple(message_from(row) for row in rows), whole=True)


def all_messages(database: Database, conversation_id: int) -> tuple[Message, ...]:
    """Of every branch, in the order in which they were written; with all that was attached."""
    rows = database.read(
        f"SELECT {_COLUMNS} FROM messages WHERE conversation_id = ? ORDER BY id",  # noqa: S608
        conversation_id,
    )
    return with_attachments(database, tuple(message_from(row) for row in rows), whole=True)


def message(database: Database, message_id: int) -> Message:
    """Raises NotFound."""
    rows = database.read(f"SELECT {_COLUMNS} FROM messages WHERE id = ?", message_id)  # noqa: S608
    if not rows:
        raise NotFound("message", str(message_id))
    return message_from(rows[0])


def siblings(database: Database, message_id: int) -> tuple[Message, ...]:
    """All answers to the same question (or all versions of it), oldest first, itself too."""
    own = message(database, message_id)
    rows = database.read(
        f"SELECT {_COLUMNS} FROM messages"  # noqa: S608
        " WHERE conversation_id = ? AND parent_id IS ? ORDER BY id",
        own.conversation_id,
        own.parent_id,
    )
    return tuple(message_from(row) for row in rows)


def versions(database: Database, conversation_id: int) -> dict[int, tuple[int, ...]]:
    """Of each message on the branch shown that has several versions: all ids, oldest first."""
    found: dict[int, list[int]] = {}
    for shown, version in database.read(_VERSIONS, conversation_id):
        found.setdefault(shown, []).append(version)
    return {shown: tuple(ids) for shown, ids in found.items() if len(ids) > 1}


def latest_leaf(database: Database, message_id: int) -> int:
    """Down from a message, always to the child made last."""
    return int(database.read(_LATEST_LEAF, message_id)[0][0])

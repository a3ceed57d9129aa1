"""The conversations' database: its tables, version by version."""

from __future__ import annotations

from openshelf.database import Schema

CHATS = Schema(
    "chats",
    (
        """
    CREATE TABLE conversations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        title TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        model_id TEXT,
        leaf_id INTEGER
    );
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation_id INTEGER NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
        parent_id INTEGER REFERENCES messages(id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        content TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        model_id TEXT,
        figures TEXT,
        detail TEXT
    );
    CREATE INDEX messages_by_conversation ON messages(conversation_id);
    CREATE INDEX messages_by_parent ON messages(parent_id);
    """,
    ),
)

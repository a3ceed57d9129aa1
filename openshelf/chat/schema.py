"""The conversations' database: its tables, version by version."""

from __future__ import annotations

import sqlite3

# One script per version; `user_version` says how many have run.
MIGRATIONS = (
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
)


class TooNew(Exception):
    """Written by a later version of the app."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to this version; each step wholly or not at all. Raises TooNew."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise TooNew(version)
    for number in range(version, len(MIGRATIONS)):
        # executescript ends a transaction that is open, so the script brings its own.
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;{MIGRATIONS[number]}PRAGMA user_version={number + 1};COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

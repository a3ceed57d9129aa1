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
        # Trigrams find parts of words in any script. What is being written is not in it yet: it
        # is kept anew each second.
        """
    ALTER TABLE conversations ADD COLUMN is_pinned INTEGER NOT NULL DEFAULT 0;
    CREATE VIRTUAL TABLE message_words USING fts5(content, tokenize = 'trigram');
    INSERT INTO message_words(rowid, content)
        SELECT id, content FROM messages WHERE role <> 'system' AND state <> 'streaming';
    CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
        INSERT INTO message_words(rowid, content)
            SELECT new.id, new.content WHERE new.role <> 'system' AND new.state <> 'streaming';
    END;
    CREATE TRIGGER message_changed AFTER UPDATE OF content, state ON messages BEGIN
        DELETE FROM message_words WHERE rowid = old.id;
        INSERT INTO message_words(rowid, content)
            SELECT new.id, new.content WHERE new.role <> 'system' AND new.state <> 'streaming';
    END;
    CREATE TRIGGER message_gone AFTER DELETE ON messages BEGIN
        DELETE FROM message_words WHERE rowid = old.id;
    END;
    """,
        # What a conversation is asked with; named settings and prompts; what publishers recommend;
        # files that came with a question: their text, or the picture itself.
        """
    ALTER TABLE conversations ADD COLUMN sampling TEXT;
    CREATE TABLE presets (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, name)
    );
    CREATE TABLE recommendations (model_id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE attachments (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        message_id INTEGER NOT NULL REFERENCES messages(id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        facts TEXT NOT NULL,
        text TEXT NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX attachments_by_message ON attachments(message_id);
    """,
        # A folder that goes leaves its chats where they are.
        """
    CREATE TABLE folders (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL
    );
    ALTER TABLE conversations
        ADD COLUMN folder_id INTEGER REFERENCES folders(id) ON DELETE SET NULL;
    """,
        "ALTER TABLE messages ADD COLUMN thought_seconds REAL;",
    ),
)

"""The library's database: its tables, version by version."""

from __future__ import annotations

from openshelf.database import Schema

LIBRARY = Schema(
    "library",
    (
        """
    CREATE TABLE models (
        id TEXT PRIMARY KEY, repo TEXT NOT NULL, commit_id TEXT NOT NULL, name TEXT NOT NULL,
        quant TEXT, license_expression TEXT NOT NULL, license_ids TEXT NOT NULL, record_id TEXT,
        source TEXT NOT NULL, installed_at TEXT NOT NULL, verified_at TEXT, last_used_at TEXT,
        decode_tokens_per_second REAL, license_json TEXT NOT NULL
    );
    CREATE TABLE files (
        model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE, position INTEGER NOT NULL,
        path TEXT NOT NULL, location TEXT NOT NULL, blob TEXT NOT NULL, size_bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL, is_ours INTEGER NOT NULL, PRIMARY KEY (model_id, position)
    );
    CREATE TABLE placed (location TEXT PRIMARY KEY);
    """,
    ),
)

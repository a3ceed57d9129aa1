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
        """
    CREATE TABLE measurements (
        id INTEGER PRIMARY KEY, model_id TEXT NOT NULL, measured_at TEXT NOT NULL,
        engine_version TEXT NOT NULL, architecture TEXT NOT NULL, source TEXT NOT NULL,
        plan TEXT NOT NULL
    );
    CREATE INDEX measurements_of_model ON measurements (model_id, id);
    CREATE TABLE measured_components (
        measurement_id INTEGER NOT NULL REFERENCES measurements (id) ON DELETE CASCADE,
        position INTEGER NOT NULL, device TEXT NOT NULL, component TEXT NOT NULL,
        predicted_bytes INTEGER NOT NULL, measured_bytes INTEGER,
        PRIMARY KEY (measurement_id, position)
    );
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, model_id TEXT NOT NULL, measured_at TEXT NOT NULL,
        n_gpu_layers INTEGER NOT NULL, decode_tokens_per_second REAL NOT NULL,
        device TEXT NOT NULL, kind TEXT NOT NULL, engine_version TEXT NOT NULL,
        n_threads INTEGER NOT NULL, bytes_per_second REAL, operations_per_second REAL
    );
    CREATE INDEX runs_of_device ON runs (device, kind, engine_version, n_threads, id);
    """,
        """
    ALTER TABLE models ADD COLUMN damaged_path TEXT;
    ALTER TABLE models ADD COLUMN damaged_sha256 TEXT;
    ALTER TABLE models ADD COLUMN origin TEXT NOT NULL DEFAULT '';
    """,
        # Files below a model folder are kept relative to it (`location`), others where they are;
        # `blob` is not read any more.
        """
    CREATE TABLE folders (
        id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE,
        is_standard INTEGER NOT NULL DEFAULT 0, mount TEXT NOT NULL DEFAULT ''
    );
    ALTER TABLE files ADD COLUMN folder_id INTEGER REFERENCES folders (id);
    ALTER TABLE files ADD COLUMN modified_ns INTEGER;
    ALTER TABLE files ADD COLUMN inode INTEGER;
    ALTER TABLE files ADD COLUMN edges_sha256 TEXT;
    ALTER TABLE files ADD COLUMN verified_at TEXT;
    UPDATE files SET verified_at =
        (SELECT models.verified_at FROM models WHERE models.id = files.model_id);
    CREATE INDEX files_by_place ON files (folder_id, location);
    CREATE INDEX files_by_size ON files (size_bytes);
    """,
        # What the last look for an update found, as long as it is news.
        """
    CREATE TABLE updates (
        model_id TEXT PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE,
        state TEXT NOT NULL, commit_id TEXT NOT NULL, found_at TEXT NOT NULL
    );
    """,
    ),
)

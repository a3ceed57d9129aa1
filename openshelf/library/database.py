"""Opens the library's SQLite file in whatever state it is: whole, broken, newer or not writable."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from openshelf.errors import NotEnoughDisk, UsageError
from openshelf.reasons import Reason

log = logging.getLogger(__name__)
SCHEMA_VERSION = 1
_SCHEMA = """
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
"""
_BUSY_SECONDS = 3.0
_FILES = ("", "-wal", "-shm")


class _Newer(Exception):
    """The file has a schema of a later version."""


def open_database(path: Path) -> tuple[sqlite3.Connection, Reason | None]:
    """A connection that works, and what was wrong with the file (None where nothing was)."""
    try:
        return _open(path), None
    except _Newer:
        return _in_memory(path, "library_from_newer_version")
    except sqlite3.OperationalError as error:
        # Locked, read-only, full: the file itself may be well.
        log.warning("library: %s", error)
        return _in_memory(path, "library_not_usable")
    except OSError as error:
        log.warning("library: %s", error.strerror)
        return _in_memory(path, "library_not_usable")
    except sqlite3.DatabaseError as error:
        log.warning("library: the file is broken (%s) and was put aside", error)
    aside = _put_aside(path)
    try:
        return _open(path), Reason("library_was_broken", {"path": str(aside)})
    except (OSError, sqlite3.Error, _Newer):
        return _in_memory(path, "library_not_usable")


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise _Newer
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if version == 0:
        _create(connection)
    elif connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("quick_check")


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been first.
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _in_memory(path: Path, code: str) -> tuple[sqlite3.Connection, Reason]:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _set_up(connection)
    return connection, Reason(code, {"path": str(path)})


def _put_aside(path: Path) -> Path:
    mark = f".broken-{int(time.time())}"
    for ending in _FILES:
        with contextlib.suppress(OSError):
            old = path.with_name(path.name + ending)
            old.replace(path.with_name(path.name + mark + ending))
    return path.with_name(path.name + mark)


@contextlib.contextmanager
def sql_failures(path: Path) -> Iterator[None]:
    """Errors of SQLite as ours."""
    try:
        yield
    except sqlite3.Error as error:
        if "full" in str(error):
            raise NotEnoughDisk(str(path.parent), 1 << 20, 0) from error
        raise UsageError(f"The library {path} cannot be used: {error}") from error

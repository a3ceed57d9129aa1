"""A SQLite file of ours: opened whatever state it is in, one transaction at a time.

A damaged file is set aside and never deleted; without any place to write, the database lives in
memory, and `notes` says so.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openshelf.errors import NotEnoughDisk
from openshelf.reasons import Reason

log = logging.getLogger(__name__)

_BUSY_SECONDS = 10.0
_CHECKED_BYTES = 64_000_000
"""A larger file is not read through at each start."""
_TABLE = re.compile(r"CREATE (?:VIRTUAL )?TABLE (\w+)")
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(frozen=True)
class Schema:
    """The tables, version by version: one script each, `user_version` says how many have run.

    `name` begins the codes of the notes: `NAME_set_aside`, `NAME_too_new`, `NAME_not_kept`.
    """

    name: str
    migrations: tuple[str, ...]


class _TooNew(Exception):
    """Written by a later version of the app."""


class Database:
    """One connection for all threads. WAL and synchronous=FULL: what was acknowledged stays.

    Without a path it lives in memory, for what nobody wants kept.
    """

    def __init__(self, path: Path | None, schema: Schema) -> None:
        self._path = path or Path(":memory:")
        self._schema = schema
        self._lock = threading.RLock()
        self.notes: tuple[Reason, ...] = ()
        """What had to be done to open it, for the window to say."""
        self._connection = self._in_memory() if path is None else self._open()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def read(self, sql: str, *values: object) -> list[Any]:
        """All rows, as tuples."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when the block is left. Raises NotEnoughDisk."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if _code_of(error) == sqlite3.SQLITE_FULL:
                    raise self._full() from error
                raise

    def _full(self) -> NotEnoughDisk:
        folder = self._path.parent
        return NotEnoughDisk(str(folder), 1_000_000, shutil.disk_usage(folder).free)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._open_file()
        except _TooNew:
            self._note("too_new", path=str(self._path))
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            if _code_of(error) in _DAMAGED or isinstance(error, UnicodeDecodeError):
                return self._open_anew()
            log.warning("%s cannot be kept: %s", self._path.name, error)
            self._note("not_kept", path=str(self._path), detail=str(error))
        return self._in_memory()

    def _in_memory(self) -> sqlite3.Connection:
        return self._prepared(_connected(":memory:"))

    def _note(self, what: str, **data: str) -> None:
        self.notes = (Reason(f"{self._schema.name}_{what}", data),)

    def _open_file(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Made by us first: SQLite would create it for everybody to read.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with contextlib.suppress(OSError):
            self._path.chmod(0o600)
        connection = _connected(self._path)
        try:
            # Before anything is written: a later version's file is left as it is.
            _check_version(connection, self._schema.migrations)
            connection.execute("PRAGMA journal_mode = WAL")
            if self._path.stat().st_size <= _CHECKED_BYTES:
                _check(connection)
            return self._prepared(connection)
        except BaseException:
            connection.close()
            raise

    def _open_anew(self) -> sqlite3.Connection:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        number = 0
        while aside.exists():
            number += 1
            aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}-{number}")
        log.warning("%s is damaged and is set aside as %s", self._path.name, aside.name)
        self._note("set_aside", path=str(aside))
        try:
            for suffix in ("", "-wal", "-shm"):
                part = self._path.with_name(self._path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            return self._open_file()
        except (sqlite3.Error, OSError) as error:
            self._note("not_kept", path=str(self._path), detail=str(error))
            return self._in_memory()

    def _prepared(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        # WAL alone keeps consistency; FULL is what keeps what was acknowledged through a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is deleted is gone from the file too; only some builds of SQLite do so by themselves.
        connection.execute("PRAGMA secure_delete = ON")
        _migrate(connection, self._schema.migrations)
        _check_tables(connection, self._schema.migrations)
        return connection


class _Damaged(sqlite3.DatabaseError):
    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def _connected(place: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        place, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    # One byte that rotted in one name must not make all the others unreadable.
    connection.text_factory = _readable
    return connection


def _readable(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _check(connection: sqlite3.Connection) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise _Damaged(answer)


def _check_version(connection: sqlite3.Connection, migrations: tuple[str, ...]) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise _TooNew(version)
    if version < 0:
        raise _Damaged("version")
    return version


def _check_tables(connection: sqlite3.Connection, migrations: tuple[str, ...]) -> None:
    """Raises _Damaged where a table is gone: nothing could be read or kept."""
    wanted = {name for script in migrations for name in _TABLE.findall(script)}
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    if gone := wanted - {name for (name,) in rows}:
        raise _Damaged(f"without {', '.join(sorted(gone))}")


def _migrate(connection: sqlite3.Connection, migrations: tuple[str, ...]) -> None:
    """Bring the file to this version; each step wholly or not at all. Raises _TooNew."""
    version = _check_version(connection, migrations)
    for number in range(version, len(migrations)):
        # executescript ends a transaction that is open, so the script brings its own.
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;{migrations[number]}PRAGMA user_version={number + 1};COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _code_of(error: BaseException) -> int | None:
    # The low byte is the primary code, the rest says where.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF

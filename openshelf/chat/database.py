"""The file under the conversations: opened whatever state it is in, one transaction at a time.

A damaged file is set aside and never deleted; without any place to write, the database lives in
memory, and `notes` says so.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openshelf.chat.schema import TooNew, migrate
from openshelf.errors import NotEnoughDisk
from openshelf.reasons import Reason

log = logging.getLogger(__name__)

_BUSY_SECONDS = 10.0
_CHECKED_BYTES = 64_000_000
"""A larger file is not read through at each start."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Database:
    """One connection for all threads. WAL and synchronous=FULL: what was acknowledged stays.

    Without a path it lives in memory, for conversations that nobody wants kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path or Path(":memory:")
        self._lock = threading.RLock()
        self.notes: tuple[Reason, ...] = ()
        """What had to be done to open it, for the window to say."""
        self._connection = _prepared(_connected(":memory:")) if path is None else self._open()

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
        except TooNew:
            self.notes = (Reason("chats_too_new", {"path": str(self._path)}),)
        except (sqlite3.Error, OSError) as error:
            if _code_of(error) in _DAMAGED:
                return self._open_anew()
            log.warning("conversations cannot be kept: %s", error)
            self.notes = (Reason("chats_not_kept", {"detail": str(error)}),)
        return _prepared(_connected(":memory:"))

    def _open_file(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Made by us first: SQLite would create it for everybody to read.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with contextlib.suppress(OSError):
            self._path.chmod(0o600)
        connection = _connected(self._path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            if self._path.stat().st_size <= _CHECKED_BYTES:
                _check(connection)
            return _prepared(connection)
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
        self.notes = (Reason("chats_set_aside", {"path": str(aside)}),)
        try:
            for suffix in ("", "-wal", "-shm"):
                part = self._path.with_name(self._path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            return self._open_file()
        except (sqlite3.Error, OSError) as error:
            self.notes = (Reason("chats_not_kept", {"detail": str(error)}),)
            return _prepared(_connected(":memory:"))


class _Damaged(sqlite3.DatabaseError):
    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def _connected(place: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(
        place, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _check(connection: sqlite3.Connection) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise _Damaged(answer)


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    # WAL alone keeps consistency; FULL is what keeps an acknowledged message through a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    return connection


def _code_of(error: BaseException) -> int | None:
    # The low byte is the primary code, the rest says where.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF

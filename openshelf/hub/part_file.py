"""The unfinished file on disk: its length is the truth about what was received, its hash runs
along, and only what was verified gets the blob's name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from openshelf.durable import sync_folder
from openshelf.errors import ChecksumMismatch, NotEnoughDisk, UnwritableFile, UsageError
from openshelf.hub.cache_layout import (
    Place,
    is_sidecar_of,
    write_sidecar,
)
from openshelf.hub.entries import DownloadFile
from openshelf.hub.running_hash import RunningHash

_HASHED_AT_ONCE = 1 << 20
_SLACK_BYTES = 64 << 20
"""Some of what is free is kept for the system, and more may have become free meanwhile."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

OnHashed = Callable[[int], None]
"""Called with the bytes hashed so far; may raise CancelledByUser."""


def disk_failure(error: OSError, folder: Path, needed_bytes: int) -> NotEnoughDisk | UsageError:
    """An error of the file system as one of ours."""
    if error.errno not in _FULL:
        where = error.filename2 or error.filename or folder
        return UnwritableFile(error.strerror or type(error).__name__, str(where))
    free = 0
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(folder).free
    why = {errno.EFBIG: "file_size", errno.EDQUOT: "quota"}.get(error.errno or 0, "")
    if not why and free > needed_bytes + _SLACK_BYTES:
        why = "no_room"
    return NotEnoughDisk(str(folder), needed_bytes, free, why)


def clear_way(path: Path) -> None:
    """Nothing but a plain file may lie where one of ours goes: a link would lead out of here, a
    pipe would never answer. A folder is put aside with all that is in it. Raises OSError."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISREG(mode):
        return
    if not stat.S_ISDIR(mode):
        path.unlink(missing_ok=True)
        return
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    path.rename(aside)


def _open_itself(path: str, flags: int) -> int:
    """Not what a link in its place points to."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def sha256_of(path: Path, on_hashed: OnHashed) -> str:
    """Hash a file in pieces. Raises OSError."""
    with path.open("rb") as file:
        return _hash_rest(file, on_hashed).hexdigest()


def _hash_rest(file: IO[bytes], on_hashed: OnHashed) -> hashlib._Hash:
    digest = hashlib.sha256()
    done = 0
    buffer = memoryview(bytearray(_HASHED_AT_ONCE))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
        done += count
        on_hashed(done)
    return digest


class PartFile:
    """Open for appending; `length` bytes are on disk and in the running hash.

    Bytes are read straight into `room()` and then appended: what is hashed is what was written.
    """

    def __init__(self, place: Place, file: DownloadFile, on_hashed: OnHashed) -> None:
        """Go on with what is there, if it was begun for the same content; else begin.

        Raises NotEnoughDisk, UsageError (a folder that cannot be written).
        """
        self._place = place
        self._file = file
        self._on_hashed = on_hashed
        with self._disk_errors(file.size_bytes):
            place.part.parent.mkdir(parents=True, exist_ok=True)
            for path in (place.part, place.sidecar, place.bad, place.blob):
                clear_way(path)
            if not is_sidecar_of(place, file) or self._size_on_disk() > file.size_bytes:
                place.part.unlink(missing_ok=True)
                write_sidecar(place, file)
            place.bad.unlink(missing_ok=True)
            # Unbuffered: what write() took is on its way to the disk even if we are killed.
            self._handle = open(place.part, "ab+", buffering=0, opener=_open_itself)  # noqa: SIM115
        try:
            self._hash_what_is_here()
        except BaseException:
            self._handle.close()
            raise
        self.resumed_from_bytes = self.length

    def _hash_what_is_here(self) -> None:
        with self._disk_errors(0):
            self._handle.seek(0)
            self._hash = RunningHash(_hash_rest(self._handle, self._on_hashed))
            self.length = self._handle.tell()

    def _size_on_disk(self) -> int:
        try:
            return self._place.part.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def is_gguf(self) -> bool:
        """By its name; such a file begins with four letters that are known."""
        return self._file.path.lower().endswith(".gguf")

    @property
    def missing_bytes(self) -> int:
        return self._file.size_bytes - self.length

    def room(self, most: int) -> memoryview:
        """Where the next bytes are read into: at most `most`, never beyond the end of the file."""
        return self._hash.room()[: min(most, self.missing_bytes)]

    def append(self, count: int) -> None:
        """Write, then hash, `count` bytes of the room.

        Raises NotEnoughDisk; what was written stays.
        """
        room, written = self._hash.room()[:count], 0
        try:
            while written < count:
                with self._disk_errors(self.missing_bytes - written):
                    written += self._handle.write(room[written:]) or 0
        finally:
            # At once: the room may be another one afterwards.
            self._hash.add(written)
            self.length += written

    def count_equal(self, at: int, data: memoryview) -> int:
        """How many of the first bytes of `data` are those that lie on disk from `at` on."""
        with self._disk_errors(0):
            self._handle.seek(at)
            here = self._handle.read(len(data)) or b""
        if data[: len(here)] == here:
            return len(here)
        return next(
            i for i, (one, other) in enumerate(zip(here, data, strict=False)) if one != other
        )

    def cut_to(self, length: int) -> None:
        """What lies behind is not what the file has there."""
        self._hash.close()
        with self._disk_errors(0):
            self._handle.truncate(length)
        self._hash_what_is_here()
        self.resumed_from_bytes = min(self.resumed_from_bytes, length)

    def finish(self) -> None:
        """Give the file the blob's name if its hash is right.

        Else it is put aside as `.bad` and ChecksumMismatch raised.
        """
        actual = self._hash.hexdigest()
        with self._disk_errors(0):
            os.fsync(self._handle.fileno())
            self._handle.close()
            is_right = actual == self._file.sha256 and self.length == self._file.size_bytes
            self._place.part.replace(self._place.blob if is_right else self._place.bad)
            sync_folder(self._place.blob.parent)
            with contextlib.suppress(FileNotFoundError):
                self._place.sidecar.unlink()
        if not is_right:
            raise ChecksumMismatch(self._file.path, self._file.sha256, actual)

    def close(self) -> None:
        self._hash.close()
        if not self._handle.closed:
            with contextlib.suppress(OSError):
                os.fsync(self._handle.fileno())
            self._handle.close()

    @contextlib.contextmanager
    def _disk_errors(self, needed_bytes: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_failure(error, self._place.repo_folder.parent, needed_bytes) from error

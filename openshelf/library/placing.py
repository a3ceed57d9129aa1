"""Puts a file that lies on this machine into the cache: linked where possible, else copied, and
under its own name only when verified.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from openshelf.durable import sync_folder
from openshelf.errors import BadFile, ChecksumMismatch
from openshelf.hub.cache_layout import link_snapshot, place_of, remove_empty_folders
from openshelf.hub.entries import DownloadFile
from openshelf.hub.part_file import disk_failure
from openshelf.library.hashing import sha256_of_file
from openshelf.tasks import CancelToken, Progress, Report

_PIECE = 4 << 20
_FICLONE = 0x40049409
"""The request of linux/fs.h that lets a file share the blocks of another."""


def place_copy(
    source: Path, file: DownloadFile, models: Path, cancel: CancelToken, report: Report
) -> Path:
    """Put `source` into the cache as `file`, linked where possible; its path in the snapshot.

    Raises ChecksumMismatch, NotEnoughDisk, UsageError, CancelledByUser. The source stays.
    """

    def link(draft: Path) -> bool:
        if not _linked(source, draft):
            return False
        _verify(draft, file, cancel, report)
        return True

    return _place(file, models, link) or copy_into(source, file, models, cancel, report)


def copy_into(
    source: Path, file: DownloadFile, models: Path, cancel: CancelToken, report: Report
) -> Path:
    """The same by copying all bytes. Raises what `place_copy` does."""

    def copy(draft: Path) -> bool:
        _copy(source, draft, file, cancel, report)
        _verify(draft, file, cancel, report)
        return True

    _place(file, models, copy)
    return place_of(models, file).snapshot


def link_into(source: Path, file: DownloadFile, models: Path) -> Path | None:
    """The same without copying: a second name for a verified source, or a clone of it.

    None where the file system can do neither. Raises NotEnoughDisk, UsageError.
    """
    return _place(file, models, lambda draft: _linked(source, draft) or _cloned(source, draft))


def _place(file: DownloadFile, models: Path, make: Callable[[Path], bool]) -> Path | None:
    """Let `make` put the bytes into a draft and give that its name; None where it could not."""
    place = place_of(models, file)
    try:
        place.blob.parent.mkdir(parents=True, exist_ok=True)
        if not _is_good(place.blob, file):
            draft = place.blob.with_name(f"{file.sha256}.copy")
            try:
                if not make(draft):
                    remove_empty_folders(place.blob.parent, models)
                    return None
                draft.replace(place.blob)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    draft.unlink()
            sync_folder(place.blob.parent)
        link_snapshot(place)
    except OSError as error:
        raise disk_failure(error, models, file.size_bytes) from error
    return place.snapshot


def _is_good(blob: Path, file: DownloadFile) -> bool:
    return (
        blob.is_file()
        and blob.stat().st_size == file.size_bytes
        and sha256_of_file(blob, fresh=True) == file.sha256
    )


def _linked(source: Path, draft: Path) -> bool:
    """A second name for the same bytes; not possible everywhere, and never a reason to fail."""
    try:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        # Of the file itself: a name for a link would point nowhere once that link is gone.
        os.link(os.path.realpath(source), draft)
    except OSError:
        return False
    return True


def _cloned(source: Path, draft: Path) -> bool:
    """A file of its own that shares the blocks, on Btrfs, XFS and the like."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        with source.open("rb") as reader, draft.open("wb") as writer:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        return False
    return True


def _copy(
    source: Path, draft: Path, file: DownloadFile, cancel: CancelToken, report: Report
) -> None:
    done = 0
    with source.open("rb") as reader, draft.open("wb") as writer:
        while piece := reader.read(_PIECE):
            cancel.raise_if_cancelled()
            writer.write(piece)
            done += len(piece)
            report(Progress(done, file.size_bytes, "copying"))
        writer.flush()
        os.fsync(writer.fileno())


def _verify(draft: Path, file: DownloadFile, cancel: CancelToken, report: Report) -> None:
    digest, done = hashlib.sha256(), 0
    with draft.open("rb") as reader:
        while piece := reader.read(_PIECE):
            cancel.raise_if_cancelled()
            digest.update(piece)
            done += len(piece)
            report(Progress(done, file.size_bytes, "verifying"))
    if digest.hexdigest() != file.sha256:
        raise ChecksumMismatch(file.path, file.sha256, digest.hexdigest())


def check_source(path: Path, file: DownloadFile, cancel: CancelToken, report: Report) -> None:
    """A file that stays where it is must still be the one that was offered.

    Raises ChecksumMismatch, UsageError (it cannot be read).
    """

    def on_hashed(done: int) -> None:
        cancel.raise_if_cancelled()
        report(Progress(done, file.size_bytes, "verifying"))

    if not path.is_file():
        raise BadFile(path=str(path), why="gone")
    actual = sha256_of_file(path, on_hashed)
    if actual != file.sha256:
        raise ChecksumMismatch(str(path), file.sha256, actual)

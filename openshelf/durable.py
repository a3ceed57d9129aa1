"""Files that are whole after a crash or a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path


def replace_file(path: Path, content: bytes, *, is_private: bool = False) -> None:
    """Replace `path` in one step; after a crash it is the old or the new file, never a half.

    `is_private`: for its owner only. Raises OSError; then the old file is as it was.
    """
    if path.is_block_device() or path.is_char_device():
        # An administrator may rename over /dev/null, and the system would miss it.
        raise OSError(errno.EEXIST, "it is a device", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(draft, flags, 0o600 if is_private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have new names in `folder` on disk, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

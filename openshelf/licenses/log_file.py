"""Reads and opens the files of the acceptance log as what they should be: plain files of our own.

A link in their place would have us write into somebody's other file, a pipe would have us wait
for ever, and an endless file would fill the memory.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

_MOST_BYTES = 256 << 20
"""Some 80,000 records; more is no log of ours."""
_CHUNK = 1 << 20


def read_plain(path: Path, most_bytes: int = _MOST_BYTES) -> bytes:
    """The content. Raises OSError, also for a link, a folder, a pipe, and for too much."""
    descriptor = _open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))
        if state.st_size > most_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        parts = []
        while part := file.read(_CHUNK):
            parts.append(part)
    return b"".join(parts)


def open_for_appending(path: Path) -> int:
    """A descriptor on the file, made for its owner only. Raises OSError, also for a link."""
    return _open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def decoded(content: bytes | str) -> Any:
    """The JSON value. Raises ValueError, also for what is nested without end."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _open(path: Path, flags: int) -> int:
    if path.is_symlink():  # not every system can be asked for it in one step
        raise OSError(errno.ELOOP, "it is a link", str(path))
    more = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags | more, 0o600)

"""SHA-256 of files on disk, remembered as long as a file stays as it is."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from openshelf.errors import BadFile

_PIECE = 1 << 20
_known: dict[tuple[str, int, int, int], str] = {}
_lock = threading.Lock()


def sha256_of_file(
    path: Path, on_hashed: Callable[[int], None] | None = None, *, fresh: bool = False
) -> str:
    """The hash in hex; with `fresh` the bytes are read again in any case.

    `on_hashed` hears the bytes done and may raise CancelledByUser. Raises UsageError for a file
    that cannot be read.
    """
    try:
        facts = path.stat()
        key = (str(path.resolve()), facts.st_ino, facts.st_size, facts.st_mtime_ns)
        with _lock:
            known = _known.get(key)
        if known is not None and not fresh:
            return known
        digest = hashlib.sha256()
        done = 0
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                done += len(piece)
                if on_hashed is not None:
                    on_hashed(done)
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise BadFile(detail, str(path), "unreadable") from error
    with _lock:
        _known[key] = digest.hexdigest()
    return digest.hexdigest()

"""Who runs a download: a lock beside its entry, held by the process that runs it, and a file by
which another process asks it to stop. No socket, and nothing is left when the holder is killed.
"""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from openshelf.durable import replace_file

_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 0.5
"""For the lock: somebody may just be looking whether it is held."""


class Wish(enum.StrEnum):
    """What another process may ask of the one that runs a download."""

    PAUSE = "pause"
    CANCEL = "cancel"
    LOOK = "look"
    """Its entry was changed: look at it again."""


@contextlib.contextmanager
def running_mark(folder: Path, download_id: str, on_wish: Callable[[Wish], None]) -> Iterator[None]:
    """Say that this process runs the download, and hear what others wish of it.

    On a disk that takes no more files it runs unmarked: then only this process can stop it.
    """
    import filelock

    lock = filelock.FileLock(_lock_file(folder, download_id))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_PATIENCE_SECONDS)
    except (OSError, NotImplementedError):  # filelock.Timeout is an OSError
        yield
        return
    ended = threading.Event()
    with contextlib.suppress(OSError):
        _wish_file(folder, download_id).unlink()
    listener = threading.Thread(
        target=_listen, args=(_wish_file(folder, download_id), ended, on_wish), name="wishes"
    )
    listener.start()
    try:
        yield
    finally:
        ended.set()
        listener.join()
        lock.release()
        _clean(folder, download_id)


def is_running(folder: Path, download_id: str) -> bool:
    """Whether some process runs it now."""
    import filelock

    path = _lock_file(folder, download_id)
    if not path.exists():
        return False
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    _clean(folder, download_id)
    return False


def ask_for(folder: Path, download_id: str, wish: Wish) -> None:
    """Ask whoever runs it; heard within a quarter of a second. Raises OSError."""
    replace_file(_wish_file(folder, download_id), wish.value.encode())


def take_back(folder: Path, download_id: str) -> None:
    """What was asked for too late, when nobody ran it any more, is asked of nobody."""
    with contextlib.suppress(OSError):
        _wish_file(folder, download_id).unlink()


def _listen(path: Path, ended: threading.Event, on_wish: Callable[[Wish], None]) -> None:
    while not ended.wait(_LOOK_SECONDS):
        with contextlib.suppress(OSError, ValueError):
            wish = Wish(path.read_text("utf-8"))
            path.unlink()
            on_wish(wish)


def _clean(folder: Path, download_id: str) -> None:
    for path in (_lock_file(folder, download_id), _wish_file(folder, download_id)):
        with contextlib.suppress(OSError):
            path.unlink()


def _lock_file(folder: Path, download_id: str) -> Path:
    return folder / f"{download_id}.lock"


def _wish_file(folder: Path, download_id: str) -> Path:
    return folder / f"{download_id}.wish"

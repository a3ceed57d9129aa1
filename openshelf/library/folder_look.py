"""One look at a folder: whether it can be used now, and what its volume has; never for long."""

from __future__ import annotations

import contextlib
import enum
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

PATIENCE_SECONDS = 2.0
"""After this long without an answer a network folder counts as gone."""
SHORT_PATIENCE_SECONDS = 0.25
"""The same for what is only shown, and asked while the app starts or ends."""


class FolderCondition(enum.StrEnum):
    """Everything but HERE and SAME means that nothing in it can be read now."""

    HERE = "here"
    SAME = "same"
    """Another name of a folder that stands before it in the list."""
    MISSING = "missing"
    NOT_A_FOLDER = "not_a_folder"
    UNREADABLE = "unreadable"
    NOT_MOUNTED = "not_mounted"
    """An empty folder stands where a drive or a network folder was."""
    SILENT = "silent"
    """It did not answer in time."""


@dataclass(frozen=True)
class FolderLook:
    """What one look at a folder found; bytes are of its volume, 0 where unknown.

    `identity` is device and inode, None where it is not here; `mount` is where the volume begins.
    """

    condition: FolderCondition
    identity: tuple[int, int] | None = None
    is_writable: bool = False
    total_bytes: int = 0
    free_bytes: int = 0
    mount: str = ""
    is_empty: bool = False


def look_at(path: str) -> FolderLook:
    """Look at a folder; may wait as long as its volume does. Never raises."""
    try:
        facts = os.stat(path)  # noqa: PTH116
        if not os.path.isdir(path):  # noqa: PTH112
            return FolderLook(FolderCondition.NOT_A_FOLDER)
        with os.scandir(path) as entries:
            is_empty = next(entries, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return FolderLook(FolderCondition.MISSING)
    except PermissionError:
        return FolderLook(FolderCondition.UNREADABLE)
    except (OSError, ValueError):
        # An input/output error, a stale handle, a link to itself: it is not there to be used.
        return FolderLook(FolderCondition.MISSING)
    total = free = 0
    with contextlib.suppress(OSError):
        usage = shutil.disk_usage(path)
        total, free = usage.total, usage.free
    return FolderLook(
        FolderCondition.HERE,
        (facts.st_dev, facts.st_ino),
        os.access(path, os.W_OK),
        total,
        free,
        _mount_of(path),
        is_empty,
    )


def _mount_of(path: str) -> str:
    """The folder itself or the nearest above it in which a volume begins."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)  # noqa: PTH120
    return path


_T = TypeVar("_T")


class Patience:
    """Asks in threads of their own: a network folder that is gone may never answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stuck: dict[str, threading.Thread] = {}

    def ask(self, place: str, question: Callable[[], _T], otherwise: _T, seconds: float) -> _T:
        """What `question` answers, which never raises; `otherwise` where it does not in time, and
        at once while an earlier one about the same place has not come back."""
        with self._lock:
            stuck = self._stuck.get(place)
            if stuck is not None and stuck.is_alive():
                return otherwise
        answer: list[_T] = []
        thread = threading.Thread(
            target=lambda: answer.append(question()), name="openshelf-look", daemon=True
        )
        thread.start()
        thread.join(seconds)
        with self._lock:
            if thread.is_alive():
                self._stuck[place] = thread
            else:
                self._stuck.pop(place, None)
        return answer[0] if answer else otherwise


class PatientLook(Patience):
    """`look_at`, waited for at most once for each look that does not come back."""

    def __init__(
        self,
        look: Callable[[str], FolderLook] = look_at,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        super().__init__()
        self._look = look
        self._patience = patience_seconds

    def __call__(self, path: str) -> FolderLook:
        silent = FolderLook(FolderCondition.SILENT)
        return self.ask(path, lambda: self._look(path), silent, self._patience)

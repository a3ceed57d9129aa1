"""A folder that does not answer, as a network folder whose server is gone: whoever asks about it
waits until the test is over, and the main thread may not ask at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_ASKING = ("stat", "lstat", "scandir", "listdir", "access", "open", "readlink", "mkdir", "unlink")


class Silence:
    """Begins with `begin`; `asked` are the questions that wait, `main` those of the main thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
        self.asked: list[str] = []
        self.main: list[str] = []
        self._folders = [f"{folder}{os.sep}" for folder in folders]
        self._patch = monkeypatch
        self._over = threading.Event()
        self._waiting: set[threading.Thread] = set()

    def begin(self) -> None:
        for name in _ASKING:
            self._patch.setattr(os, name, self._silenced(name, getattr(os, name)))

    def end(self) -> None:
        self._over.set()
        for thread in list(self._waiting):
            thread.join(10)

    def _silenced(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def ask(path: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(path, (str, os.PathLike)):
                self._wait(name, os.fspath(path))
            return original(path, *arguments, **options)

        return ask

    def _wait(self, name: str, path: Any) -> None:
        if not any(f"{path}{os.sep}".startswith(folder) for folder in self._folders):
            return
        if self._over.is_set():
            raise OSError(116, "Stale file handle", path)
        if threading.current_thread() is threading.main_thread():
            self.main.append(f"{name} {path}")
            raise OSError(116, "the main thread asked", path)
        self.asked.append(f"{name} {path}")
        self._waiting.add(threading.current_thread())
        self._over.wait(120)
        raise OSError(116, "Stale file handle", path)

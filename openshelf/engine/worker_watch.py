"""Ends this process where a step of the engine's own does not come to an end.

A grammar's steps are native: no signal, no timer and no stop reaches into them. The last line on
stderr says what it was (refusals.py reads it).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

_LOOK_SECONDS = 0.25


class StepWatch:
    """A step that takes more than `seconds` ends the process, after `last_words` on stderr."""

    def __init__(
        self, seconds: float, last_words: str, end: Callable[[int], object] = os._exit
    ) -> None:
        self._seconds, self._last_words, self._end = seconds, last_words, end
        self._began: float | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, name="step-watch", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        self._began = time.monotonic()
        try:
            yield
        finally:
            self._began = None

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            began = self._began
            if began is not None and time.monotonic() - began > self._seconds:
                sys.stderr.write(f"\n{self._last_words}\n")
                sys.stderr.flush()
                self._end(1)
                return

"""Ctrl+C on the command line: it stops what runs, or ends a question that waits for an answer."""

from __future__ import annotations

import getpass
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from openshelf.errors import CancelledByUser
from openshelf.tasks import CancelToken

LOOK_S = 0.2  # a signal that comes just before the system call for a line waits this long


class Interrupts:
    """Turns SIGINT into the cancelling of `token`; a second one does not wait for the work."""

    def __init__(self) -> None:
        self.token = CancelToken()
        self._is_reading = False
        self._previous = signal.signal(signal.SIGINT, self._on_signal)

    def renew(self) -> CancelToken:
        """A fresh token for the next piece of work, after one that was stopped."""
        self.token = CancelToken()
        return self.token

    def read_line(self, prompt: str) -> str:
        """A line from a person, "" at the end of input. Raises CancelledByUser on Ctrl+C."""
        with self._question():
            sys.stdout.write(prompt)
            sys.stdout.flush()
            # A line read at a terminal is one line: none can wait in Python's own buffer.
            if os.name == "posix" and sys.stdin.isatty():
                while not select.select([sys.stdin], [], [], LOOK_S)[0]:
                    pass
            return sys.stdin.readline()

    def read_secret(self, prompt: str) -> str:
        """A line that a person at a terminal does not see; else the next one from stdin.

        Raises CancelledByUser on Ctrl+C and where the terminal ends the input.
        """
        if not sys.stdin.isatty():
            return self.read_line("")
        with self._question():
            try:
                return getpass.getpass(prompt)
            except EOFError as error:
                raise CancelledByUser from error

    @contextmanager
    def _question(self) -> Iterator[None]:
        # Python goes on reading after a signal, unless its handler raises; and a person may
        # answer a question the moment they see it.
        self._is_reading = True
        try:
            yield
        finally:
            self._is_reading = False

    def close(self) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _on_signal(self, signal_number: int, frame: FrameType | None) -> None:
        if self._is_reading or self.token.is_cancelled:
            raise CancelledByUser
        self.token.cancel()

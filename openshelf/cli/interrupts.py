"""Ctrl+C on the command line: it stops what runs, or ends a question that waits for an answer."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from openshelf.errors import CancelledByUser
from openshelf.tasks import CancelToken


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
        sys.stdout.write(prompt)
        sys.stdout.flush()
        # Python goes on reading after a signal, unless its handler raises.
        self._is_reading = True
        try:
            return sys.stdin.readline()
        finally:
            self._is_reading = False

    def close(self) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _on_signal(self, signal_number: int, frame: FrameType | None) -> None:
        if self._is_reading or self.token.is_cancelled:
            raise CancelledByUser
        self.token.cancel()

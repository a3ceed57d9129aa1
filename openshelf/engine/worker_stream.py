"""Token bytes to text for the wire: whole characters, no stop strings, a few tokens at a time."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Sequence

FLUSH_SECONDS = 0.03
FLUSH_TOKENS = 16
MOST_SENT = 64 << 10
"""Characters of one message: JSON makes up to six bytes of each, and the wire takes 1 MiB."""


class AnswerStream:
    """Collects the pieces of an answer and sends them in batches.

    `send(text, count)` gets text that is final: an unfinished character, or what may yet become a
    stop string, is held back.
    """

    def __init__(
        self,
        send: Callable[[str, int], None],
        stop: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._stop = tuple(text for text in stop if text)
        self._clock = clock
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = ""
        self._count = 0
        self._flushed_at = float("-inf")

    def add(self, piece: bytes) -> bool:
        """Take one token's bytes; True where a stop string ends the answer."""
        self._pending += self._decode(piece)
        self._count += 1
        if self._stop and self._cut_at_stop():
            return True
        now = self._clock()
        if self._count >= FLUSH_TOKENS or now - self._flushed_at >= FLUSH_SECONDS:
            self._flush(self._held_back())
            self._flushed_at = now
        return False

    def finish(self) -> None:
        """Send what is left; half a character becomes U+FFFD."""
        self._pending += self._decode(b"", final=True)
        if self._stop:
            self._cut_at_stop()
        self._flush(0)

    def _cut_at_stop(self) -> bool:
        places = [at for text in self._stop if (at := self._pending.find(text)) >= 0]
        if places:
            self._pending = self._pending[: min(places)]
        return bool(places)

    def _held_back(self) -> int:
        """Length of the longest tail that may be the beginning of a stop string."""
        longest = 0
        for text in self._stop:
            for length in range(min(len(text) - 1, len(self._pending)), longest, -1):
                if self._pending.endswith(text[:length]):
                    longest = length
                    break
        return longest

    def _flush(self, keep: int) -> None:
        end = len(self._pending) - keep
        text, self._pending = self._pending[:end], self._pending[end:]
        if text or self._count:
            first, rest = text[:MOST_SENT], text[MOST_SENT:]
            self._send(first, self._count)
            self._count = 0
            for at in range(0, len(rest), MOST_SENT):
                self._send(rest[at : at + MOST_SENT], 0)

"""The SHA-256 of bytes as they come: one thread reads and writes while a second one hashes."""

from __future__ import annotations

import queue
import threading
from typing import Protocol

_BUFFER_BYTES = 1 << 20
_BUFFERS = 3
"""One is filled, one is hashed, one lies between: the two threads seldom wait for each other."""
_SMALLEST_ROOM = 64 << 10


class Digest(Protocol):
    """What is needed of a hash of hashlib."""

    def update(self, data: memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class RunningHash:
    """Bytes are read straight into `room()` and counted by `add`; nothing is copied.

    Hashing frees the interpreter, so on two processors it costs no time of its own. The thread
    starts with the first full buffer: a small file needs none.
    """

    def __init__(self, digest: Digest) -> None:
        """Goes on with `digest`."""
        self._digest = digest
        self._free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._filled = 0
        self._thread: threading.Thread | None = None

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        return self._buffer[self._filled :]

    def add(self, count: int) -> None:
        """`count` bytes stand at the beginning of the room."""
        self._filled += count
        if len(self._buffer) - self._filled < _SMALLEST_ROOM:
            self._hand_over()

    def hexdigest(self) -> str:
        """The hash of all that was added; it goes no further."""
        self.close()
        self._digest.update(self._buffer[: self._filled])
        self._filled = 0
        return self._digest.hexdigest()

    def close(self) -> None:
        """End the thread; harmless when it has ended."""
        if self._thread is not None:
            self._full.put(None)
            self._thread.join()
            self._thread = None

    def _hand_over(self) -> None:
        if self._thread is None:
            for _ in range(_BUFFERS - 1):
                self._free.put(memoryview(bytearray(_BUFFER_BYTES)))
            self._thread = threading.Thread(target=self._hash_all, name="sha256")
            self._thread.start()
        self._full.put(self._buffer[: self._filled])
        # A view of a view: the whole buffer comes back as it was made.
        self._buffer = self._free.get()
        self._filled = 0

    def _hash_all(self) -> None:
        while (piece := self._full.get()) is not None:
            self._digest.update(piece)
            self._free.put(memoryview(piece.obj))

"""A bounded walk over the first bytes of a GGUF file: every step is checked before it is made."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

MAX_HEADER_BYTES = 64 << 20
"""Nothing of a header lies beyond this; real ones reach 20 MB with the largest vocabularies."""
MAX_SKIPPED_STRINGS = 1 << 21
"""Tokens and merges of all arrays together; Gemma's 262k vocabulary makes 0.8 million."""

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_FIRST_READ = 256 << 10
_MANY_STRINGS = 64
"""From so many on, their mean length tells how far the rest of an array reaches."""


class Fault(Exception):
    """A broken rule: `why` is a code, `detail` its figures."""

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(why, detail)
        self.why = why
        self.detail = detail


class IncompleteHeader(Exception):
    """The bytes at hand end inside the header; it takes at least the first `needed_bytes`."""

    def __init__(self, needed_bytes: int) -> None:
        super().__init__(needed_bytes)
        self.needed_bytes = needed_bytes


class Cursor:
    """Reads forward; `read_more(offset, size)` gives fewer bytes than asked only at the end.

    `file_bytes` is the size of the whole file. `is_prefix` tells that the bytes at hand are just
    its beginning, so that their end is no fault. `is_costly`: every byte read comes over a network,
    so that no more is asked for than what is sure or likely to be needed.
    """

    def __init__(
        self,
        read_more: Callable[[int, int], bytes],
        file_bytes: int,
        *,
        is_prefix: bool = False,
        is_costly: bool = False,
    ) -> None:
        self._read_more = read_more
        self._data = bytearray()
        self._is_prefix = is_prefix
        self._is_costly = is_costly
        self._skipped_strings = 0
        self.file_bytes = file_bytes
        self.position = 0

    @property
    def remaining(self) -> int:
        return self.file_bytes - self.position

    def _need(self, size: int, likely: int = 0) -> None:
        """Make `size` bytes from the position on available; `likely` more will be asked for."""
        end = self.position + size
        if end <= len(self._data):
            return
        if end > self.file_bytes:
            raise Fault("truncated", f"byte {end} of {self.file_bytes}")
        if end > MAX_HEADER_BYTES:
            raise Fault("header_too_large", f"more than {MAX_HEADER_BYTES} bytes")
        have = len(self._data)
        growth = likely if self._is_costly else have
        wanted = min(max(end - have, growth, _FIRST_READ), MAX_HEADER_BYTES - have)
        self._data += self._read_more(have, wanted)
        if len(self._data) < end:
            if self._is_prefix:
                raise IncompleteHeader(end)
            raise Fault("truncated", f"byte {end} of {len(self._data)}")

    def u32(self) -> int:
        self._need(4)
        (value,) = _U32.unpack_from(self._data, self.position)
        self.position += 4
        return int(value)

    def u64(self) -> int:
        self._need(8)
        (value,) = _U64.unpack_from(self._data, self.position)
        self.position += 8
        return int(value)

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        self._need(layout.size)
        values = layout.unpack_from(self._data, self.position)
        self.position += layout.size
        return values

    def raw(self, size: int) -> bytes:
        self._need(size)
        data = bytes(self._data[self.position : self.position + size])
        self.position += size
        return data

    def skip(self, size: int) -> None:
        self._need(size)
        self.position += size

    def string(self, limit: int, what: str) -> bytes:
        """A length-prefixed string of at most `limit` bytes; `what` names it in a fault."""
        length = self.u64()
        if length > limit:
            raise Fault("string_too_long", f"{what}: {length} bytes")
        return self.raw(length)

    def skip_strings(self, count: int, limit: int, what: str) -> None:
        """Pass over `count` strings of at most `limit` bytes, each of which has to end inside the
        header; `what` names them in a fault."""
        if count * 8 > self.remaining:
            raise Fault("truncated", f"{count} strings in {self.remaining} bytes")
        self._skipped_strings += count
        if self._skipped_strings > MAX_SKIPPED_STRINGS:
            raise Fault("too_many_strings", f"{self._skipped_strings}")
        data, position, end = self._data, self.position, len(self._data)
        start, length_at = position, _U64.unpack_from
        for index in range(count):
            if position + 8 > end:
                self.position = position
                self._need(8, _forecast(position - start, index, count))
                end = len(data)
            length = length_at(data, position)[0]
            if limit < length <= self.file_bytes:
                raise Fault("string_too_long", f"{what}: {length} bytes")
            position += 8 + length
            if position > end:
                self.position = position
                self._need(0, _forecast(position - start, index + 1, count))
                end = len(data)
        self.position = position


def _forecast(size: int, done: int, count: int) -> int:
    """Bytes that the rest of `count` strings will take, where `done` took `size`; 0 = unknown."""
    return size * (count - done) // done if done >= _MANY_STRINGS else 0

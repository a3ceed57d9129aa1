"""The key-value part of a GGUF header: small values kept, large ones only by their length."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from openshelf.gguf.cursor import Cursor, Fault

MAX_KEYS = 1 << 16
MAX_KEY_BYTES = 64 << 10
MAX_TEMPLATE_BYTES = 256 << 10
MAX_TOKEN_BYTES = 16 << 10
"""Real tokens stay below 1 KiB; a longer one fills an answer, and memory, at a stroke."""
KEPT_STRING_BYTES = 512 << 10
KEPT_NUMBERS = 4096
KEPT_STRINGS = 256
KEPT_TOTAL_BYTES = 8 << 20
"""Of all values together; what comes after is skipped, so that a header stays small in memory."""
MIN_ENTRY_BYTES = 13
"""A key-value pair takes at least this: 8 for the key's length, 4 for the type, 1 for the value."""

_STRING = 8
_ARRAY = 9
_BOOL = 7
_LETTERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 10: "Q", 11: "q", 12: "d"}
SCALARS = {
    number: struct.Struct(f"<{letter}") for number, letter in (_LETTERS | {_BOOL: "B"}).items()
}


@dataclass
class Metadata:
    """Values by key, and the lengths of all arrays (and of strings too long to keep).

    `kinds` are the numbers of GGUF's value types, of an array those of its elements.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    kept_bytes: int = 0

    def may_keep(self, size: int) -> bool:
        if self.kept_bytes + size > KEPT_TOTAL_BYTES:
            return False
        self.kept_bytes += size
        return True


def decode(raw: bytes) -> str:
    """Text of a file is hostile; what is not UTF-8 shows as replacement characters."""
    return raw.decode("utf-8", "replace")


def read_metadata(cursor: Cursor, count: int) -> Metadata:
    """Read `count` key-value pairs. Raises Fault."""
    if count > MAX_KEYS or count * MIN_ENTRY_BYTES > cursor.remaining:
        raise Fault("key_count", f"{count} keys in {cursor.remaining} bytes")
    metadata = Metadata()
    seen: set[bytes] = set()
    for index in range(count):
        raw = cursor.string(MAX_KEY_BYTES, f"key {index}")
        if not raw:
            raise Fault("empty_key", f"key {index}")
        key = decode(raw)
        if raw in seen:
            raise Fault("duplicate_key", key[:100])
        seen.add(raw)
        _read_value(cursor, key, metadata)
    return metadata


def _read_value(cursor: Cursor, key: str, metadata: Metadata) -> None:
    kind = metadata.kinds[key] = cursor.u32()
    if kind == _ARRAY:
        _read_array(cursor, key, metadata)
    elif kind == _STRING:
        _read_string(cursor, key, metadata)
    elif kind in SCALARS:
        (value,) = cursor.unpack(SCALARS[kind])
        metadata.values[key] = bool(value) if kind == _BOOL else value
    else:
        raise Fault("unknown_value_type", f"{key[:100]}: {kind}")


def _read_string(cursor: Cursor, key: str, metadata: Metadata) -> None:
    length = cursor.u64()
    if key.startswith("tokenizer.chat_template") and length > MAX_TEMPLATE_BYTES:
        raise Fault("template_too_long", f"{key[:100]}: {length} bytes")
    if length <= KEPT_STRING_BYTES and metadata.may_keep(length):
        metadata.values[key] = decode(cursor.raw(length))
    else:
        cursor.skip(length)
        metadata.lengths[key] = length


def _read_array(cursor: Cursor, key: str, metadata: Metadata) -> None:
    kind, count = cursor.u32(), cursor.u64()
    metadata.lengths[key] = count
    metadata.kinds[key] = kind
    if kind == _ARRAY:
        raise Fault("nested_array", key[:100])
    if kind == _STRING:
        _read_strings(cursor, key, count, metadata)
        return
    if kind not in SCALARS:
        raise Fault("unknown_value_type", f"{key[:100]}: array of {kind}")
    size = SCALARS[kind].size * count
    if size > cursor.remaining:
        raise Fault("truncated", f"{key[:100]}: {size} bytes in {cursor.remaining}")
    # 40 bytes: what an element takes as a Python object
    if count <= KEPT_NUMBERS and metadata.may_keep(40 * count):
        letter = SCALARS[kind].format[-1]
        numbers = cursor.unpack(struct.Struct(f"<{count}{letter}"))
        metadata.values[key] = tuple(map(bool, numbers)) if kind == _BOOL else numbers
    else:
        cursor.skip(size)


def _read_strings(cursor: Cursor, key: str, count: int, metadata: Metadata) -> None:
    start = cursor.position
    is_vocabulary = key.startswith("tokenizer.ggml.")
    limit = MAX_TOKEN_BYTES if is_vocabulary else cursor.file_bytes
    cursor.skip_strings(count, limit, key[:100])
    size = cursor.position - start
    # 56 bytes: what a string takes as a Python object besides its text
    may_keep = count <= KEPT_STRINGS and size <= KEPT_STRING_BYTES
    if may_keep and metadata.may_keep(size + 56 * count):
        cursor.position = start
        metadata.values[key] = tuple(decode(cursor.string(size, key)) for _ in range(count))

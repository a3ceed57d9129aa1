"""Strict reading of a GGUF header: metadata and tensor infos, nothing of the weights.

llama.cpp accepts, aborts or hangs on many a wrong integer; this reader is the first filter and
gives a reason a person can use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openshelf.errors import CorruptModel, NotFound
from openshelf.gguf.checks import check_model, check_shard
from openshelf.gguf.constants import MAGIC, READABLE_VERSIONS, file_types
from openshelf.gguf.cursor import Cursor, Fault
from openshelf.gguf.cursor import IncompleteHeader as IncompleteHeader
from openshelf.gguf.metadata import read_metadata
from openshelf.gguf.tensors import TensorInfo as TensorInfo
from openshelf.gguf.tensors import check_layout, read_alignment, read_tensors

_SHOWN_START_BYTES = 16


@dataclass(frozen=True)
class Header:
    """A file's header. Of large arrays (tokens, merges) only the length is kept.

    `header_bytes` ends with the padding before the first tensor's data.
    """

    version: int
    metadata: Mapping[str, Any]
    array_lengths: Mapping[str, int]
    tensors: tuple[TensorInfo, ...]
    header_bytes: int
    file_bytes: int
    kinds: Mapping[str, int] = field(default_factory=dict)
    """GGUF's value type of each key, of an array that of its elements."""

    @property
    def architecture(self) -> str:
        """Empty for all shards but the first."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def shard(self) -> tuple[int, int] | None:
        """(number from 1, of how many), or None for a file that is whole."""
        return check_shard(dict(self.metadata))

    @property
    def quant_told(self) -> str | None:
        """The label that `general.file_type` stands for, for files whose names say none."""
        told = self.metadata.get("general.file_type")
        return file_types().get(told) if type(told) is int else None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key below the architecture's name: `get("block_count")`."""
        return self.metadata.get(f"{self.architecture}.{key}", default)


def read_header(path: Path, *, file_bytes: int | None = None) -> Header:
    """Read and check the header of `path`.

    `file_bytes` is the whole file's size where only its header is at hand. Raises CorruptModel
    with a code, NotFound where no such file is; UnsupportedArchitecture never (that is the
    engine's word).
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would never open
            raise Fault("unreadable", "not a file")
        with path.open("rb") as file:
            size = file.seek(0, 2)

            def read_more(offset: int, count: int) -> bytes:
                file.seek(offset)
                return file.read(count)

            return _read(read_more, size if file_bytes is None else file_bytes)
    except Fault as fault:
        raise CorruptModel(path=str(path), why=fault.why, detail=fault.detail) from None
    except FileNotFoundError as error:
        raise NotFound(what="file", name=str(path)) from error
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise CorruptModel(path=str(path), why="unreadable", detail=detail) from error


def read_header_bytes(data: bytes, file_bytes: int, *, name: str = "") -> Header:
    """Read a header from the first bytes of a file of `file_bytes`.

    Raises IncompleteHeader with the number of bytes to come back with where `data` ends inside the
    header, and CorruptModel (with `name` as its path) where the header is wrong.
    """

    def read_more(offset: int, count: int) -> bytes:
        return data[offset : offset + count]

    try:
        return _read(read_more, file_bytes, is_prefix=len(data) < file_bytes)
    except Fault as fault:
        raise CorruptModel(path=name, why=fault.why, detail=fault.detail) from None


def read_header_by_ranges(
    read_range: Callable[[int, int], bytes], file_bytes: int, *, name: str = ""
) -> Header:
    """Read a header of which `read_range(offset, size)` brings pieces, one after the other.

    Fetches little more than the header itself, in as few pieces as can be foreseen. What
    `read_range` raises goes through. Raises CorruptModel with `name` as its path.
    """
    try:
        return _read(read_range, file_bytes, is_costly=True)
    except Fault as fault:
        raise CorruptModel(path=name, why=fault.why, detail=fault.detail) from None


def _read(
    read_more: Callable[[int, int], bytes],
    file_bytes: int,
    *,
    is_prefix: bool = False,
    is_costly: bool = False,
) -> Header:
    cursor = Cursor(read_more, file_bytes, is_prefix=is_prefix, is_costly=is_costly)
    version = _read_start(cursor)
    tensor_count, key_count = cursor.u64(), cursor.u64()
    metadata = read_metadata(cursor, key_count)
    alignment = read_alignment(metadata)
    check_model(metadata, tensor_count)
    tensors = read_tensors(cursor, tensor_count)
    data_start = check_layout(tensors, cursor.position, file_bytes, alignment)
    return Header(
        version=version,
        metadata=metadata.values,
        array_lengths=metadata.lengths,
        tensors=tensors,
        header_bytes=data_start,
        file_bytes=file_bytes,
        kinds=metadata.kinds,
    )


def _read_start(cursor: Cursor) -> int:
    if cursor.file_bytes == 0:
        raise Fault("empty", "0 bytes")
    start = cursor.raw(min(_SHOWN_START_BYTES, cursor.file_bytes))
    if not start.startswith(MAGIC):
        raise Fault(_what_else(start), repr(start)[2:-1])
    cursor.position = len(MAGIC)
    version = cursor.u32()
    if version & 0xFFFF == 0:
        raise Fault("big_endian", hex(version))
    if version not in READABLE_VERSIONS:
        raise Fault("version", str(version))
    return version


def _what_else(start: bytes) -> str:
    """A code for what lies there in place of a model."""
    head = start.lstrip().lower()
    if start.startswith(b"version https://"[:_SHOWN_START_BYTES]):
        return "lfs_pointer"
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"{", b"[")):
        return "not_a_model"
    return "magic"

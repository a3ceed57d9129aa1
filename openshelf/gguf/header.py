"""Strict reading of a GGUF header: metadata and tensor infos, nothing of the weights.

llama.cpp accepts, aborts or hangs on many a wrong integer; this reader is the first filter and
gives a reason a person can use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TensorInfo:
    """`type_name` is ggml's own (Q4_K, F16…); `size_bytes` without padding."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class Header:
    """A file's header. Of large arrays (tokens, merges) only the length is kept."""

    version: int
    metadata: Mapping[str, Any]
    array_lengths: Mapping[str, int]
    tensors: tuple[TensorInfo, ...]
    header_bytes: int
    file_bytes: int

    @property
    def architecture(self) -> str:
        return str(self.metadata["general.architecture"])


def read_header(path: Path, *, file_bytes: int | None = None) -> Header:
    """Read and check the header of `path`.

    `file_bytes` is the whole file's size where only its header is at hand. Raises CorruptModel
    with a code, UnsupportedArchitecture never (that is the engine's word).
    """
    raise NotImplementedError

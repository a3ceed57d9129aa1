"""A model's header with a hole in place of its weights: all that the engine needs to lay it out.

The tokenizer is replaced by its size, so that a shadow takes kilobytes and opens in milliseconds.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from openshelf.errors import EngineFailed
from openshelf.gguf.constants import DEFAULT_ALIGNMENT, MAGIC, tensor_types
from openshelf.gguf.header import Header
from openshelf.gguf.metadata import SCALARS
from openshelf.gguf.tensors import align

_VERSION = 3
_U32, _STRING, _ARRAY = 4, 8, 9
_TOKENIZER = "tokenizer."
_TOKENS = "tokenizer.ggml.tokens"
_TOKENIZER_KEPT = ("tokenizer.ggml.token_type_count",)
_SPLIT = "split."
"""Shards become one file."""
_FOLDER_PREFIX = "openshelf-shadow-"
_STALE_SECONDS = 3600
"""A dry run takes seconds at most."""
_SET_SPARSE = 0x000900C4


@contextlib.contextmanager
def shadow_file(header: Header, folder: Path | None = None) -> Iterator[Path]:
    """A file of the model's full size and next to no blocks, gone with the context.

    `folder` holds the temporary folder, the system's own place for those where it is None. Raises
    EngineFailed (no_shadow) where the file system cannot hold a file of that size.
    """
    data, size = shadow_bytes(header)
    _sweep(Path(tempfile.gettempdir()) if folder is None else folder)
    # A worker that was just ended may still hold the file for a moment on Windows.
    with tempfile.TemporaryDirectory(
        prefix=_FOLDER_PREFIX, dir=folder, ignore_cleanup_errors=True
    ) as name:
        path = Path(name) / "model.gguf"
        try:
            with path.open("wb") as file:
                _allow_holes(file)
                file.write(data)
                file.truncate(size)
        except OSError as error:
            detail = f"{error.strerror or error}: {size} bytes"
            raise EngineFailed("no_shadow", detail) from error
        yield path


@functools.cache
def _sweep(folder: Path) -> None:
    """Remove what a process left that was killed in the middle; once per process."""
    now = time.time()
    for left in folder.glob(f"{_FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):
            if now - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left)


def shadow_bytes(header: Header) -> tuple[bytes, int]:
    """The shadow's own header, and the size of the whole file in bytes."""
    entries = [_entry(key, *_typed(header, key)) for key in header.metadata if _is_kept(key)]
    entries += _vocabulary(header)
    alignment = int(header.metadata.get("general.alignment", DEFAULT_ALIGNMENT))
    infos, data_bytes = _tensor_infos(header, alignment)
    start = MAGIC + struct.pack("<IQQ", _VERSION, len(header.tensors), len(entries))
    data = start + b"".join(entries) + infos
    data += bytes(align(len(data), alignment) - len(data))
    return data, len(data) + data_bytes


def _is_kept(key: str) -> bool:
    if key in _TOKENIZER_KEPT:
        return True
    return not key.startswith((_TOKENIZER, _SPLIT))


def _vocabulary(header: Header) -> list[bytes]:
    """No tokens, but their number: the engine checks tensors against it."""
    entries = [_entry("tokenizer.ggml.model", _STRING, "no_vocab")]
    count = header.array_lengths.get(_TOKENS)
    size_key = f"{header.architecture}.vocab_size"
    if count is not None and size_key not in header.metadata:
        entries.append(_entry(size_key, _U32, count))
    return entries


def _typed(header: Header, key: str) -> tuple[int, Any]:
    count = header.array_lengths.get(_TOKENS)
    if key == f"{header.architecture}.vocab_size" and count is not None:
        return _U32, count  # a real load counts the tokens, whatever this key claims
    return header.kinds[key], header.metadata[key]


def _entry(key: str, kind: int, value: Any) -> bytes:
    start = _string(key)
    if isinstance(value, tuple):
        items = b"".join(_value(kind, item) for item in value)
        return start + struct.pack("<IIQ", _ARRAY, kind, len(value)) + items
    return start + struct.pack("<I", kind) + _value(kind, value)


def _value(kind: int, value: Any) -> bytes:
    return _string(value) if kind == _STRING else SCALARS[kind].pack(value)


def _string(text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return struct.pack("<Q", len(raw)) + raw


def _tensor_infos(header: Header, alignment: int) -> tuple[bytes, int]:
    """All infos with offsets in one file, and how many bytes their data take."""
    numbers = {kind.name: number for number, kind in tensor_types().items()}
    infos, offset = [], 0
    for tensor in header.tensors:
        count = len(tensor.shape)
        infos.append(
            _string(tensor.name)
            + struct.pack(f"<I{count}Q", count, *tensor.shape)
            + struct.pack("<IQ", numbers[tensor.type_name], offset)
        )
        offset = align(offset + tensor.size_bytes, alignment)
    return b"".join(infos), offset


def _allow_holes(file: BinaryIO) -> None:
    """NTFS fills a file with real zeros unless it is marked sparse first."""
    if sys.platform != "win32":
        return
    import ctypes
    import msvcrt

    handle = msvcrt.get_osfhandle(file.fileno())
    returned = ctypes.c_ulong()
    done = ctypes.windll.kernel32.DeviceIoControl(
        ctypes.c_void_p(handle), _SET_SPARSE, None, 0, None, 0, ctypes.byref(returned), None
    )
    if not done:
        raise OSError(0, "the file system has no sparse files", os.fspath(file.name))

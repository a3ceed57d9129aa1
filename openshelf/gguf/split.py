"""A model in several shards read as one: metadata of the first, tensors of all."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from openshelf.errors import CorruptModel, NotFound
from openshelf.gguf.header import Header, read_header
from openshelf.gguf.tensors import TensorInfo

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


def shard_paths(path: Path) -> tuple[Path, ...]:
    """All shards of the model that `path` belongs to by its name, the first one first."""
    match = _SHARD.search(path.name)
    if match is None:
        return (path,)
    stem, suffix = path.name[: match.start()], path.name[match.end() - 5 :]
    count = int(match[2])
    return tuple(
        path.with_name(f"{stem}-{number:05}-of-{count:05}{suffix}")
        for number in range(1, count + 1)
    )


def read_model(path: Path) -> Header:
    """The header of a whole model; `path` is its file or any of its shards.

    Of a split model `file_bytes` and `header_bytes` are sums, and the tensors' offsets count in
    their own shard. Raises CorruptModel, NotFound (with the name of the shard that is missing).
    """
    header = read_header(path)
    if header.shard is None:
        return header
    paths = shard_paths(path)
    if len(paths) != header.shard[1]:
        raise CorruptModel(str(path), "shard", f"{len(paths)} of {header.shard[1]} by its name")
    parts = [_read_shard(part, number, len(paths)) for number, part in enumerate(paths, start=1)]
    tensors = tuple(tensor for part in parts for tensor in part.tensors)
    _check_tensors(path, parts[0], tensors)
    return dataclasses.replace(
        parts[0],
        tensors=tensors,
        header_bytes=sum(part.header_bytes for part in parts),
        file_bytes=sum(part.file_bytes for part in parts),
    )


def _read_shard(path: Path, number: int, count: int) -> Header:
    if not path.is_file():
        raise NotFound(what="file", name=str(path))
    header = read_header(path)
    if header.shard != (number, count):
        raise CorruptModel(str(path), "shard", f"{header.shard} is not {(number, count)}")
    return header


def _check_tensors(path: Path, first: Header, tensors: tuple[TensorInfo, ...]) -> None:
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise CorruptModel(str(path), "duplicate_tensor", "the same tensor in two shards")
    expected = first.metadata.get("split.tensors.count", len(tensors))
    if expected != len(tensors):
        raise CorruptModel(str(path), "shard", f"{len(tensors)} tensors, {expected} expected")

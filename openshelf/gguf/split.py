"""A model in several shards read as one: metadata of the first, tensors of all."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
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
    return join_shards([_read_shard(part) for part in paths], str(path))


def join_shards(parts: Sequence[Header], name: str) -> Header:
    """The header of a whole model from those of all its shards, in their order.

    One that is whole is itself. Raises CorruptModel with `name` as its path.
    """
    if len(parts) == 1 and parts[0].shard is None:
        return parts[0]
    for number, part in enumerate(parts, start=1):
        if part.shard != (number, len(parts)):
            raise CorruptModel(name, "shard", f"{part.shard} is not {(number, len(parts))}")
    tensors = tuple(tensor for part in parts for tensor in part.tensors)
    _check_tensors(name, parts[0], tensors)
    return dataclasses.replace(
        parts[0],
        tensors=tensors,
        header_bytes=sum(part.header_bytes for part in parts),
        file_bytes=sum(part.file_bytes for part in parts),
    )


def _read_shard(path: Path) -> Header:
    if not path.is_file():
        raise NotFound(what="file", name=str(path))
    return read_header(path)


def _check_tensors(name: str, first: Header, tensors: tuple[TensorInfo, ...]) -> None:
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise CorruptModel(name, "duplicate_tensor", "the same tensor in two shards")
    expected = first.metadata.get("split.tensors.count", len(tensors))
    if expected != len(tensors):
        raise CorruptModel(name, "shard", f"{len(tensors)} tensors, {expected} expected")

"""The tensor infos of a GGUF header, with every size worked out in Python's unbounded integers."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from openshelf.gguf.constants import DEFAULT_ALIGNMENT, tensor_types
from openshelf.gguf.cursor import Cursor, Fault
from openshelf.gguf.metadata import Metadata, decode

MAX_TENSORS = 1 << 16
MAX_NAME_BYTES = 63
"""llama.cpp keeps names in 64 bytes with the final zero."""
MAX_DIMENSIONS = 4
MIN_INFO_BYTES = 24
"""Length of the name, number of dimensions, type, offset."""
MAX_ALIGNMENT = 1 << 20
_INT64_MAX = (1 << 63) - 1
_FACTS = tuple(struct.Struct(f"<{count}QIQ") for count in range(MAX_DIMENSIONS + 1))
"""By the number of dimensions: those, the type's number, the offset."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """`type_name` is ggml's own (Q4_K, F16…); `size_bytes` without padding."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    offset: int
    size_bytes: int

    @property
    def elements(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


def read_alignment(metadata: Metadata) -> int:
    """The alignment of tensor data in bytes. Raises Fault."""
    alignment = metadata.values.get("general.alignment", DEFAULT_ALIGNMENT)
    if (
        not isinstance(alignment, int)
        or not 0 < alignment <= MAX_ALIGNMENT
        or alignment & (alignment - 1)
    ):
        raise Fault("alignment", str(alignment)[:40])
    return alignment


def read_tensors(cursor: Cursor, count: int) -> tuple[TensorInfo, ...]:
    """Read `count` tensor infos. Raises Fault."""
    if count > MAX_TENSORS or count * MIN_INFO_BYTES > cursor.remaining:
        raise Fault("tensor_count", f"{count} tensors in {cursor.remaining} bytes")
    tensors: list[TensorInfo] = []
    seen: set[str] = set()
    for index in range(count):
        tensor = _read_tensor(cursor, index)
        if tensor.name in seen:
            raise Fault("duplicate_tensor", tensor.name)
        seen.add(tensor.name)
        tensors.append(tensor)
    return tuple(tensors)


def _read_tensor(cursor: Cursor, index: int) -> TensorInfo:
    name = decode(cursor.string(MAX_NAME_BYTES, f"name of tensor {index}"))
    n_dimensions = cursor.u32()
    if n_dimensions > MAX_DIMENSIONS:
        raise Fault("tensor_dimensions", f"{name}: {n_dimensions}")
    facts = cursor.unpack(_FACTS[n_dimensions])
    shape, type_number, offset = facts[:-2], facts[-2], facts[-1]
    kind = tensor_types().get(type_number)
    if kind is None:
        raise Fault("unknown_tensor_type", f"{name}: {type_number}")
    elements = 1
    for length in shape:
        if not 0 < length <= _INT64_MAX:
            raise Fault("tensor_shape", f"{name}: {shape}")
        elements *= length
    if elements > _INT64_MAX:
        raise Fault("tensor_shape", f"{name}: {shape}")
    if (shape[0] if shape else 1) % kind.block:
        raise Fault("tensor_row", f"{name}: {shape[0] if shape else 1} in blocks of {kind.block}")
    return TensorInfo(name, shape, kind.name, offset, elements // kind.block * kind.block_bytes)


def check_layout(
    tensors: tuple[TensorInfo, ...], header_end: int, file_bytes: int, alignment: int
) -> int:
    """Offsets aligned, ascending and without overlap or gap, and the last one inside the file.

    llama.cpp asks for exactly this order too. Returns where the tensors' data start. Raises Fault.
    """
    data_start = align(header_end, alignment)
    expected = 0
    for tensor in tensors:
        if tensor.offset % alignment:
            raise Fault("tensor_unaligned", f"{tensor.name}: {tensor.offset}")
        if tensor.offset < expected:
            raise Fault("tensor_overlap", f"{tensor.name}: {tensor.offset} < {expected}")
        if tensor.offset > expected:
            raise Fault("tensor_gap", f"{tensor.name}: {tensor.offset} > {expected}")
        end = data_start + tensor.offset + tensor.size_bytes
        if end > file_bytes:
            raise Fault("truncated", f"{tensor.name} ends at byte {end} of {file_bytes}")
        expected = align(tensor.offset + tensor.size_bytes, alignment)
    return min(data_start, file_bytes)


def align(position: int, alignment: int) -> int:
    """The next multiple of `alignment`, a power of two."""
    return (position + alignment - 1) // alignment * alignment

"""What llama.cpp set aside for a model and its context, byte by byte and device by device.

The exact figures are a C++ map that libllama hands out (`llama_get_memory_breakdown`); it is
walked as libstdc++ lays it out. Elsewhere the log's lines have to do (worker_failures.py). Of a
mapped file the map tells only the range that is mapped, so its tensors are summed one by one.
"""

from __future__ import annotations

import ctypes
import dataclasses
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import llama_cpp.llama_cpp as lib
from llama_cpp._ctypes_extensions import load_shared_library

from openshelf.engine.protocol import DeviceBytes
from openshelf.engine.worker_failures import HOST, allocated

_SYMBOL = "_Z26llama_get_memory_breakdownPK13llama_context"
_TENSORS_SYMBOL = "_Z29llama_internal_get_tensor_mapB5cxx11PK11llama_model"
"""The name says that its strings are libstdc++'s, as they are read here."""
_MOST_NODES = 256
_MOST_TENSORS = 1 << 20
N = TypeVar("N", bound=ctypes.Structure)


class _Figures(ctypes.Structure):
    """llama_memory_breakdown_data."""

    _fields_ = (
        ("model", ctypes.c_size_t),
        ("context", ctypes.c_size_t),
        ("compute", ctypes.c_size_t),
    )


class _Node(ctypes.Structure):
    """std::_Rb_tree_node<pair<ggml_backend_buffer_type_t, llama_memory_breakdown_data>>."""

    _fields_ = (
        ("color", ctypes.c_int),
        ("parent", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("right", ctypes.c_void_p),
        ("buffer_type", ctypes.c_void_p),
        ("figures", _Figures),
    )


class Map(ctypes.Structure):
    """std::map as libstdc++ keeps it: an unused comparison, the head node, the count."""

    _fields_ = (
        ("compare", ctypes.c_size_t),
        ("color", ctypes.c_size_t),
        ("root", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("last", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
    )


class _Entry(ctypes.Structure):
    """std::pair<std::string, ggml_tensor *>: text, length, room for a short text, tensor."""

    _fields_ = (
        ("text", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("short", ctypes.c_char * 16),
        ("tensor", ctypes.c_void_p),
    )


class _Vector(ctypes.Structure):
    """std::vector as libstdc++ keeps it."""

    _fields_ = (
        ("first", ctypes.c_void_p),
        ("end", ctypes.c_void_p),
        ("room", ctypes.c_void_p),
    )


class _TensorHead(ctypes.Structure):
    """How a ggml_tensor begins."""

    _fields_ = (("type", ctypes.c_int), ("buffer", ctypes.c_void_p))


def memory_of(
    model: Any, context: Any, lines: Iterable[str], gpus: Sequence[str], *, is_mapped: bool
) -> tuple[tuple[DeviceBytes, ...], str]:
    """What a loaded model took per device, and how that was read: `breakdown` or `log`.

    Weights are None where the file is mapped and its tensors cannot be walked.
    """
    exact = breakdown(context)
    if exact is None:
        return allocated(lines, gpus), "log"
    if not is_mapped:
        return exact, "breakdown"
    weights = _tensor_bytes(model)
    return tuple(
        dataclasses.replace(
            device, weights_bytes=None if weights is None else weights.get(device.device, 0)
        )
        for device in exact
    ), "breakdown"


def _tensor_bytes(model: Any) -> dict[str, int] | None:
    """Bytes of the weights per device, as they would lie in buffers of their own; None where the
    engine does not hand its tensors out."""
    function = getattr(lib._lib, _TENSORS_SYMBOL, None) if sys.platform == "linux" else None
    if function is None:
        return None
    function.restype, function.argtypes = ctypes.POINTER(_Vector), [ctypes.c_void_p]
    vector = function(ctypes.cast(model, ctypes.c_void_p)).contents
    room = (vector.end or 0) - (vector.first or 0)
    count, rest = divmod(room, ctypes.sizeof(_Entry))
    if rest or not 0 < count <= _MOST_TENSORS:
        return None
    names = DeviceNames()
    sums: dict[str, int] = {}
    for entry in (_Entry * count).from_address(vector.first):
        if not entry.tensor or names.tensor_name(entry.tensor) != _text_of(entry):
            return None
        buffer = _TensorHead.from_address(entry.tensor).buffer
        if buffer:
            device, size = names.place_of(entry.tensor, buffer)
            sums[device] = sums.get(device, 0) + size
    return sums


def _text_of(entry: _Entry) -> bytes:
    return ctypes.string_at(entry.text, entry.length) if entry.length < 1024 else b""


def breakdown(context: Any) -> tuple[DeviceBytes, ...] | None:
    """Bytes per device as allocated (or as they would be), the host first; None where the engine
    does not tell them."""
    function = getattr(lib._lib, _SYMBOL, None) if sys.platform == "linux" else None
    if function is None:
        return None
    function.restype, function.argtypes = Map, [ctypes.c_void_p]
    found = nodes(function(ctypes.cast(context, ctypes.c_void_p)), _Node)
    if found is None:
        return None
    names = DeviceNames()
    sums: dict[str, list[int]] = {HOST: [0, 0, 0]}
    for node in found:
        row = sums.setdefault(names.device_of(node.buffer_type), [0, 0, 0])
        figures = node.figures
        for index, size in enumerate((figures.model, figures.context, figures.compute)):
            row[index] += size
    return tuple(DeviceBytes(device, *row) for device, row in sums.items())


def nodes(tree: Map, kind: type[N]) -> list[N] | None:
    """What the tree holds; None where it does not look like one (another standard library).

    `kind` has `left` and `right`. The few nodes are not given back: 64 bytes each.
    """
    if not 0 < tree.count <= _MOST_NODES:
        return None
    found: list[N] = []
    left: list[int | None] = [tree.root]
    while left and len(found) <= tree.count:
        address = left.pop()
        if address:
            node: Any = kind.from_address(address)
            found.append(node)
            left += [node.left, node.right]
    return found if len(found) == tree.count else None


class DeviceNames:
    """What devices are called; all that lies in the host's memory is the CPU's."""

    def __init__(self) -> None:
        self._base = load_shared_library("ggml-base", lib._base_path)
        self._base.ggml_backend_buft_is_host.restype = ctypes.c_bool
        self._base.ggml_backend_buft_is_host.argtypes = [ctypes.c_void_p]
        self._base.ggml_backend_buft_get_device.restype = ctypes.c_void_p
        self._base.ggml_backend_buft_get_device.argtypes = [ctypes.c_void_p]
        self._base.ggml_backend_dev_name.restype = ctypes.c_char_p
        self._base.ggml_backend_dev_name.argtypes = [ctypes.c_void_p]
        self._base.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
        self._base.ggml_get_name.restype = ctypes.c_char_p
        self._base.ggml_get_name.argtypes = [ctypes.c_void_p]
        self._base.ggml_backend_buffer_get_type.restype = ctypes.c_void_p
        self._base.ggml_backend_buffer_get_type.argtypes = [ctypes.c_void_p]
        for name in ("alloc_size", "alignment"):
            function = getattr(self._base, f"ggml_backend_buft_get_{name}")
            function.restype = ctypes.c_size_t
            function.argtypes = [ctypes.c_void_p] * (2 if name == "alloc_size" else 1)

    def tensor_name(self, tensor: int) -> bytes:
        return self._base.ggml_get_name(tensor) or b""

    def place_of(self, tensor: int, buffer: int) -> tuple[str, int]:
        """Device, and bytes in a buffer of its type, aligned as ggml does."""
        kind = self._base.ggml_backend_buffer_get_type(buffer)
        size = self._base.ggml_backend_buft_get_alloc_size(kind, tensor)
        alignment = max(1, self._base.ggml_backend_buft_get_alignment(kind))
        return self.device_of(kind), -(-size // alignment) * alignment

    def device_of(self, buffer_type: int) -> str:
        """The device that a buffer type belongs to."""
        if self._base.ggml_backend_buft_is_host(buffer_type):
            return HOST
        return self.name_of(self._base.ggml_backend_buft_get_device(buffer_type))

    def name_of(self, device: int | None) -> str:
        if not device or self._base.ggml_backend_dev_type(device) not in (1, 2):
            return HOST
        return (self._base.ggml_backend_dev_name(device) or b"").decode("utf-8", "replace")

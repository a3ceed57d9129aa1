"""What llama.cpp set aside for a model and its context, byte by byte and device by device.

The exact figures are a C++ map that libllama hands out (`llama_get_memory_breakdown`); it is
walked as libstdc++ lays it out. Elsewhere the log's lines have to do (worker_failures.py).
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import llama_cpp.llama_cpp as lib
from llama_cpp._ctypes_extensions import load_shared_library

from openshelf.engine.protocol import DeviceBytes
from openshelf.engine.worker_failures import HOST

_SYMBOL = "_Z26llama_get_memory_breakdownPK13llama_context"
_MOST_NODES = 256
_MIB = 1 << 20


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


class _Map(ctypes.Structure):
    """std::map as libstdc++ keeps it: an unused comparison, the head node, the count."""

    _fields_ = (
        ("compare", ctypes.c_size_t),
        ("color", ctypes.c_size_t),
        ("root", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("last", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
    )


def breakdown(context: Any) -> tuple[DeviceBytes, ...] | None:
    """Bytes per device as allocated (or as they would be), the host first; None where the engine
    does not tell them."""
    function = getattr(lib._lib, _SYMBOL, None) if sys.platform == "linux" else None
    if function is None:
        return None
    function.restype, function.argtypes = _Map, [ctypes.c_void_p]
    tree = function(ctypes.cast(context, ctypes.c_void_p))
    found = _nodes(tree)
    if found is None:
        return None
    names = _Names()
    sums: dict[str, list[int]] = {HOST: [0, 0, 0]}
    for buffer_type, figures in found:
        row = sums.setdefault(names.device_of(buffer_type), [0, 0, 0])
        for index, size in enumerate((figures.model, figures.context, figures.compute)):
            row[index] += size
    return tuple(DeviceBytes(device, *row) for device, row in sums.items())


def _nodes(tree: _Map) -> list[tuple[int, _Figures]] | None:
    """What the tree holds; None where it does not look like one (another standard library).

    Its few nodes are not given back: 64 bytes for each buffer type.
    """
    if not 0 < tree.count <= _MOST_NODES:
        return None
    found: list[tuple[int, _Figures]] = []
    left: list[int | None] = [tree.root]
    while left and len(found) <= tree.count:
        address = left.pop()
        if address:
            node = _Node.from_address(address)
            found.append((node.buffer_type, node.figures))
            left += [node.left, node.right]
    return found if len(found) == tree.count else None


class _Names:
    """The device a buffer type belongs to; all that lies in the host's memory is the CPU's."""

    def __init__(self) -> None:
        self._base = load_shared_library("ggml-base", lib._base_path)
        self._base.ggml_backend_buft_is_host.restype = ctypes.c_bool
        self._base.ggml_backend_buft_is_host.argtypes = [ctypes.c_void_p]
        self._base.ggml_backend_buft_get_device.restype = ctypes.c_void_p
        self._base.ggml_backend_buft_get_device.argtypes = [ctypes.c_void_p]
        self._base.ggml_backend_dev_name.restype = ctypes.c_char_p
        self._base.ggml_backend_dev_name.argtypes = [ctypes.c_void_p]
        self._base.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]

    def device_of(self, buffer_type: int) -> str:
        if self._base.ggml_backend_buft_is_host(buffer_type):
            return HOST
        device = self._base.ggml_backend_buft_get_device(buffer_type)
        if not device or self._base.ggml_backend_dev_type(device) not in (1, 2):
            return HOST
        return (self._base.ggml_backend_dev_name(device) or b"").decode("utf-8", "replace")

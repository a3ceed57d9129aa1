"""Lays a projector (mmproj) out as a load would, without its weights: libmtmd's own accounting.

The figures are a C++ map that `mtmd_get_memory_usage` returns; where it is missing or kept by
another standard library, the answer is that they cannot be had.
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any

from openshelf.engine.protocol import DeviceBytes, ProjectorDryRun, ProjectorLaidOut
from openshelf.engine.worker_failures import HOST, Refusal
from openshelf.engine.worker_memory import DeviceNames, Map, nodes

_SYMBOL = "_Z21mtmd_get_memory_usagePKc19mtmd_context_params"


class _Node(ctypes.Structure):
    """std::_Rb_tree_node<pair<ggml_backend_dev_t, size_t>>."""

    _fields_ = (
        ("color", ctypes.c_int),
        ("parent", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("right", ctypes.c_void_p),
        ("device", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
    )


def projector_dry_run(request: ProjectorDryRun) -> ProjectorLaidOut:
    """Weights and compute buffers of the projector at `request.path`, on every device.

    libmtmd counts both in one figure. Without its warm-up it lays out no graph, so that the
    difference of two calls parts them. Raises Refusal; may abort the process.
    """
    started = time.monotonic()
    weights = _usage(request, lays_out=False)
    totals = _usage(request, lays_out=True)
    figures = {HOST: DeviceBytes(HOST, 0, 0, 0)}
    for name, total in totals.items():
        own = weights.get(name, 0)
        figures[name] = DeviceBytes(name, own, 0, total - own)
    return ProjectorLaidOut(
        request.id, devices=tuple(figures.values()), seconds=time.monotonic() - started
    )


def _usage(request: ProjectorDryRun, *, lays_out: bool) -> dict[str, int]:
    """Bytes per device. Raises Refusal: libmtmd keeps the reason of its own refusal to itself."""
    function, params = _library()
    params.use_gpu = request.use_gpu
    params.warmup = lays_out
    tree = function(request.path.encode(), params)
    if tree.count == 0:
        raise Refusal("load_failed", "the engine refuses this projector")
    found = nodes(tree, _Node)
    if found is None:
        raise Refusal("not_measurable")
    names = DeviceNames()
    sizes: dict[str, int] = {}
    for node in found:
        name = names.name_of(node.device)
        sizes[name] = sizes.get(name, 0) + int(node.size)
    return sizes


def _library() -> tuple[Any, Any]:
    """The function and its default parameters. Raises Refusal where they cannot be used."""
    if sys.platform != "linux":
        raise Refusal("not_measurable")
    try:
        from llama_cpp import mtmd_cpp
    except (ImportError, OSError, RuntimeError) as error:
        raise Refusal("not_measurable") from error
    function = getattr(mtmd_cpp._libmtmd, _SYMBOL, None)
    if function is None:
        raise Refusal("not_measurable")
    function.restype = Map
    function.argtypes = [ctypes.c_char_p, mtmd_cpp.mtmd_context_params]
    return function, mtmd_cpp.mtmd_context_params_default()

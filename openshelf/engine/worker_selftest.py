"""Whether the CPU's fast multiplications work here, tried before a model depends on them.

An engine is built for the instructions that a processor names. Some virtual machines name Intel's
AMX and end whoever uses it (SIGILL); llama.cpp then dies at the first prompt. One small
multiplication in a forked child tells.
"""

from __future__ import annotations

import ctypes
import faulthandler
import functools
import logging
import os
import signal
import sys
import time
from typing import Any

import llama_cpp.llama_cpp as lib
from llama_cpp._ctypes_extensions import load_shared_library

log = logging.getLogger(__name__)

_LONGEST_SECONDS = 5.0
_Q8_0 = 8
_WIDTH, _COLUMNS = 256, 8
"""One column would be multiplied without the instructions in question."""
_POINTER = ctypes.c_void_p


class _InitParameters(ctypes.Structure):
    """ggml_init_params."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    )


@functools.cache
def extra_buffers_work() -> bool:
    """False where rearranged weights cannot be multiplied on this machine.

    Tried where the engine uses AMX and the system can fork; elsewhere nothing is known to fail.
    """
    if sys.platform != "linux" or b"AMX_INT8 = 1" not in (lib.llama_print_system_info() or b""):
        return True
    child = os.fork()
    if child == 0:
        _end_as_child()
    return _ended_well(child)


def _end_as_child() -> None:
    """Multiplies and exits; a fault is the expected way to fail, so that nobody is told."""
    faulthandler.disable()
    signal.signal(signal.SIGILL, signal.SIG_DFL)
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os._exit(0 if _multiply() else 1)
    finally:
        os._exit(1)


def _ended_well(child: int) -> bool:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            if status:
                log.info("the engine's fast multiplications fail here (status %d)", status)
            return status == 0
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _multiply() -> bool:
    """A Q8_0 matrix in the first of the CPU's extra buffers times a few columns."""
    base = load_shared_library("ggml-base", lib._base_path)
    cpu = load_shared_library("ggml-cpu", lib._base_path)
    extra = _first_extra_buffer(base, cpu)
    backend = _function(cpu, "ggml_backend_cpu_init", _POINTER)()
    _function(cpu, "ggml_backend_cpu_set_n_threads", None, _POINTER, ctypes.c_int)(backend, 1)
    host = _function(base, "ggml_backend_get_default_buffer_type", _POINTER, _POINTER)(backend)
    tensor = _function(
        base, "ggml_new_tensor_2d", _POINTER, _POINTER, ctypes.c_int, ctypes.c_int64, ctypes.c_int64
    )
    start = _function(base, "ggml_init", _POINTER, _InitParameters)
    weights, rest = start(_room(1 << 16)), start(_room(1 << 20))
    matrix = tensor(weights, _Q8_0, _WIDTH, _WIDTH)
    columns = tensor(rest, 0, _WIDTH, _COLUMNS)
    product = _function(base, "ggml_mul_mat", _POINTER, _POINTER, _POINTER, _POINTER)(
        rest, matrix, columns
    )
    graph = _function(base, "ggml_new_graph", _POINTER, _POINTER)(rest)
    _function(base, "ggml_build_forward_expand", None, _POINTER, _POINTER)(graph, product)
    allocate = _function(
        base, "ggml_backend_alloc_ctx_tensors_from_buft", _POINTER, _POINTER, _POINTER
    )
    if not allocate(weights, extra) or not allocate(rest, host):
        return False
    for filled in (matrix, columns):
        _fill(base, filled)
    compute = _function(base, "ggml_backend_graph_compute", ctypes.c_int, _POINTER, _POINTER)
    return bool(compute(backend, graph) == 0)


def _room(size: int) -> _InitParameters:
    return _InitParameters(size, None, True)


def _first_extra_buffer(base: Any, cpu: Any) -> Any:
    registry = _function(cpu, "ggml_backend_cpu_reg", _POINTER)()
    device = _function(base, "ggml_backend_reg_dev_get", _POINTER, _POINTER, ctypes.c_size_t)(
        registry, 0
    )
    address = _function(
        base, "ggml_backend_reg_get_proc_address", _POINTER, _POINTER, ctypes.c_char_p
    )(registry, b"ggml_backend_dev_get_extra_bufts")
    listed = ctypes.CFUNCTYPE(ctypes.POINTER(_POINTER), _POINTER)(address)(device)
    return listed[0]


def _fill(base: Any, tensor: Any) -> None:
    size = _function(base, "ggml_nbytes", ctypes.c_size_t, _POINTER)(tensor)
    zeros = (ctypes.c_char * size)()
    write = _function(
        base, "ggml_backend_tensor_set", None, _POINTER, _POINTER, ctypes.c_size_t, ctypes.c_size_t
    )
    write(tensor, ctypes.cast(zeros, _POINTER), 0, size)


def _function(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype, function.argtypes = result, list(arguments)
    return function

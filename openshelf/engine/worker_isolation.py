"""Cuts the worker off: a private wire, no core files, death together with its parent."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from openshelf.engine.protocol import Plan
from openshelf.engine.worker_network import forbid_network

_PR_SET_PDEATHSIG = 1
_PLAN_FACTOR = 1.2
_SLACK_BYTES = 384 << 20
_THREAD_BYTES = 8 << 20
_network_fault = "not asked"


def network_fault() -> str:
    """Why this process could reach the network; empty where the kernel forbids it."""
    return _network_fault


def take_wire() -> tuple[BinaryIO, BinaryIO]:
    """Private duplicates of stdin and stdout; whatever else prints then lands on stderr.

    Returns (requests, answers). Native code writes to fd 1 when it pleases, hence not only
    `sys.stdout` is turned away.
    """
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, answers


def harden() -> None:
    """No core files, no debugger started on abort, no life after the parent, and no network, where
    the system can forbid it (the last two on Linux)."""
    global _network_fault
    _network_fault = forbid_network()
    os.environ["GGML_NO_BACKTRACE"] = "1"
    faulthandler.enable(all_threads=False)
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A terminal's Ctrl-C is the parent's business: it decides whether this is a stop or the end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextlib.contextmanager
def limited_memory(more_bytes: int) -> Iterator[None]:
    """At most so much above what is in use now; what goes beyond finds no memory (Linux)."""
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _data_bytes() + more_bytes
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def limited_load(plan: Plan) -> contextlib.AbstractContextManager[None]:
    """For a load by `plan`. A driver reserves far more than it uses, so that a load on a GPU is
    watched by the parent only (load_watch.py)."""
    needed = sum(plan.needed_bytes.values())
    if plan.n_gpu_layers or not needed:
        return contextlib.nullcontext()
    # Each thread has a stack of its own, most of which is never touched.
    threads = (os.cpu_count() or 1) * _THREAD_BYTES
    return limited_memory(int(needed * _PLAN_FACTOR) + _SLACK_BYTES + threads)


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def resident_bytes() -> int | None:
    """Memory of this process in RAM, without file pages where the system tells them apart."""
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    import psutil

    return int(psutil.Process().memory_info().rss)


def default_threads() -> int:
    """One core fewer than there are: a spinning thread too many costs most of the speed."""
    import psutil

    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 2
    if sys.platform == "linux":
        physical = min(physical, len(os.sched_getaffinity(0)))
    return max(1, physical - 1)

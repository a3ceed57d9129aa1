"""Cuts the worker off: a private wire, no core files, death together with its parent."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO

_PR_SET_PDEATHSIG = 1


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
    """No core files, no debugger started on abort, no life after the parent (Linux)."""
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

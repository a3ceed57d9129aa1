"""Watches a load from outside: memory far above its plan, and a load that stands still.

The worker limits itself where its system can (worker_limits.py); what it cannot see is watched
here, and a worker that goes too far is killed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openshelf.engine.interface import LoadOrder
from openshelf.engine.protocol import Event, LoadProgress
from openshelf.errors import EngineFailed, OutOfMemory

LOOK_SECONDS = 0.25
SLACK_BYTES = 512 << 20
"""Above the plan: the process itself, a tokenizer, what a driver keeps."""
GPU_SLACK_BYTES = 1536 << 20
"""A driver keeps hundreds of megabytes of its own for each GPU."""
PLAN_FACTOR = 1.2
STILL_SECONDS = 60.0
"""Neither progress, nor processor time, nor bytes read; one that does not even answer to a ping is
ended sooner (connection.py)."""
SPIN_SECONDS = 9.0
SLOWEST_DISK = 20 << 20
"""Bytes per second: a load that is busy without progress for longer than both is not loading."""
_BUSY_SECONDS = 3.0
GPU_SECONDS = 300.0
"""A driver compiles its kernels when it first meets a GPU."""


@dataclass(frozen=True)
class Usage:
    """Of a process: memory of its own in bytes, processor seconds, bytes read from files."""

    own_bytes: int
    processor_seconds: float
    read_bytes: int


def usage_of(pid: int) -> Usage | None:
    """None where the process is gone or cannot be looked at."""
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            own = _own_bytes(pid, process.memory_info().rss)
            read = process.io_counters().read_bytes if hasattr(process, "io_counters") else 0
    except (psutil.Error, OSError):
        return None
    return Usage(own, times.user + times.system, read)


def _own_bytes(pid: int, resident: int) -> int:
    """Without mapped files, where the system tells them apart."""
    if sys.platform != "linux":
        return resident
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    rows = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return sum(int(rows.get(name, "0").split()[0]) for name in ("RssAnon", "RssShmem")) * 1024


class LoadWatch:
    """`look` after every event, and at least every LOOK_SECONDS."""

    def __init__(
        self,
        pid: int,
        order: LoadOrder,
        usage: Callable[[int], Usage | None] = usage_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pid = pid
        self._usage = usage
        self._clock = clock
        file_bytes = sum(file.size_bytes for file in order.files)
        touched = max(file_bytes, sum(order.plan.needed_bytes.values()))
        self._most_bytes = most_bytes(order)
        if self._most_bytes is not None and sys.platform != "linux":
            self._most_bytes += file_bytes  # mapped pages count as the process's own there
        self._most_seconds = SPIN_SECONDS + touched / SLOWEST_DISK
        if order.plan.n_gpu_layers:
            self._most_seconds += GPU_SECONDS
        self._last_look = self._moved_at = self._progress_at = clock()
        self._last: Usage | None = None

    def look(self, event: Event | None) -> EngineFailed | None:
        """What is wrong; the worker is to be killed then."""
        now = self._clock()
        if isinstance(event, LoadProgress):
            self._progress_at = self._moved_at = now
        if now - self._last_look < LOOK_SECONDS:
            return None
        self._last_look = now
        usage = self._usage(self._pid)
        if usage is None:
            return None
        if self._most_bytes is not None and usage.own_bytes > self._most_bytes:
            detail = f"{usage.own_bytes >> 20} MiB, planned were at most {self._most_bytes >> 20}"
            return OutOfMemory("above_plan", detail)
        if self._last is None or _moves(usage, self._last):
            self._last, self._moved_at = usage, now
        if now - self._moved_at > STILL_SECONDS:
            return EngineFailed("load_hung", f"{STILL_SECONDS:.0f} s")
        spins = now - self._moved_at < _BUSY_SECONDS
        if spins and now - self._progress_at > self._most_seconds:
            return EngineFailed("load_hung", f"{self._most_seconds:.0f} s")
        return None


def most_bytes(order: LoadOrder) -> int | None:
    """What a load by this plan may take in the host's memory; None where no plan says.

    Of all pools together: what a GPU shares with the host may count as the process's own.
    """
    planned = sum(order.plan.needed_bytes.values())
    slack = GPU_SLACK_BYTES if order.plan.n_gpu_layers else SLACK_BYTES
    return int(planned * PLAN_FACTOR) + slack if planned else None


def _moves(now: Usage, before: Usage) -> bool:
    return (
        now.processor_seconds - before.processor_seconds > 0.05
        or now.read_bytes != before.read_bytes
        or now.own_bytes != before.own_bytes
    )

"""How many threads write an answer: fewer while others keep the processor busy.

llama.cpp's threads wait for each other in a loop, many times a token. With one thread too many for
what is free, each token waits for a core: two threads on two cores fall to a tenth as soon as
another program needs one of them. Nothing tells but the rate, so that is watched: where it halves,
fewer threads are tried, and more again once there is room for them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

WINDOW_TOKENS = 8
_HALVED = 0.5
_WORTH_IT = 1.1
"""More threads stay where they are at least so much faster."""
_FORGETTING = 0.98
"""Per window: a longer context is slower, and that is nobody's fault."""
_TRY_AGAIN_SECONDS = 3.0
_MOST_TRY_AGAIN_SECONDS = 60.0
_PATIENCE = 2.0
"""A window that takes so many times longer than it should is over before its end."""


class Others:
    """How many cores all other processes kept busy since it was asked last."""

    def __init__(self) -> None:
        self._at = self._seen()

    def busy_cores(self) -> float:
        before, self._at = self._at, self._seen()
        elapsed, busy, own = (now - then for now, then in zip(self._at, before, strict=True))
        return max(0.0, busy - own) / elapsed if elapsed > 0 else 0.0

    @staticmethod
    def _seen() -> tuple[float, float, float]:
        import psutil

        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # A guest's time is counted in user already.
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return time.monotonic(), sum(times) - idle - guests, time.process_time()


def available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ThreadPacer:
    """`begin` before an answer, `token` after each of its tokens; `set_threads` is called where
    the number changes. Times in seconds, of one clock."""

    def __init__(
        self,
        threads: int,
        set_threads: Callable[[int], None],
        busy_cores: Callable[[], float] | None = None,
        cores: int | None = None,
    ) -> None:
        self.threads = self._most = threads
        self._set_threads = set_threads
        if busy_cores is None and threads > 1:
            busy_cores = Others().busy_cores
        self._busy_cores = busy_cores
        self._cores = cores or available_cores()
        self._best: dict[int, float] = {}
        self._window_at = 0.0
        self._count = 0
        self._settled_at = 0.0
        self._try_again = _TRY_AGAIN_SECONDS
        self._before: tuple[int, float] | None = None
        """Threads and rate before what is tried now."""

    def begin(self, now: float) -> None:
        self._window_at, self._count = now, 0
        if self._best or self._busy_cores is None or self._most == 1:
            return
        # There is no rate to compare with yet, but whoever is busy now can be seen.
        free = self._cores - self._busy_cores() + 0.5
        if free < self.threads:
            self._settled_at = now
            self._change(max(1, int(free)))

    def token(self, now: float) -> None:
        if self._most == 1:
            return
        self._count += 1
        elapsed = now - self._window_at
        if self._count < WINDOW_TOKENS and not self._is_too_slow(elapsed):
            return
        rate = self._count / elapsed if elapsed > 0 else 0.0
        self._window_at, self._count = now, 0
        if rate:
            self._judge(rate, now)

    def _is_too_slow(self, elapsed: float) -> bool:
        """Many more threads than cores may take seconds a token: then one is enough to know."""
        expected = self._before[1] if self._before else self._best.get(self.threads, 0.0)
        return bool(expected) and elapsed * expected > WINDOW_TOKENS * _PATIENCE

    def _judge(self, rate: float, now: float) -> None:
        if self._before is not None:
            self._judge_trial(rate, now)
            return
        best = self._best.get(self.threads, 0.0) * _FORGETTING
        if rate < best * _HALVED and self.threads > 1:
            self._best[self.threads] = best
            self._try(max(1, self.threads // 2), rate)
            return
        self._best[self.threads] = max(rate, best)
        if self.threads < self._most and now - self._settled_at >= self._try_again:
            more = (self.threads + self._most + 1) // 2
            self._settled_at = now
            if self._has_room(more):
                self._try(more, rate)

    def _judge_trial(self, rate: float, now: float) -> None:
        assert self._before is not None  # noqa: S101 (asked by its only caller)
        threads, before = self._before
        self._before, self._settled_at = None, now
        is_more = self.threads > threads
        if rate >= before * (_WORTH_IT if is_more else 1.0):
            # What was best under other circumstances says nothing of these.
            self._best[self.threads] = rate
            if is_more:
                self._try_again = _TRY_AGAIN_SECONDS
            return
        self._change(threads)
        if is_more:
            self._try_again = min(_MOST_TRY_AGAIN_SECONDS, 2 * self._try_again)
        else:
            # As slow with fewer: the machine is slower now, and this is what it can do.
            self._best[threads] = before

    def _has_room(self, threads: int) -> bool:
        busy = self._busy_cores() if self._busy_cores is not None else 0.0
        return threads + busy <= self._cores + 0.5

    def _try(self, threads: int, rate: float) -> None:
        self._before = (self.threads, rate)
        self._change(threads)

    def _change(self, threads: int) -> None:
        self.threads = threads
        self._set_threads(threads)

"""How fast: a limit that can change while it is held, and the speed a person reads."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

_LARGEST_READ = 1 << 20
_SMALLEST_READ = 2 << 10
_BURST_SECONDS = 0.25
_SMOOTHING_SECONDS = 4.0


class RateLimit:
    """A token bucket in bytes; no limit with None."""

    def __init__(
        self, bytes_per_second: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = bytes_per_second
        self._tokens = 0.0
        self._at = clock()

    def set_rate(self, bytes_per_second: int | None) -> None:
        with self._lock:
            # What was owed at the old rate is forgiven: at a low one it would be a long silence.
            self._rate = bytes_per_second
            self._tokens = 0.0
            self._at = self._clock()

    @property
    def is_limited(self) -> bool:
        return self._rate is not None

    def read_size(self) -> int:
        """How much to read at once, so that a low limit is not passed in jumps."""
        rate = self._rate
        if rate is None:
            return _LARGEST_READ
        return max(_SMALLEST_READ, min(_LARGEST_READ, rate // 10))

    def take(self, count: int) -> float:
        """Note that `count` bytes came; returns the seconds to wait before the next ones."""
        with self._lock:
            now = self._clock()
            if self._rate is None:
                self._at = now
                return 0.0
            burst = self._rate * _BURST_SECONDS
            self._tokens = min(burst, self._tokens + (now - self._at) * self._rate) - count
            self._at = now
            return max(0.0, -self._tokens / self._rate)


class SpeedMeter:
    """Bytes per second over the last seconds, and when to report again (at most 5 times each)."""

    def __init__(
        self, interval_seconds: float = 0.2, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = interval_seconds
        self._clock = clock
        self._at = clock()
        self._pending = 0
        self._rate: float | None = None

    @property
    def bytes_per_second(self) -> float | None:
        return self._rate

    def add(self, count: int) -> bool:
        """Count bytes; True when it is time to tell somebody."""
        self._pending += count
        elapsed = self._clock() - self._at
        if elapsed < self._interval:
            return False
        now_rate = self._pending / elapsed
        weight = 1 - math.exp(-elapsed / _SMOOTHING_SECONDS)
        self._rate = (
            now_rate if self._rate is None else self._rate + weight * (now_rate - self._rate)
        )
        self._at += elapsed
        self._pending = 0
        return True

    def restart(self) -> None:
        """After a pause: time that passed in between counts for nothing."""
        self._at = self._clock()
        self._pending = 0
        self._rate = None

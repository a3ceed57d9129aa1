"""How fast: a limit that can change while it is held, and the speed a person reads."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from openshelf.bandwidth import Minute, Pace, minute_now

_LARGEST_READ = 1 << 20
_SMALLEST_READ = 2 << 10
_BURST_SECONDS = 0.25
_SMOOTHING_SECONDS = 4.0
_LOOK_SECONDS = 0.5
"""How often the time of the day is looked at."""


class RateLimit:
    """A token bucket in bytes, at the rate that the pace has at this minute of the day."""

    def __init__(
        self,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        minute: Minute = minute_now,
    ) -> None:
        self._clock = clock
        self._minute = minute
        self._lock = threading.Lock()
        self._pace = pace or Pace()
        self._rate = self._pace.rate_at(minute())
        self._tokens = 0.0
        self._at = self._looked_at = clock()

    def set_pace(self, pace: Pace) -> None:
        with self._lock:
            self._pace = pace
            self._set_rate(pace.rate_at(self._minute()))

    def _set_rate(self, rate: int | None) -> None:
        if rate != self._rate:
            # What was owed at the old rate is forgiven: at a low one it would be a long silence.
            self._rate = rate
            self._tokens = 0.0
            self._at = self._clock()

    def rate(self) -> int | None:
        """Bytes per second at this time of the day; None for no limit, 0 for nothing at all."""
        with self._lock:
            now = self._clock()
            if now - self._looked_at >= _LOOK_SECONDS:
                self._looked_at = now
                self._set_rate(self._pace.rate_at(self._minute()))
            return self._rate

    @property
    def pace(self) -> Pace:
        return self._pace

    def read_size(self) -> int:
        """How much to read at once, so that a low limit is not passed in jumps."""
        rate = self.rate()
        if rate is None:
            return _LARGEST_READ
        return max(_SMALLEST_READ, min(_LARGEST_READ, rate // 10))

    def take(self, count: int) -> float:
        """Note that `count` bytes came; returns the seconds to wait before the next ones."""
        with self._lock:
            now = self._clock()
            if not self._rate:
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

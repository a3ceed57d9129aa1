"""How fast downloads may be, and when: a limit, and hours in which they run at full speed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from typing_extensions import override

_HOURS = re.compile(r"([0-9]{1,2}):([0-9]{2}) ?[-–] ?([0-9]{1,2}):([0-9]{2})")
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([kMG]?)B(?:/s|ps)?", re.IGNORECASE)
_SCALES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
MINUTES_A_DAY = 24 * 60
SLOWEST, FASTEST = 1024, 1 << 50
"""Bytes per second; below the first a connection counts as dead."""

Minute = Callable[[], int]
"""The minute of the local day."""


def minute_now() -> int:
    """The minute of this machine's local day, 0 to 1439."""
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min


@dataclass(frozen=True)
class Hours:
    """A stretch of each local day, in minutes since midnight; `end` is not in it any more.

    From 22:00 to 07:00 it goes over midnight; from and to the same minute it is the whole day.
    """

    start: int
    end: int

    def __contains__(self, minute: int) -> bool:
        return (minute - self.start) % MINUTES_A_DAY < (
            (self.end - self.start) % MINUTES_A_DAY or MINUTES_A_DAY
        )

    @override
    def __str__(self) -> str:
        return f"{clock_words(self.start)}-{clock_words(self.end)}"


def clock_words(minute: int) -> str:
    """`1320` → `22:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def parse_hours(text: str) -> Hours | None:
    """`22:00-07:00`; None for anything else."""
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute, last_hour, last_minute = map(int, found.groups())
    if max(hour, last_hour) > 23 or max(minute, last_minute) > 59:
        return None
    return Hours(hour * 60 + minute, last_hour * 60 + last_minute)


def parse_rate(text: str) -> int | None:
    """`2 MB/s`, `500kB`, `1.5MB/s` in bytes per second; None for anything else or out of range."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        return None
    rate = round(float(found[1]) * _SCALES[found[2].lower()])
    return rate if SLOWEST <= rate <= FASTEST else None


@dataclass(frozen=True)
class Bandwidth:
    """What all downloads together may take: `limit` in bytes per second, None for no limit.

    With `hours` the limit holds outside of them only; with `pauses` nothing runs outside of them.
    """

    limit: int | None = None
    hours: Hours | None = None
    pauses: bool = False


@dataclass(frozen=True)
class Pace:
    """What one download may take: bytes per second in the hours and outside of them, None for no
    limit, 0 for nothing at all. Without `hours` the second one always holds."""

    inside: int | None = None
    outside: int | None = None
    hours: Hours | None = None

    def rate_at(self, minute: int) -> int | None:
        return self.inside if self.hours is not None and minute in self.hours else self.outside


def shares(bandwidth: Bandwidth, limits: list[int | None]) -> list[Pace]:
    """The pace of each download that runs, given the limit of each.

    They share the common limit evenly; what one may not take by its own limit goes to the others.
    """
    outside = _split(bandwidth.limit, limits)
    if bandwidth.hours is not None and bandwidth.pauses:
        outside = [0 for _ in limits]
    return [Pace(own, rate, bandwidth.hours) for own, rate in zip(limits, outside, strict=True)]


def _split(total: int | None, limits: list[int | None]) -> list[int | None]:
    if total is None:
        return list(limits)
    given: dict[int, int] = {}
    left = total
    for place in sorted(range(len(limits)), key=lambda at: limits[at] or FASTEST):
        even = left // (len(limits) - len(given))
        given[place] = max(SLOWEST, min(limits[place] or FASTEST, even))
        left = max(0, left - given[place])
    return [given[place] for place in range(len(limits))]

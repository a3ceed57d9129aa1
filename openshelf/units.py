"""Bytes, rates and durations as people read them.

GB = 10^9 for files and downloads, GiB = 2^30 where a driver or llama.cpp says so; never mixed in
one figure.
"""

from __future__ import annotations

GB = 1_000_000_000
MB = 1_000_000
KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

_DECIMAL = ((1_000_000_000_000, "TB"), (GB, "GB"), (MB, "MB"), (1_000, "kB"))
_BINARY = ((1 << 40, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB"))


def format_bytes(count: int, *, binary: bool = False) -> str:
    """`7_300_000_000` → `7.3 GB`; three significant figures at most."""
    for size, name in _BINARY if binary else _DECIMAL:
        if abs(count) >= size:
            value = count / size
            return f"{value:.0f} {name}" if abs(value) >= 99.95 else f"{value:.1f} {name}"
    return f"{count} B"


def counted(count: int, noun: str) -> str:
    """`1 model`, `2 models`: for the command line, which speaks English."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def format_rate(bytes_per_second: float) -> str:
    return f"{format_bytes(round(bytes_per_second))}/s"


def format_duration(seconds: float) -> str:
    """`95` → `2 min`; `12` → `12 s`; `0.42` → `0.4 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def format_tokens(count: int) -> str:
    """`8192` → `8K`, as context lengths are named; anything uneven in full, with separators."""
    if count >= 1024 and count % 1024 == 0:
        return f"{count // 1024}K"
    return f"{count:,}"

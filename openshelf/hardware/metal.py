"""How much of its RAM a Mac is expected to lend to Metal, where no Mac is there to be asked."""

from __future__ import annotations

from itertools import pairwise

from openshelf.units import GIB

_REPORTED = ((32 * GIB, 2 / 3), (64 * GIB, 0.80), (128 * GIB, 0.84))
"""Shares of `recommendedMaxWorkingSetSize` in llama.cpp's logs. Up to 32 GiB they are 2/3 (16 GiB:
10,922 MiB; 32 GiB: 21,845 MiB), with newer systems up to 74 %: the smaller one counts here."""


def expected_working_set(ram_bytes: int) -> int:
    """Bytes that Metal would recommend as its largest working set, an expectation.

    Between the sizes that were reported the share is interpolated; beyond them it stays. A real
    Mac says it itself, and follows `iogpu.wired_limit_mb`.
    """
    share = _REPORTED[0][1]
    for (low, low_share), (high, high_share) in pairwise(_REPORTED):
        if ram_bytes > low:
            part = min(1.0, (ram_bytes - low) / (high - low))
            share = low_share + part * (high_share - low_share)
    return int(ram_bytes * share)

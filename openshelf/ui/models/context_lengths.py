"""Context lengths that a slider offers, and how a typed one is read."""

from __future__ import annotations

from openshelf.fit.memory import CONTEXT_STEP, round_context
from openshelf.fit.verdict import MAX_LENGTH

SHORTEST = 512
LONGEST_WITHOUT_KNOWING = 131_072
_PER_DOUBLING = 8
_UNITS = {"k": 1024, "m": 1024 * 1024}


def context_steps(longest: int | None) -> tuple[int, ...]:
    """Multiples of 256, about eight to a doubling, up to what a model was trained for."""
    longest = longest or LONGEST_WITHOUT_KNOWING
    steps, length = [], SHORTEST
    while length < longest:
        steps.append(length)
        doubling = 1 << (length.bit_length() - 1)
        length += max(CONTEXT_STEP, doubling // _PER_DOUBLING)
    return (*steps, longest)


def read_length(text: str, longest: int | None) -> int | None:
    """`8192`, `8,192`, `8k`: rounded up to what llama.cpp makes of it; None if it is no length."""
    words = text.strip().casefold()
    unit = _UNITS.get(words[-1:], 1)
    digits = "".join(mark for mark in words.rstrip("km") if mark not in " ,._’'\u00a0\u202f")
    if not (digits.isascii() and digits.isdigit()):
        return None
    length = min(max(1, int(digits)) * unit, longest or MAX_LENGTH)
    return min(round_context(length), longest or MAX_LENGTH)

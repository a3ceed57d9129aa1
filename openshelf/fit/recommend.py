"""Ranks a family's variants for one machine: pure, from sums worked out beforehand."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.fit.verdict import Fit
from openshelf.reasons import Reason


class Preference(enum.StrEnum):
    SPEED = "speed"
    BALANCE = "balance"
    QUALITY = "quality"


@dataclass(frozen=True)
class Candidate:
    """One variant to be ranked; `key` is the caller's own handle and is handed back untouched.

    `parameters` are the model's, `bits_per_weight` the file's size over them, `quality` the share
    kept (fit/quality.py), all None where unknown. `tiebreak` sorts equals, larger first
    (packager's standing, downloads).
    """

    key: object
    quant: str
    parameters: int | None
    bits_per_weight: float | None
    quality: float | None
    fit: Fit
    tiebreak: float = 0.0


@dataclass(frozen=True)
class Ranked:
    """A candidate with its place's reasons; `hidden` means: show only where nothing else fits."""

    candidate: Candidate
    score: float
    reasons: tuple[Reason, ...]
    hidden: bool = False


def rank(candidates: Sequence[Candidate], prefer: str = "balance") -> list[Ranked]:
    """Best first: all that fit, then those that do not, by how little they miss.

    `prefer` is speed, balance or quality; anything else raises ValueError.
    """
    raise NotImplementedError

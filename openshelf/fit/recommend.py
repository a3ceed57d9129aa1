"""Ranks a family's variants for one machine: pure, from sums worked out beforehand.

A variant's score is the sum of three inspectable parts: what the model can do at that precision,
how fast it answers, and where it runs. The preference only changes their weights.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openshelf.fit.verdict import Fit, FitVerdict
from openshelf.gguf.names import plain_label
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
class Score:
    """The parts of a score; larger is better. `ability` is in doublings of model size."""

    ability: float
    speed: float
    placement: float

    @property
    def total(self) -> float:
        return self.ability + self.speed + self.placement

    def as_json(self) -> dict[str, Any]:
        parts = {"ability": self.ability, "speed": self.speed, "placement": self.placement}
        return {"total": round(self.total, 3)} | {k: round(v, 3) for k, v in parts.items()}


@dataclass(frozen=True)
class Ranked:
    """A candidate with its place's reasons; `hidden` means: show only where nothing else fits."""

    candidate: Candidate
    score: Score
    reasons: tuple[Reason, ...]
    hidden: bool = False


@dataclass(frozen=True)
class _Weights:
    """What a preference asks: weight of one doubling of speed, the speed that is enough, and how
    much it minds what is slower than a person reads."""

    speed: float
    enough_per_second: float
    low_bits: float
    impatience: float


_WEIGHTS = {
    Preference.SPEED: _Weights(speed=1.6, enough_per_second=60.0, low_bits=1.0, impatience=1.0),
    Preference.BALANCE: _Weights(speed=0.9, enough_per_second=15.0, low_bits=1.0, impatience=1.0),
    Preference.QUALITY: _Weights(speed=0.4, enough_per_second=5.0, low_bits=1.5, impatience=0.1),
}
_READING_PER_SECOND = 2.5
"""Tokens; below this an answer is awaited and no longer read as it comes."""
_COMMON_BITS = 4.9
_PLACEMENT = {FitVerdict.FITS_GPU: 0.0, FitVerdict.FITS_SPLIT: -0.4, FitVerdict.FITS_CPU: -0.4}
_NOT_KNOWN = -0.3
"""An upper bound that fits is a little less sure than a figure."""

CROSSOVER = ((9e9, 4.2), (30e9, 3.0), (70e9, 2.5))
"""(parameters, bits per weight): below the bits, a smaller model at more bits is better.

Llama 3 70B beats 8B F16 down to IQ2_XS; 3 bits near 30B and Q4 below 9B are our reading of the
same measurements.
"""
_HIDDEN_LABELS = ("IQ1", "Q1", "TQ1")
_HIDDEN_UNLESS_LARGE = ("IQ2", "Q2", "TQ2")
_LARGE = 60_000_000_000
"""From this size on, two bits still beat the next smaller model."""
_DOUBLINGS_LOST_AT_CROSSOVER = 1.2
"""At the crossover a model is about as good as one a size class (x2.3) smaller."""
_DOUBLINGS_PER_BIT_BELOW = 2.5
_ENOUGH_BITS = 6.0
"""More bits than this gain less than their speed costs."""
_NO_GAIN_BITS = 8.5
_GAIN_ABOVE = 0.04
"""Doublings per bit between the two: Q8_0 is as good as F16."""


def rank(candidates: Sequence[Candidate], prefer: str = "balance") -> list[Ranked]:
    """Best first: all that fit, then those that do not, by how little they miss.

    Last-resort precisions (IQ1, Q2) come after everything else that fits and are `hidden`, unless
    nothing else fits. `prefer` is speed, balance or quality; anything else raises ValueError.
    """
    weights = _WEIGHTS[Preference(prefer)]
    scored = [(candidate, _score(candidate, weights)) for candidate in candidates]
    has_better = any(c.fit.verdict.fits and not _is_last_resort(c) for c in candidates)
    ranked = [
        Ranked(
            candidate=candidate,
            score=score,
            reasons=(),
            hidden=has_better and _is_last_resort(candidate),
        )
        for candidate, score in scored
    ]
    ranked.sort(key=_order)
    field = _survey(ranked)
    return [_with_reasons(place, field) for place in ranked]


def _order(place: Ranked) -> tuple[object, ...]:
    candidate = place.candidate
    fit = candidate.fit
    if fit.verdict.fits:
        return (0, place.hidden, -place.score.total, -candidate.tiebreak)
    # of those that do not fit, the one that misses by least is the nearest; unknown comes first
    is_unknown = fit.verdict is FitVerdict.UNKNOWN
    return (1 if is_unknown else 2, place.hidden, missing_bytes(fit), -candidate.tiebreak)


def missing_bytes(fit: Fit) -> int:
    """What all pools together lack, in bytes."""
    return sum(max(0, pool.needed_bytes - pool.budget_bytes) for pool in fit.pools)


def crossover_bits(parameters: int) -> float:
    """Bits per weight below which a smaller model at more bits is better, by model size."""
    sizes = [math.log(size) for size, _ in CROSSOVER]
    bits = [value for _, value in CROSSOVER]
    at = math.log(max(parameters, 1))
    if at <= sizes[0]:
        return bits[0]
    for upper in range(1, len(sizes)):
        if at <= sizes[upper]:
            part = (at - sizes[upper - 1]) / (sizes[upper] - sizes[upper - 1])
            return bits[upper - 1] + part * (bits[upper] - bits[upper - 1])
    return bits[-1]


def _score(candidate: Candidate, weights: _Weights) -> Score:
    fit = candidate.fit
    placement = _PLACEMENT.get(fit.verdict, 0.0)
    if not fit.known_architecture:
        placement += _NOT_KNOWN
    return Score(
        ability=_ability(candidate, weights),
        speed=_speed(candidate, weights),
        placement=placement,
    )


def _ability(candidate: Candidate, weights: _Weights) -> float:
    """Doublings of model size, less what low precision costs in the same unit."""
    parameters = candidate.parameters or 1_000_000_000
    size = math.log2(parameters / 1e9)
    bits = candidate.bits_per_weight
    if bits is None:
        return size
    floor = crossover_bits(parameters)
    if bits < floor:
        lost = _DOUBLINGS_LOST_AT_CROSSOVER + _DOUBLINGS_PER_BIT_BELOW * (floor - bits)
    elif bits < _ENOUGH_BITS:
        # falls off quickly at first: most of the loss lies in the last bit before the crossover
        part = (_ENOUGH_BITS - bits) / (_ENOUGH_BITS - floor)
        lost = _DOUBLINGS_LOST_AT_CROSSOVER * part**3
    else:
        lost = -_GAIN_ABOVE * (min(bits, _NO_GAIN_BITS) - _ENOUGH_BITS)
    lost = lost * weights.low_bits if lost > 0 else lost
    if candidate.quality is not None:
        lost += (1 - candidate.quality) * weights.low_bits
    return size - lost


def _speed(candidate: Candidate, weights: _Weights) -> float:
    """Doublings below the speed that is enough, negative; a little credit above it.

    What is slower than reading is a fault of the model's size: it is judged at a common precision,
    so that nobody gets three bits of a model that is too slow at any precision.
    """
    speed = candidate.fit.speed
    if speed is None:
        return 0.0
    middle = math.sqrt(max(speed.decode.low, 1e-3) * max(speed.decode.high, 1e-3))
    at_common_bits = middle * (candidate.bits_per_weight or _COMMON_BITS) / _COMMON_BITS
    doublings = math.log2(middle / weights.enough_per_second)
    below_reading = max(0.0, math.log2(_READING_PER_SECOND / at_common_bits))
    gained = weights.speed * (doublings if doublings < 0 else 0.1 * min(doublings, 3.0))
    return gained - weights.impatience * below_reading**2


def _is_last_resort(candidate: Candidate) -> bool:
    label = plain_label(candidate.quant.upper())
    if label.startswith(_HIDDEN_UNLESS_LARGE):
        parameters, bits = candidate.parameters or 0, candidate.bits_per_weight or 0
        return parameters < _LARGE or bits < crossover_bits(parameters)
    return label.startswith(_HIDDEN_LABELS)


@dataclass(frozen=True)
class _Field:
    """What the fitting variants of a ranking have in common, for the reasons."""

    first: Candidate | None
    largest: int
    n_sizes: int
    finest: float
    """Most bits per weight of the first one's model."""
    n_precisions: int


def _survey(ranked: Sequence[Ranked]) -> _Field:
    fitting = [place.candidate for place in ranked if place.candidate.fit.verdict.fits]
    sizes = {candidate.parameters or 0 for candidate in fitting}
    first = fitting[0] if fitting else None
    bits = {c.bits_per_weight or 0 for c in fitting if first and c.parameters == first.parameters}
    return _Field(first, max(sizes, default=0), len(sizes), max(bits, default=0), len(bits))


def _with_reasons(place: Ranked, field: _Field) -> Ranked:
    candidate = place.candidate
    reasons = []
    is_largest = candidate.parameters == field.largest and field.n_sizes > 1
    if candidate.fit.verdict.fits and is_largest:
        reasons.append(Reason("rank_largest_that_fits", {"parameters": candidate.parameters}))
    if candidate is field.first:
        reasons.extend(_why_first(candidate, field))
    if _is_last_resort(candidate):
        reasons.append(Reason("rank_last_resort", {"quant": candidate.quant}))
    return Ranked(candidate, place.score, tuple(reasons), place.hidden)


def _why_first(first: Candidate, field: _Field) -> list[Reason]:
    reasons = []
    if first.quality is not None:
        reasons.append(Reason("rank_quality", {"kept": first.quality, "quant": first.quant}))
    if field.n_precisions > 1 and first.bits_per_weight:
        is_finest = first.bits_per_weight >= field.finest
        code = "rank_finest_that_fits" if is_finest else "rank_faster_than_finer"
        if is_finest or first.fit.speed is not None:
            reasons.append(Reason(code, {"quant": first.quant}))
    return reasons

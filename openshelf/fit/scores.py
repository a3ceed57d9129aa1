"""How good one variant is for a person: its ability, its speed and its place, in doublings.

A score is the sum of three inspectable parts; the preference only changes their weights.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

from openshelf.fit.verdict import FitVerdict
from openshelf.gguf.names import plain_label


class Preference(enum.StrEnum):
    SPEED = "speed"
    BALANCE = "balance"
    QUALITY = "quality"


@dataclass(frozen=True)
class Precision:
    """What a variant keeps of its model, whatever the machine.

    `parameters` are the model's, `bits_per_weight` the file's size over them, `quality` the share
    kept (fit/quality.py), all None where unknown; `assumed` stands in where that was not measured.
    `native_bits` are those of the format that the
    model was released in, where that is a quantized one: more bits than these keep no more.
    `years_behind` is how much older the model is than the newest it is compared with.
    `active_parameters` are those that one token passes in a mixture of experts, None for others.
    `is_special` = made for one kind of work, where its siblings are made for any.
    """

    quant: str
    parameters: int | None
    bits_per_weight: float | None
    quality: float | None
    native_bits: float | None = None
    years_behind: float = 0.0
    active_parameters: int | None = None
    is_special: bool = False
    assumed: float | None = None

    @property
    def effective_parameters(self) -> float:
        """Parameters of the dense model that is about as able; of an unknown size, a small one's.

        Of a mixture of experts neither the memory nor the speed tells: see _SHARE_OF_TOTAL.
        """
        parameters = self.parameters or _UNKNOWN_SIZE
        active = min(self.active_parameters or parameters, parameters)
        return float(active * (parameters / active) ** _SHARE_OF_TOTAL)


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
class Weights:
    """What a preference asks: weight of one doubling of speed, the speed that is enough, and how
    much it minds what is slower than a person reads."""

    speed: float
    enough_per_second: float
    low_bits: float
    impatience: float


WEIGHTS = {
    Preference.SPEED: Weights(speed=1.6, enough_per_second=60.0, low_bits=1.0, impatience=1.0),
    Preference.BALANCE: Weights(speed=0.9, enough_per_second=15.0, low_bits=1.0, impatience=1.0),
    Preference.QUALITY: Weights(speed=0.4, enough_per_second=5.0, low_bits=1.5, impatience=0.3),
}
READING_PER_SECOND = 6.5
"""Tokens; below this an answer is awaited and no longer read as it comes.

Most people read 175 to 300 words a minute silently (Brysbaert 2019), the quick ones five a second;
a word is about 1.3 tokens.
"""
_READING_DOUBLINGS = math.log2(READING_PER_SECOND)
_ENOUGH_DOUBLINGS = {
    preference: math.log2(weights.enough_per_second) for preference, weights in WEIGHTS.items()
}
_UNKNOWN_SIZE = 1_000_000_000
_SHARE_OF_TOTAL = 0.6
"""Where a mixture of experts stands between its active (0) and its total parameters (1).

The rule of thumb is their geometric mean (0.5). Qwen3's report (arXiv 2505.09388) finds mixtures
as good as dense models of five times their active parameters, 0.68 for the two it tells of. Ours
lies between.
"""
_COMMON_BITS = 4.9
"""Also of files of which nobody knows how many they have."""
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
"""As able as this, two bits still beat the next smaller model."""
_DOUBLINGS_LOST_AT_CROSSOVER = 1.2
"""At the crossover a model is about as good as one a size class (x2.3) smaller."""
_DOUBLINGS_PER_BIT_BELOW = 2.5
_ENOUGH_BITS = 6.0
"""More bits than this gain less than their speed costs."""
_NO_GAIN_BITS = 8.5
_GAIN_ABOVE = 0.04
"""Doublings per bit between the two: Q8_0 is as good as F16."""
_DOUBLINGS_PER_YEAR = 1.6
"""What a year of progress is worth inside one family, in doublings of size.

The lowest of what publishers found: Qwen3's 1.7B to 32B do as well as Qwen2.5's 3B to 72B (0.98
doublings in 222 days, arXiv 2505.09388), Gemma 3's 4B as Gemma 2's 27B (2.8 in nine months, arXiv
2503.19786). Over all families arXiv 2412.04315 finds one in about 3.5 months.
"""
_ONE_RELEASE_YEARS = 0.25
"""Over so long the sizes of one release may come out."""
_SAME_BITS = 0.97
"""Files of one format differ by their tokenizers and norms."""


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


def ability(precision: Precision, prefer: Preference) -> float:
    """Doublings of model size, less what age and low precision cost in the same unit."""
    low_bits = WEIGHTS[prefer].low_bits
    size = math.log2(precision.effective_parameters / 1e9)
    size -= _DOUBLINGS_PER_YEAR * _years_of_progress(precision.years_behind)
    bits = precision.bits_per_weight or _COMMON_BITS
    native = precision.native_bits
    if native is not None and bits >= native * _SAME_BITS:
        return size
    floor = crossover_bits(precision.parameters or _UNKNOWN_SIZE)
    if bits < floor:
        lost = _DOUBLINGS_LOST_AT_CROSSOVER + _DOUBLINGS_PER_BIT_BELOW * (floor - bits)
    elif bits < _ENOUGH_BITS:
        # falls off quickly at first: most of the loss lies in the last bit before the crossover
        part = (_ENOUGH_BITS - bits) / (_ENOUGH_BITS - floor)
        lost = _DOUBLINGS_LOST_AT_CROSSOVER * part**3
    else:
        lost = -_GAIN_ABOVE * (min(bits, _NO_GAIN_BITS) - _ENOUGH_BITS)
    lost = lost * low_bits if lost > 0 else lost
    kept = precision.assumed if precision.quality is None else precision.quality
    if kept is not None:
        lost += (1 - kept) * low_bits
    return size - lost


def _years_of_progress(years_behind: float) -> float:
    """Less than the days between two sizes of one release, which came out one after the other."""
    return years_behind * min(1.0, years_behind / _ONE_RELEASE_YEARS)


def speed_score(
    doublings: float | None, bits_per_weight: float | None, prefer: Preference
) -> float:
    """Doublings below the speed that is enough, negative; a little credit above it.

    `doublings` is the binary logarithm of the tokens per second, None where unknown. What is slower
    than reading is a fault of the model's size: it is judged at a common precision, so that nobody
    gets three bits of a model that is too slow at any precision.
    """
    if doublings is None:
        return 0.0
    weights = WEIGHTS[prefer]
    above = doublings - _ENOUGH_DOUBLINGS[prefer]
    at_common_bits = doublings + math.log2((bits_per_weight or _COMMON_BITS) / _COMMON_BITS)
    below_reading = max(0.0, _READING_DOUBLINGS - at_common_bits)
    gained = weights.speed * (above if above < 0 else 0.1 * min(above, 3.0))
    return gained - weights.impatience * below_reading**2


def placement_score(verdict: FitVerdict | None, *, is_known: bool) -> float:
    """What the place costs; the best place's where the verdict is not known."""
    score = 0.0 if verdict is None else _PLACEMENT.get(verdict, 0.0)
    return score if is_known else score + _NOT_KNOWN


def is_last_resort(precision: Precision) -> bool:
    """Whether so few bits are shown only where nothing else fits (IQ1, Q2)."""
    label = plain_label(precision.quant.upper())
    if label.startswith(_HIDDEN_UNLESS_LARGE):
        bits = precision.bits_per_weight or 0
        is_large = precision.effective_parameters >= _LARGE
        return not is_large or bits < crossover_bits(precision.parameters or 0)
    return label.startswith(_HIDDEN_LABELS)


GENERAL, SPECIAL, LAST_RESORT = range(3)


def group_of(precision: Precision) -> int:
    """Which of these it belongs to: one that fits goes before all of the later groups."""
    if is_last_resort(precision):
        return LAST_RESORT
    return SPECIAL if precision.is_special else GENERAL

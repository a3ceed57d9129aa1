"""How much of the unquantized model a quantization keeps, from measured figures.

One suite answers each question, the one of the nearest model size: figures of different suites
differ in corpus and baseline and are never mixed.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openshelf.paths import resources

UNKNOWN = "unknown"
UNQUANTIZED = "unquantized"
AS_RELEASED = "as released"
"""Basis of the format that a model was released in: there is nothing that it could have lost."""
DISAGREEMENT_PER_ROOT_KLD = 0.42
"""Share of tokens whose first choice changes, over the square root of the mean KLD.

0.41 to 0.45 in every row of the two suites that measured both (qwen38_27b_v5, qwen38_27b_atomic).
"""
LOSS_PER_HALVING = 0.15
"""A model of half the size loses this much more, one of twice the size this much less."""
_UNKNOWN_SIZE = 1_000_000_000
_LEAST_SCALE, _LARGEST_SCALE = 0.6, 1.6
_MEAN_KLD = ("mean_kld", "mean_kld_vs_bf16")
_LEAST_ROWS = 10
"""Fewer rows make no ladder to interpolate on."""
_LOSS_PER_BITS = 3.0
"""Below the lowest bits measured, a loss grows with this power of what the bits shrink by. The low
ends of the two ladders grow with 2.7 and 2.8."""
_LABEL = re.compile(r"[A-Z0-9_-]+")
_UNQUANTIZED_LABELS = ("F32", "F16", "BF16")
_NOT_ON_THE_LADDER = ("MXFP4", "NVFP4", "TQ", "Q1_0", "FP8")
"""Formats of their own: native to a model or trained for, so that their bits tell nothing."""


@dataclass(frozen=True)
class Suite:
    """Share of changed tokens by bits per weight (ascending), and by label where it was measured.

    All of it comes from one measurement of one model of `parameters`.
    """

    basis: str
    parameters: int
    bits: tuple[float, ...]
    losses: tuple[float, ...]
    by_label: Mapping[str, float]

    def loss_at(self, bits_per_weight: float) -> float | None:
        """Interpolated on the logarithm of the bits; None below what was measured."""
        if bits_per_weight < self.bits[0] * 0.97:
            return None
        return self._between(bits_per_weight)

    def assumed_at(self, bits_per_weight: float) -> float:
        """The same, and below what was measured what it is likely to be at most."""
        if bits_per_weight >= self.bits[0]:
            return self._between(bits_per_weight)
        fewer = self.bits[0] / max(bits_per_weight, 0.1)
        return float(min(1.0, self.losses[0] * fewer**_LOSS_PER_BITS))

    def _between(self, bits_per_weight: float) -> float:
        if bits_per_weight >= self.bits[-1]:
            return self.losses[-1]
        wanted = math.log(max(bits_per_weight, self.bits[0]))
        for upper in range(1, len(self.bits)):
            low, high = math.log(self.bits[upper - 1]), math.log(self.bits[upper])
            if wanted <= high:
                part = (wanted - low) / (high - low)
                return self.losses[upper - 1] * (1 - part) + self.losses[upper] * part
        return self.losses[-1]


def quality_kept(
    quant: str,
    bits_per_weight: float | None,
    parameters: int | None,
    *,
    is_native: bool = False,
) -> tuple[float | None, str]:
    """Share of tokens on which the quantized model still agrees with the original, and its basis.

    `bits_per_weight` is the file's size over the parameters, `is_native` says that the model was
    released in this very format. The basis names the model and the
    suite measured; None with basis "unknown" where nothing comparable was measured.
    """
    label = quant.upper()
    if is_native:
        return 1.0, AS_RELEASED
    if label in _UNQUANTIZED_LABELS:
        return 1.0, UNQUANTIZED
    if not parameters or label.startswith(_NOT_ON_THE_LADDER):
        return None, UNKNOWN
    suite = _nearest_suite(parameters)
    if suite is None:
        return None, UNKNOWN
    loss = suite.by_label.get(label)
    if loss is None:
        bits = bits_per_weight or usual_bits(label)
        loss = suite.loss_at(bits) if bits else None
    if loss is None:
        return None, UNKNOWN
    return _kept(loss, suite, parameters), suite.basis


def assumed_quality(
    quant: str, bits_per_weight: float | None, parameters: int | None
) -> float | None:
    """What is assumed to be kept where nothing comparable was measured, on the careful side: as
    any other format of so few bits keeps, of a small model where the size is not known.

    None where not even the bits are known. It serves to rank and is no measurement.
    """
    bits = bits_per_weight or usual_bits(quant)
    suite = _nearest_suite(parameters or _UNKNOWN_SIZE)
    if not bits or suite is None:
        return None
    return _kept(suite.assumed_at(bits), suite, parameters or _UNKNOWN_SIZE)


def _kept(loss: float, suite: Suite, parameters: int) -> float:
    scale = 1 + LOSS_PER_HALVING * math.log2(suite.parameters / parameters)
    scale = min(max(scale, _LEAST_SCALE), _LARGEST_SCALE)
    return round(max(0.0, 1 - loss * scale), 4)


@functools.cache
def _usual_bits() -> dict[str, float]:
    table = tomllib.loads((resources() / "quality" / "bits_per_weight.toml").read_text("utf-8"))
    return {name.upper(): float(row["file"]) for name, row in table["quants"].items()}


def usual_bits(quant: str) -> float | None:
    """Bits per weight of a whole file with this label, where its own size is not known."""
    return _usual_bits().get(quant.upper())


@functools.cache
def suites() -> tuple[Suite, ...]:
    """The suites that are ladders: mean KLD over many sizes of one model."""
    table = tomllib.loads((resources() / "quality" / "measurements.toml").read_text("utf-8"))
    return tuple(suite for row in table["suites"] if (suite := _read_suite(row)) is not None)


def _read_suite(row: Mapping[str, Any]) -> Suite | None:
    parameters = int(row.get("parameters", 0))
    losses: dict[str, list[float]] = {}
    points: dict[float, list[float]] = {}
    for entry in row["rows"]:
        kld = next((entry[name] for name in _MEAN_KLD if name in entry), None)
        size = entry.get("size_gib", 0) * 2**30 or entry.get("size_gb", 0) * 1e9
        if kld is None or not size or not parameters or not _LABEL.fullmatch(entry["quant"]):
            continue
        if "domain" in entry or "uploader" in entry:
            continue  # one label, several figures: no ladder
        loss = DISAGREEMENT_PER_ROOT_KLD * math.sqrt(kld)
        losses.setdefault(entry["quant"], []).append(loss)
        points.setdefault(size * 8 / parameters, []).append(loss)
    if len(points) < _LEAST_ROWS:
        return None
    bits = sorted(points)
    ladder = [sum(points[at]) / len(points[at]) for at in bits]
    return Suite(
        basis=f"{row['model']} ({row['id']})",
        parameters=parameters,
        bits=tuple(bits),
        losses=_descending(ladder),
        by_label={label: sum(found) / len(found) for label, found in losses.items()},
    )


def _descending(ladder: list[float]) -> tuple[float, ...]:
    """More bits never lose more: a worse recipe of more bits is not what an unknown one is."""
    smoothed = list(ladder)
    for at in range(1, len(smoothed)):
        smoothed[at] = min(smoothed[at], smoothed[at - 1])
    return tuple(smoothed)


def _nearest_suite(parameters: int) -> Suite | None:
    return min(
        suites(), key=lambda suite: abs(math.log(suite.parameters / parameters)), default=None
    )

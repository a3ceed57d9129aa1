"""Ranks a family's variants for one machine, best first, with the reasons for their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.fit.scores import (
    Precision,
    Preference,
    Score,
    ability,
    group_of,
    is_last_resort,
    placement_score,
    speed_score,
)
from openshelf.fit.speed import doublings_of
from openshelf.fit.verdict import Fit, FitVerdict
from openshelf.reasons import Reason


@dataclass(frozen=True)
class Candidate:
    """One variant to be ranked; `key` is the caller's own handle and is handed back untouched.

    `tiebreak` sorts equals, larger first (packager's standing, downloads).
    """

    key: object
    precision: Precision
    fit: Fit
    tiebreak: float = 0.0


@dataclass(frozen=True)
class Ranked:
    """A candidate with its place's reasons; `hidden` means: show only where nothing else fits."""

    candidate: Candidate
    score: Score
    reasons: tuple[Reason, ...]
    hidden: bool = False


def rank(candidates: Sequence[Candidate], prefer: str = "balance") -> list[Ranked]:
    """Best first: all that fit, then those that do not, by how little they miss.

    Models made for one kind of work come after those for any. Last-resort precisions (IQ1, Q2) come
    after everything else that fits and are `hidden`, unless nothing else fits. `prefer` is speed,
    balance or quality; anything else raises ValueError.
    """
    preference = Preference(prefer)
    has_better = any(c.fit.verdict.fits and not is_last_resort(c.precision) for c in candidates)
    ranked = [
        Ranked(
            candidate=candidate,
            score=score_of(candidate, preference),
            reasons=(),
            hidden=has_better and is_last_resort(candidate.precision),
        )
        for candidate in candidates
    ]
    ranked.sort(key=in_order)
    fitting = [place.candidate for place in ranked if place.candidate.fit.verdict.fits]
    return [_with_reasons(place, fitting) for place in ranked]


def score_of(candidate: Candidate, prefer: Preference) -> Score:
    fit, precision = candidate.fit, candidate.precision
    return Score(
        ability=ability(precision, prefer),
        speed=speed_score(doublings_of(fit.speed), precision.bits_per_weight, prefer),
        placement=placement_score(fit.verdict, is_known=fit.known_architecture),
    )


def missing_bytes(fit: Fit) -> int:
    """What all pools together lack, in bytes."""
    return sum(max(0, pool.needed_bytes - pool.budget_bytes) for pool in fit.pools)


def distance(fit: Fit) -> tuple[int, int]:
    """How far one that does not fit is from fitting."""
    return farness(fit.verdict), missing_bytes(fit)


def farness(verdict: FitVerdict) -> int:
    """What is not known comes before what misses."""
    return 1 if verdict is FitVerdict.UNKNOWN else 2


def in_order(place: Ranked) -> tuple[object, ...]:
    candidate = place.candidate
    if candidate.fit.verdict.fits:
        return (0, group_of(candidate.precision), -place.score.total, -candidate.tiebreak)
    far, missing = distance(candidate.fit)
    return (far, place.hidden, missing, -candidate.tiebreak)


def _with_reasons(place: Ranked, fitting: Sequence[Candidate]) -> Ranked:
    candidate, precision = place.candidate, place.candidate.precision
    reasons = []
    sizes = {other.precision.parameters or 0 for other in fitting}
    if candidate.fit.verdict.fits and len(sizes) > 1 and precision.parameters == max(sizes):
        reasons.append(largest_reason(precision))
    if fitting and candidate is fitting[0]:
        bits = {
            other.precision.bits_per_weight or 0
            for other in fitting
            if other.precision.parameters == precision.parameters
        }
        is_finest = (precision.bits_per_weight or 0) >= max(bits) if len(bits) > 1 else None
        has_speed = candidate.fit.speed is not None
        reasons += why_first(precision, is_finest=is_finest, has_speed=has_speed)
    if is_last_resort(precision):
        reasons.append(Reason("rank_last_resort", {"quant": precision.quant}))
    return Ranked(candidate, place.score, tuple(reasons), place.hidden)


def largest_reason(precision: Precision) -> Reason:
    return Reason("rank_largest_that_fits", {"parameters": precision.parameters})


def why_first(precision: Precision, *, is_finest: bool | None, has_speed: bool) -> list[Reason]:
    """Why of one model this precision: `is_finest` = none that fits has more bits, None = none but
    this one fits."""
    reasons = []
    if precision.quality is not None:
        data = {"kept": precision.quality, "quant": precision.quant}
        reasons.append(Reason("rank_quality", data))
    if is_finest is not None and precision.bits_per_weight:
        code = "rank_finest_that_fits" if is_finest else "rank_faster_than_finer"
        if is_finest or has_speed:
            reasons.append(Reason(code, {"quant": precision.quant}))
    return reasons

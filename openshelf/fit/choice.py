"""Finds the best of many variants without working out the fit of each.

Most are answered by their sums alone; where only a split can tell, `fit_on` is asked in the order
of what they can reach at best, until none that is left can be better. The result is that of
`recommend.rank` over all fits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from openshelf.fit.outlook import Ground, Outlook, Sums, look, without_room
from openshelf.fit.recommend import (
    Candidate,
    Ranked,
    distance,
    farness,
    largest_reason,
    score_of,
    why_first,
)
from openshelf.fit.scores import (
    GENERAL,
    LAST_RESORT,
    SPECIAL,
    Precision,
    Preference,
    Score,
    ability,
    group_of,
    placement_score,
    speed_score,
)
from openshelf.fit.speed import doublings_of
from openshelf.fit.verdict import Fit, FitVerdict
from openshelf.reasons import Reason


@dataclass(frozen=True, slots=True)
class Prospect:
    """A variant before its fit is known; `key` and `tiebreak` as in `Candidate`. Nothing here
    depends on the machine."""

    key: object
    precision: Precision
    sums: Sums
    tiebreak: float
    abilities: tuple[float, ...]
    """By preference, in the order of `Preference`."""
    group: int
    is_measured: bool
    """How fast it is was seen here, so that its sums do not tell."""

    @classmethod
    def of(
        cls,
        key: object,
        precision: Precision,
        sums: Sums,
        tiebreak: float = 0.0,
        *,
        is_measured: bool = False,
    ) -> Prospect:
        return cls(
            key=key,
            precision=precision,
            sums=sums,
            tiebreak=tiebreak,
            abilities=tuple(ability(precision, prefer) for prefer in Preference),
            group=group_of(precision),
            is_measured=is_measured,
        )


_INDEX = {prefer: index for index, prefer in enumerate(Preference)}


@dataclass(frozen=True)
class Chosen:
    """The best of a choice. `reasons` are those of its place, as in `Ranked`."""

    prospect: Prospect
    verdict: FitVerdict
    score: Score
    reasons: tuple[Reason, ...]


class Choice:
    """The variants of one family (or model) on one machine.

    `fit_of` works out the full fit of a prospect; each is asked for once at most.
    """

    def __init__(
        self, prospects: Sequence[Prospect], ground: Ground, fit_of: Callable[[Prospect], Fit]
    ) -> None:
        self._prospects = prospects
        self._ground = ground
        self._outlooks = [_outlook(prospect, ground) for prospect in prospects]
        self._fit_of = fit_of
        self._fits: dict[int, Fit] = {}

    def best(self, prefer: str) -> Chosen | None:
        """The first that `rank` names, with its reasons; where nothing fits, the nearest. None
        without prospects. Raises ValueError for an unknown preference."""
        preference = Preference(prefer)
        index = self._best(preference)
        return None if index is None else self._chosen(index, preference)

    def ranked(self, prefer: str) -> Ranked | None:
        """The same with its full fit."""
        preference = Preference(prefer)
        index = self._best(preference)
        if index is None:
            return None
        candidate = self._candidate(index)
        reasons = self._chosen(index, preference).reasons
        return Ranked(candidate, score_of(candidate, preference), reasons)

    def _best(self, prefer: Preference) -> int | None:
        for members in self._groups:
            index = self._first(members, prefer)
            if index is not None:
                return index
        return self._nearest()

    @functools.cached_property
    def _groups(self) -> list[list[int]]:
        """Those that may fit, in the order in which they are asked for."""
        groups: dict[int, list[int]] = {GENERAL: [], SPECIAL: [], LAST_RESORT: []}
        for index, outlook in enumerate(self._outlooks):
            if outlook.fits is not False:
                groups[self._prospects[index].group].append(index)
        return list(groups.values())

    def _first(self, group: Iterable[int], prefer: Preference) -> int | None:
        at = _INDEX[prefer]
        reach = [(self._total(index, at, prefer), index) for index in group]
        prospects = self._prospects
        reach.sort(key=lambda pair: (-pair[0], -prospects[pair[1]].tiebreak, pair[1]))
        best: tuple[float, float, int] | None = None
        for total, index in reach:
            if best is not None and total < -best[0]:
                break
            if self._outlooks[index].verdict is None:
                if not self._fit(index).verdict.fits:
                    continue
                total = score_of(self._candidate(index), prefer).total
            place = (-total, -prospects[index].tiebreak, index)
            best = place if best is None else min(best, place)
        return None if best is None else best[2]

    def _total(self, index: int, at: int, prefer: Preference) -> float:
        """The score, or what it does not exceed."""
        prospect, outlook = self._prospects[index], self._outlooks[index]
        verdict = FitVerdict.FITS_SPLIT if outlook.is_split else outlook.verdict
        return (
            prospect.abilities[at]
            + speed_score(outlook.doublings, prospect.precision.bits_per_weight, prefer)
            + placement_score(verdict, is_known=prospect.sums.is_known)
        )

    def _nearest(self) -> int | None:
        """Of each model the smallest misses by least; those are asked that may miss by less than
        the others."""
        best: tuple[int, int, float, int] | None = None
        smallest = self._smallest(range(len(self._prospects)))
        for bound, index in sorted((self._least_distance(index), index) for index in smallest):
            if best is not None and bound > best[:2]:
                break
            place = (*distance(self._fit(index)), -self._prospects[index].tiebreak, index)
            best = place if best is None else min(best, place)
        return None if best is None else best[3]

    def _least_distance(self, index: int) -> tuple[int, int]:
        """Of one that does not fit."""
        verdict = without_room(self._prospects[index].sums, self._ground)
        return farness(verdict), self._outlooks[index].missing

    def _fit(self, index: int) -> Fit:
        if index not in self._fits:
            self._fits[index] = self._fit_of(self._prospects[index])
        return self._fits[index]

    def _candidate(self, index: int) -> Candidate:
        prospect = self._prospects[index]
        return Candidate(prospect.key, prospect.precision, self._fit(index), prospect.tiebreak)

    def _chosen(self, index: int, prefer: Preference) -> Chosen:
        prospect, outlook = self._prospects[index], self._outlooks[index]
        verdict, doublings = outlook.verdict, outlook.doublings
        if verdict is None or not verdict.fits:
            fit = self._fit(index)
            verdict, doublings = fit.verdict, doublings_of(fit.speed)
        precision = prospect.precision
        reasons = self._reasons(index, has_speed=doublings is not None) if verdict.fits else []
        if prospect.group == LAST_RESORT:
            reasons.append(Reason("rank_last_resort", {"quant": precision.quant}))
        score = Score(
            ability=prospect.abilities[_INDEX[prefer]],
            speed=speed_score(doublings, precision.bits_per_weight, prefer),
            placement=placement_score(verdict, is_known=prospect.sums.is_known),
        )
        return Chosen(prospect, verdict, score, tuple(reasons))

    def _reasons(self, first: int, *, has_speed: bool) -> list[Reason]:
        precision = self._prospects[first].precision
        size, bits = precision.parameters or 0, precision.bits_per_weight or 0
        larger = (i for other, group in self._sizes.items() if other > size for i in group)
        smaller = (i for other, group in self._sizes.items() if other < size for i in group)
        reasons = []
        if not self._any_fits(larger) and self._any_fits(smaller):
            reasons.append(largest_reason(precision))
        finer = (i for i in self._sizes[size] if self._bits(i) > bits)
        coarser = (i for i in self._sizes[size] if self._bits(i) < bits)
        is_finest = not self._any_fits(finer)
        has_others = not is_finest or self._any_fits(coarser)
        finest = is_finest if has_others else None
        return reasons + why_first(precision, is_finest=finest, has_speed=has_speed)

    @functools.cached_property
    def _sizes(self) -> dict[int, list[int]]:
        """By parameters."""
        sizes: dict[int, list[int]] = {}
        for index, prospect in enumerate(self._prospects):
            sizes.setdefault(prospect.precision.parameters or 0, []).append(index)
        return sizes

    def _bits(self, index: int) -> float:
        return self._prospects[index].precision.bits_per_weight or 0

    def _any_fits(self, indexes: Iterable[int]) -> bool:
        """What the sums tell comes first. Where the smallest of a model does not fit, none of its
        variants does."""
        unsure = []
        for index in indexes:
            if self._outlooks[index].fits:
                return True
            if self._outlooks[index].fits is None:
                unsure.append(index)
        return any(self._fit(index).verdict.fits for index in self._smallest(unsure))

    def _smallest(self, indexes: Iterable[int]) -> list[int]:
        """The smallest variant of each model among these."""
        smallest: dict[int, int] = {}
        for index in sorted(indexes, key=lambda i: (self._prospects[i].sums.weights, i)):
            smallest.setdefault(id(self._prospects[index].sums.frame), index)
        return list(smallest.values())


def _outlook(prospect: Prospect, ground: Ground) -> Outlook:
    outlook = look(prospect.sums, ground)
    if prospect.is_measured and outlook.fits is not False:
        return Outlook(None, math.inf, outlook.fits)
    return outlook

"""Builds the Shelf: one row per family with its best variant for a machine and a question.

Pure and fast (the window calls it on each change): no network, no engine, no files but the shipped
tables.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from openshelf.catalog.entries import Catalog, CatalogModel, Family
from openshelf.errors import BadWords
from openshelf.fit.choice import Prospect
from openshelf.fit.recommend import Ranked, in_order
from openshelf.fit.scores import Preference, is_last_resort
from openshelf.fit.verdict import FitVerdict
from openshelf.hardware.facts import Machine
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.engine_word import can_load
from openshelf.shelf.filter_values import unknown_filters
from openshelf.shelf.filters import keeps_family, keeps_model, keeps_row, of_packager
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.prospects import Stock, prospects_for
from openshelf.shelf.ranking import (
    Bench,
    missing_model,
    no_chat_model,
    rank_all,
    ranked_variant,
    variant_of,
)
from openshelf.shelf.rows import RankedVariant, Shelf, ShelfQuestion, ShelfRow
from openshelf.shelf.variants import local_variant

_CRAWLING_PER_SECOND = 2.0
"""Tokens; a family whose best variant stays below this stands behind the others."""
_PAINFULLY_SLOW_PER_SECOND = 4.0
"""Below this nobody waits for an answer, so the card does not advertise it."""


def build_shelf(
    machine: Machine,
    question: ShelfQuestion,
    catalog: Catalog,
    parts: ShelfParts,
    stock: Stock | None = None,
) -> Shelf:
    """All rows that the question leaves, those with something that fits first.

    `stock` are the catalog's prospects for this question's request, where they are at hand.
    Raises UsageError for a preference, context length or KV type that makes no sense.
    """
    if question.prefer not in list(Preference):
        raise BadWords(why="preference", name=str(question.prefer), known=tuple(Preference))
    unknown = unknown_filters(question, catalog, parts)
    if question.packager:
        catalog, stock = of_packager(catalog, question.packager), None
    stock = stock or Stock.of(catalog, parts, question.request)
    bench = Bench(machine, question, parts, stock)
    rows = []
    for family in catalog.families:
        if not keeps_family(family, question):
            continue
        models = tuple(m for m in family.models if keeps_model(m, question, parts))
        if models:
            rows.append(_build_row(family, models, bench))
    rows = [row for row in rows if keeps_row(row, question)]
    rows.sort(key=_row_order)
    return Shelf(
        machine=machine,
        context_length=question.context_length,
        rows=tuple(rows),
        starters=_starters(catalog, bench),
        catalog_as_of=catalog.as_of,
        engine=parts.engine,
        freshness=parts.freshness,
        unknown_filters=unknown,
    )


def build_row(family: Family, bench: Bench) -> ShelfRow:
    """One family with all its models, as `bench.stock` has them."""
    return _build_row(family, family.models, bench)


def _row_order(row: ShelfRow) -> tuple[object, ...]:
    """What runs, then what runs too slowly to talk to, then what does not fit."""
    shown = row.recommended
    speed = None if shown is None else shown.fit.speed
    is_crawling = speed is not None and speed.decode.high < _CRAWLING_PER_SECOND
    return (shown is None, is_crawling, row.family.order)


def _build_row(family: Family, models: tuple[CatalogModel, ...], bench: Bench) -> ShelfRow:
    chats = tuple(model for model in models if model.is_for_chat)
    if not chats:
        return ShelfRow(family, None, None, note=no_chat_model(models))
    engine = bench.parts.engine
    loadable = tuple(model for model in chats if can_load(model, engine))
    missing = tuple(model for model in chats if not can_load(model, engine))
    prospects = bench.stock.of_models(loadable)
    if not prospects:
        left = dataclasses.replace(family, models=loadable or chats)
        note = missing_model(left, engine)
        decision = _decision_of_new(family, bench)
        return ShelfRow(family, None, None, note=note, not_in_engine=missing, decision=decision)
    if bench.question.all_variants:
        first, *others = rank_all(prospects, bench)
    else:
        first = _best(prospects, bench)
        others = _best_of_other_models(first, loadable, bench)
    alternatives = tuple(ranked_variant(other, bench) for other in others)
    if first.candidate.fit.verdict.fits:
        also = _also_runs(first, others)
        shown = ranked_variant(first, bench, also)
        return ShelfRow(family, shown, None, alternatives, not_in_engine=missing)
    shown = ranked_variant(first, bench)
    return ShelfRow(family, None, shown, alternatives, not_in_engine=missing)


def _decision_of_new(family: Family, bench: Bench) -> Decision | None:
    if not family.is_new:
        return None
    model = family.models[0]
    return bench.parts.decide(model, (*model.gguf_repos, model.hub_repo)[0])


def _best(prospects: Sequence[Prospect], bench: Bench) -> Ranked:
    best = bench.choice(prospects).ranked(bench.question.prefer)
    assert best is not None  # noqa: S101  there are prospects
    return best


def _best_of_other_models(
    first: Ranked, models: tuple[CatalogModel, ...], bench: Bench
) -> list[Ranked]:
    """Of each other model the best variant, as long as it may run; best first."""
    own = variant_of(first).model.id
    others = [bench.stock.of_models((model,)) for model in models if model.id != own]
    places = [_best(prospects, bench) for prospects in others if prospects]
    has_better = first.candidate.fit.verdict.fits and not is_last_resort(first.candidate.precision)
    shown = [
        dataclasses.replace(place, hidden=has_better and is_last_resort(place.candidate.precision))
        for place in places
        if place.candidate.fit.verdict is not FitVerdict.DOES_NOT_FIT
    ]
    return sorted(shown, key=in_order)


def _also_runs(first: Ranked, others: list[Ranked]) -> tuple[Reason, ...]:
    """The largest model of the family that runs too, though it is not the first choice."""
    size = first.candidate.precision.parameters or 0
    larger = [
        other
        for other in others
        if other.candidate.fit.verdict.fits
        and not other.hidden
        and not _is_painfully_slow(other)
        and (other.candidate.precision.parameters or 0) > size
    ]
    if not larger:
        return ()
    best = max(larger, key=lambda other: other.candidate.precision.parameters or 0)
    model, tokens = variant_of(best).model, _tokens_per_second(best)
    data: dict[str, object] = {"model": model.label or model.name}
    if tokens is None:
        return (Reason("shelf_also_runs", data),)
    return (Reason("shelf_also_runs_at", {**data, "tokens_per_second": round(tokens)}),)


def _tokens_per_second(ranked: Ranked) -> float | None:
    speed = ranked.candidate.fit.speed
    return None if speed is None else (speed.decode.low * speed.decode.high) ** 0.5


def _is_painfully_slow(ranked: Ranked) -> bool:
    tokens = _tokens_per_second(ranked)
    return tokens is not None and tokens < _PAINFULLY_SLOW_PER_SECOND


def _starters(catalog: Catalog, bench: Bench) -> tuple[RankedVariant, ...]:
    """Local files that wait to be accepted; one of a family that we do not know is left out."""
    starters = []
    for local in bench.parts.local:
        found = catalog.find_model(local.repo)
        if found is None:
            continue
        variant = local_variant(*found, local)
        (prospect,) = prospects_for([variant], bench.parts, bench.question.request)
        starters.append(ranked_variant(rank_all([prospect], bench)[0], bench))
    return tuple(starters)

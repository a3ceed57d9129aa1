"""What is chosen from sums is what a ranking of all fits puts first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openshelf.catalog.loader import load_catalog
from openshelf.fit.outlook import look, without_room
from openshelf.fit.recommend import Ranked, missing_bytes
from openshelf.fit.scores import Preference
from openshelf.fit.speed import doublings_of
from openshelf.fit.verdict import FitVerdict
from openshelf.hardware.facts import Machine
from openshelf.hardware.profiles import find_machine
from openshelf.licenses.clearance import Verdict
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.prospects import Stock
from openshelf.shelf.ranking import Bench, fit_variant, rank_all, variant_of
from openshelf.shelf.rows import ShelfQuestion
from tests.fakes.example_data import example_decision
from tests.fit.machines import machine, nvidia, unified

MACHINES = {
    "8 GB": find_machine("RTX 4060 8 GB + 32 GB"),
    "32 GB": find_machine("RTX 5090 32 GB + 64 GB"),
    "mac": find_machine("M4 Max 64 GB"),
    "cpu": find_machine("CPU only 16 GB"),
    "apu": find_machine("Strix Halo 128 GB"),
    "two cards": machine(64, 56, nvidia(24, 23), nvidia(12, 11, index=1)),
    "full card": machine(16, 13, nvidia(8, 1.5)),
    "tight mac": machine(16, 9, unified(8)),
    "nothing left": machine(4, 1),
}

LARGEST_SHARE_WORKED_OUT = 0.16
"""Of all variants, for three preferences; where a card is nearly full the sums tell least."""

PARTS = ShelfParts(lambda model, repo: example_decision(Verdict.ALLOWED))


@pytest.fixture(scope="module")
def stocks() -> dict[int, Stock]:
    catalog = load_catalog()
    return {
        length: Stock.of(catalog, PARTS, ShelfQuestion(context_length=length).request)
        for length in (4096, 65536)
    }


def bench_of(on: Machine, stock: Stock) -> Bench:
    question = ShelfQuestion(context_length=stock.key.request.context_length)
    return Bench(
        on, question, ShelfParts(lambda model, repo: example_decision(Verdict.ALLOWED)), stock
    )


@pytest.mark.parametrize("on", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("length", [4096, 65536])
def test_sums_say_what_the_fit_says(on: Machine, length: int, stocks: dict[int, Stock]) -> None:
    bench = bench_of(on, stocks[length])
    answered = 0
    for prospect in (p for group in bench.stock.prospects.values() for p in group):
        outlook = look(prospect.sums, bench.ground)
        fit = fit_variant(prospect.key, bench)  # type: ignore[arg-type]
        reached = doublings_of(fit.speed)
        if outlook.fits is not None:
            assert fit.verdict.fits is outlook.fits, prospect.key
        if outlook.is_split:
            assert fit.verdict is not FitVerdict.FITS_GPU, prospect.key
        if not fit.verdict.fits:
            assert fit.verdict is without_room(prospect.sums, bench.ground), prospect.key
            assert missing_bytes(fit) >= outlook.missing, prospect.key
        if outlook.verdict is None:
            if fit.verdict.fits and reached is not None:
                assert reached <= (outlook.doublings or 0.0) + 1e-6, prospect.key
            continue
        answered += 1
        assert outlook.verdict is fit.verdict, prospect.key
        if fit.verdict.fits:
            assert reached == pytest.approx(outlook.doublings, abs=1e-6)
    assert answered or on is MACHINES["two cards"]


@pytest.mark.parametrize("on", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("length", [4096, 65536])
def test_the_choice_is_the_first_of_the_ranking(
    on: Machine, length: int, stocks: dict[int, Stock]
) -> None:
    catalog = load_catalog()
    first = bench_of(on, stocks[length])
    for prefer in Preference:
        question = replace(first.question, prefer=prefer)
        bench = replace(first, question=question)  # with the fits worked out so far
        for family in catalog.families:
            prospects = bench.stock.of_models(family.models)
            if not prospects:
                continue
            chosen, ranked = bench.choice(prospects).ranked(prefer), rank_all(prospects, bench)
            assert chosen is not None
            assert _told(chosen) == _told(ranked[0]), (family.name, prefer)


@pytest.mark.parametrize("on", MACHINES.values(), ids=MACHINES)
def test_few_fits_are_worked_out_in_full(on: Machine, stocks: dict[int, Stock]) -> None:
    """Counted, as that tells more than the time it takes."""
    bench = bench_of(on, stocks[4096])
    for family in load_catalog().families:
        choice = bench.choice(bench.stock.of_models(family.models))
        for prefer in Preference:
            choice.best(prefer)
    variants = sum(map(len, bench.stock.prospects.values()))
    assert 0 < len(bench.fits) < variants * LARGEST_SHARE_WORKED_OUT


def _told(ranked: Ranked) -> tuple[object, ...]:
    variant = variant_of(ranked)
    reasons = [reason.as_json() for reason in ranked.reasons]
    return variant.target, ranked.candidate.fit.verdict, ranked.score, reasons

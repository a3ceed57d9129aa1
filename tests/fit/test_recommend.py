from __future__ import annotations

import time
from dataclasses import replace

import pytest

from openshelf.catalog.entries import CatalogShape
from openshelf.fit.memory import FitRequest, shape_from_catalog
from openshelf.fit.quality import quality_kept
from openshelf.fit.recommend import Candidate, Ranked, rank
from openshelf.fit.scores import Precision, Preference, ability, crossover_bits, is_last_resort
from openshelf.fit.verdict import fit_on
from openshelf.hardware.facts import Machine
from tests.fit.machines import DESKTOP, LAPTOP, MAC, SMALL, machine

SHAPES = {
    0.6: CatalogShape("qwen3", 28, 1024, 16, 8, 128, 151936, context_length=40960),
    4.0: CatalogShape("qwen3", 36, 2560, 32, 8, 128, 151936, context_length=40960),
    8.2: CatalogShape("qwen3", 36, 4096, 32, 8, 128, 151936, context_length=40960),
    14.8: CatalogShape("qwen3", 40, 5120, 40, 8, 128, 151936, context_length=40960),
    32.8: CatalogShape("qwen3", 64, 5120, 64, 8, 128, 151936, context_length=40960),
    70.6: CatalogShape("llama", 80, 8192, 64, 8, 128, 128256, context_length=131072),
}
BITS = {
    "F16": 16.0,
    "Q8_0": 8.5,
    "Q6_K": 6.56,
    "Q5_K_M": 5.7,
    "Q4_K_M": 4.89,
    "Q3_K_M": 4.0,
    "Q2_K": 3.16,
    "IQ2_XS": 2.59,
    "IQ1_M": 2.15,
}


def candidate(billions: float, quant: str, on: Machine, tiebreak: float = 0.0) -> Candidate:
    parameters, bits = round(billions * 1e9), BITS[quant]
    shape = shape_from_catalog(SHAPES[billions], int(parameters * bits / 8), parameters, quant)
    return Candidate(
        key=(billions, quant),
        precision=Precision(quant, parameters, bits, quality_kept(quant, bits, parameters)[0]),
        fit=fit_on(shape, on, FitRequest()),
        tiebreak=tiebreak,
    )


def ranked(on: Machine, prefer: str = "balance", sizes: tuple[float, ...] = ()) -> list[Ranked]:
    return rank([candidate(s, q, on) for s in sizes or SHAPES for q in BITS], prefer)


def test_what_fits_comes_first_and_then_what_misses_by_least() -> None:
    places = ranked(LAPTOP)
    fits = [place.candidate.fit.verdict.fits for place in places]
    assert fits == sorted(fits, reverse=True)
    assert False in fits
    nearest = ranked(SMALL, sizes=(70.6,))[0]
    assert not nearest.candidate.fit.verdict.fits
    assert nearest.candidate.key == (70.6, "IQ1_M")


@pytest.mark.parametrize("on", [SMALL, LAPTOP, DESKTOP, MAC], ids=["cpu", "8", "24", "mac"])
def test_a_preference_moves_along_size_and_speed(on: Machine) -> None:
    speeds, sizes = [], []
    for prefer in ("speed", "balance", "quality"):
        first = ranked(on, prefer)[0].candidate
        assert first.fit.speed is not None
        speeds.append(first.fit.speed.decode.high)
        sizes.append(first.precision.parameters or 0)
    assert speeds == sorted(speeds, reverse=True)
    assert sizes == sorted(sizes)


def test_last_resorts_hide_behind_anything_else_that_fits() -> None:
    places = ranked(LAPTOP, "quality")
    shown = [place for place in places if place.candidate.fit.verdict.fits and not place.hidden]
    assert not any(p.candidate.precision.quant.startswith("IQ1") for p in shown)
    assert not any(
        p.candidate.precision.quant.startswith(("Q2", "IQ2"))
        and (p.candidate.precision.parameters or 0) < 60e9
        for p in shown
    )
    only = rank([candidate(14.8, "IQ1_M", machine(12, 9))])
    assert only[0].candidate.fit.verdict.fits
    assert not only[0].hidden
    assert [reason.code for reason in only[0].reasons][-1] == "rank_last_resort"


@pytest.mark.parametrize(
    ("billions", "bits"), [(0.6, 4.2), (8, 4.2), (30, 3.0), (70, 2.5), (600, 2.5)]
)
def test_the_crossover_follows_the_measurements(billions: float, bits: float) -> None:
    assert crossover_bits(int(billions * 1e9)) == pytest.approx(bits, abs=0.01)


def _abilities(on: Machine) -> dict[object, float]:
    return {p.candidate.key: p.score.ability for p in ranked(on)}


def test_bigger_at_fewer_bits_wins_down_to_the_crossover() -> None:
    abilities = _abilities(MAC)
    assert abilities[70.6, "IQ2_XS"] > abilities[8.2, "F16"]
    assert abilities[32.8, "Q3_K_M"] > abilities[14.8, "Q8_0"]
    assert abilities[8.2, "Q4_K_M"] > abilities[4.0, "Q8_0"]
    assert abilities[8.2, "Q2_K"] < abilities[4.0, "Q8_0"]
    assert abilities[14.8, "IQ1_M"] < abilities[4.0, "Q6_K"]


def test_unquantized_files_are_not_recommended_over_q8() -> None:
    assert ranked(MAC, "quality", sizes=(8.2,))[0].candidate.precision.quant != "F16"


def test_a_laptop_gets_a_model_that_runs_on_its_gpu() -> None:
    first = ranked(LAPTOP, sizes=(8.2,))[0]
    assert first.candidate.key == (8.2, "Q4_K_M")
    assert first.candidate.fit.verdict.value == "fits_gpu"


def test_equals_are_told_apart_by_their_packager() -> None:
    pair = [candidate(8.2, "Q4_K_M", LAPTOP, tiebreak) for tiebreak in (1.0, 5.0)]
    assert [p.candidate.tiebreak for p in rank(pair)] == [5.0, 1.0]


def test_reasons_come_with_figures() -> None:
    first = ranked(LAPTOP, sizes=(4.0, 8.2))[0]
    reasons = {reason.code: reason.data for reason in first.reasons}
    assert reasons["rank_largest_that_fits"]["parameters"] == 8_200_000_000
    assert 0.9 < reasons["rank_quality"]["kept"] < 1
    assert set(first.score.as_json()) == {"total", "ability", "speed", "placement"}


def test_unknown_preferences_raise_and_nothing_ranks_to_nothing() -> None:
    with pytest.raises(ValueError, match="cheapest"):
        rank([], "cheapest")
    assert rank([]) == []


def test_a_thousand_variants_rank_quickly() -> None:
    some = [candidate(size, quant, DESKTOP) for size in SHAPES for quant in BITS]
    many = (some * 20)[:1000]
    start = time.thread_time()
    rank(many)
    assert time.thread_time() - start < 0.2


def test_nobody_waits_for_a_large_model_on_a_slow_processor() -> None:
    slow = machine(24, 22, cores=2)
    first = ranked(slow, sizes=(0.6, 4.0, 8.2, 14.8, 32.8))[0].candidate
    assert first.fit.speed is not None
    assert first.fit.speed.decode.high > 2
    assert first.key != (32.8, "Q4_K_M")
    patient = ranked(slow, "quality", sizes=(0.6, 4.0, 8.2, 14.8, 32.8))[0].candidate
    assert (patient.precision.parameters or 0) >= (first.precision.parameters or 0)


def test_a_model_that_is_too_slow_anyway_keeps_its_precision() -> None:
    only = ranked(machine(24, 22, cores=2), sizes=(32.8,))[0].candidate
    quick = ranked(DESKTOP, sizes=(8.2,))[0].candidate
    assert (only.precision.bits_per_weight or 0) >= 4
    assert (quick.precision.bits_per_weight or 0) >= 4


@pytest.mark.parametrize(
    ("total", "active", "least", "most"),
    [
        # Qwen3 30B-A3B and 235B-A22B: from the geometric mean to five times the active parameters
        (30.5, 3.3, 10.0, 16.5),
        (235, 22, 71.9, 110),
        (7.0, 7.0, 6.99, 7.01),
        (7.0, None, 6.99, 7.01),
        (None, None, 0.99, 1.01),
    ],
)
def test_a_mixture_is_less_able_than_its_size(
    total: float | None, active: float | None, least: float, most: float
) -> None:
    precision = Precision(
        "Q4_K_M",
        None if total is None else int(total * 1e9),
        4.9,
        None,
        active_parameters=None if active is None else int(active * 1e9),
    )
    assert least <= precision.effective_parameters / 1e9 <= most


def test_active_parameters_change_the_ability_and_nothing_else() -> None:
    dense = Precision("Q4_K_M", 30_000_000_000, 4.9, 0.95)
    mixture = replace(dense, active_parameters=3_000_000_000)
    lost = ability(dense, Preference.BALANCE) - ability(mixture, Preference.BALANCE)
    assert lost == pytest.approx(0.4 * 3.3219, abs=0.001)


def test_what_was_not_measured_does_not_count_as_lossless() -> None:
    measured = Precision("Q4_K_M", 30_000_000_000, 4.9, 0.95)
    unmeasured = replace(measured, quality=None, assumed=0.9)
    for prefer in Preference:
        assert ability(unmeasured, prefer) < ability(measured, prefer)
        assert ability(unmeasured, prefer) == ability(replace(measured, quality=0.9), prefer)


def test_a_file_of_unknown_bits_is_not_taken_for_an_unquantized_one() -> None:
    unknown = Precision("CUSTOM", 30_000_000_000, None, None)
    whole = Precision("F16", 30_000_000_000, 16.0, 1.0)
    assert ability(unknown, Preference.BALANCE) < ability(whole, Preference.BALANCE)


def test_a_newer_release_outweighs_a_size_class_of_an_older_one() -> None:
    """As Qwen3's 14B does Qwen2.5's 32B of seven months before (arXiv 2505.09388)."""
    new = Precision("Q8_0", 14_770_000_000, 8.5, 0.98)
    old = Precision("Q8_0", 32_760_000_000, 8.5, 0.98, years_behind=0.75)
    assert ability(new, Preference.BALANCE) > ability(old, Preference.BALANCE)
    assert ability(new, Preference.BALANCE) < ability(
        replace(old, years_behind=0.6), Preference.BALANCE
    )


def test_two_bits_are_shown_of_what_is_able_enough() -> None:
    dense = Precision("Q2_K", 80_000_000_000, 2.95, 0.85)
    assert not is_last_resort(dense)
    assert is_last_resort(replace(dense, active_parameters=3_000_000_000))


def test_a_specialist_comes_after_its_siblings_that_fit_well() -> None:
    good, small = candidate(8.2, "Q4_K_M", DESKTOP), candidate(4.0, "Q4_K_M", DESKTOP)
    special = replace(good, precision=replace(good.precision, is_special=True))
    last = candidate(14.8, "IQ1_M", DESKTOP)
    places = [place.candidate for place in rank([last, special, small])]
    assert places == [small, special, last]

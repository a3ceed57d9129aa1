from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.fit.quality import assumed_quality, quality_kept, suites, usual_bits


def test_the_ladder_of_an_8b() -> None:
    labels = ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "Q2_K", "IQ1_M"]
    kept = [quality_kept(label, None, 8_030_000_000)[0] for label in labels]
    figures = [figure for figure in kept if figure is not None]
    assert figures == sorted(figures, reverse=True)
    assert len(figures) == len(labels)
    assert figures[0] > 0.98
    assert 0.90 < figures[3] < 0.95
    assert figures[-1] < 0.6


def test_one_suite_answers_and_is_named() -> None:
    assert quality_kept("Q4_K_M", 4.9, 8_000_000_000)[1] == "Llama 3 8B base (llama3_8b_wikitext)"
    assert quality_kept("Q4_K_M", 4.9, 32_000_000_000)[1] == "Qwen3.6 27B (qwen36_27b_quesma)"
    assert len({suite.basis for suite in suites()}) == 2


def test_the_measured_top_tokens_of_another_suite_agree() -> None:
    """AtomicChat measured 95.6 % for a 4-bit and 97.3 % for a 5-bit file of a 27B."""
    four, _ = quality_kept("AD-Q4_K_M", 17.1 * 8 / 27, 27_000_000_000)
    five, _ = quality_kept("AD-Q5_K_M", 20.2 * 8 / 27, 27_000_000_000)
    assert four == pytest.approx(0.956, abs=0.015)
    assert five == pytest.approx(0.973, abs=0.015)


@pytest.mark.parametrize(
    ("quant", "bits", "parameters"),
    [
        ("MXFP4", 4.25, 20_000_000_000),
        ("NVFP4", 4.5, 30_000_000_000),
        ("TQ1_0", 1.7, 8_000_000_000),
        ("Q4_K_M", 4.9, None),
        ("SOMETHING", None, 8_000_000_000),
        ("SOMETHING", 1.2, 8_000_000_000),
    ],
)
def test_what_was_not_measured_is_unknown(
    quant: str, bits: float | None, parameters: int | None
) -> None:
    assert quality_kept(quant, bits, parameters) == (None, "unknown")


@pytest.mark.parametrize(
    ("quant", "bits", "parameters"),
    [
        ("IQ2_M", 2.7, 70_000_000_000),
        ("IQ1_S", 1.6, 120_000_000_000),
        ("NVFP4", 4.5, 30_000_000_000),
        ("SOMETHING", 1.2, 8_000_000_000),
        ("Q4_K_M", 4.9, None),
        ("Q4_K_M", None, None),
    ],
)
def test_what_was_not_measured_is_assumed_on_the_careful_side(
    quant: str, bits: float | None, parameters: int | None
) -> None:
    assert quality_kept(quant, bits, parameters)[0] is None
    assumed = assumed_quality(quant, bits, parameters)
    assert assumed is not None
    more = (bits or 4.9) + 0.4
    better, _ = quality_kept("Q", more, parameters or 1_000_000_000)
    assert 0 <= assumed < (better or 1.0)


def test_fewer_bits_than_measured_lose_more_than_the_fewest_measured() -> None:
    for suite in suites():
        lowest = suite.losses[0]
        assert suite.assumed_at(suite.bits[0]) == pytest.approx(lowest)
        assert suite.assumed_at(suite.bits[0] * 0.8) > 1.9 * lowest or lowest > 0.5
        assert suite.assumed_at(0.01) == 1.0


def test_nothing_is_assumed_of_a_file_of_which_nothing_is_known() -> None:
    assert assumed_quality("SOMETHING", None, 8_000_000_000) is None


def test_the_format_of_the_release_keeps_everything() -> None:
    assert quality_kept("MXFP4", 4.6, 20_000_000_000, is_native=True) == (1.0, "as released")


def test_unquantized_files_keep_everything() -> None:
    assert quality_kept("bf16", 16.0, None) == (1.0, "unquantized")


def test_larger_models_lose_less() -> None:
    small, _ = quality_kept("Q4_K_M", None, 1_000_000_000)
    large, _ = quality_kept("Q4_K_M", None, 14_000_000_000)
    assert small is not None
    assert large is not None
    assert small < large


@given(st.floats(1.9, 16), st.floats(1.9, 16), st.integers(10**8, 10**12))
def test_more_bits_never_keep_less(one: float, other: float, parameters: int) -> None:
    low, high = sorted((one, other))
    fewer, _ = quality_kept("X", low, parameters)
    more, _ = quality_kept("X", high, parameters)
    if fewer is not None:
        assert more is not None
        assert 0 <= fewer <= more <= 1


def test_usual_bits_of_a_label() -> None:
    assert usual_bits("q4_k_m") == pytest.approx(4.8944)
    assert usual_bits("APEX") is None

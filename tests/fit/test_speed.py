from __future__ import annotations

import dataclasses

import pytest

from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import fit_on
from tests.fit.machines import DESKTOP, LAPTOP, MAC, SMALL, machine, nvidia, shape_of


def _decode(model: str, on: object, **request: object) -> tuple[float, float]:
    speed = fit_on(shape_of(model), on, FitRequest(**request)).speed  # type: ignore[arg-type]
    assert speed is not None
    assert speed.basis == "estimate"
    assert 0 < speed.prefill.low < speed.prefill.high
    return speed.decode.low, speed.decode.high


@pytest.mark.parametrize(
    ("model", "on", "published"),
    [
        # public llama.cpp figures for this bandwidth and quantization, tokens per second
        ("llama3.1-8b", LAPTOP, 42),  # RTX 4060, 272 GB/s
        ("llama3.1-8b", MAC, 70),  # M4 Max, 546 GB/s
        ("llama3.2-1b", machine(16, 12, cores=2), 18),  # one thread; 26 on a faster core
    ],
)
def test_ranges_hold_published_figures(model: str, on: object, published: float) -> None:
    low, high = _decode(model, on)
    assert low * 0.9 <= published <= high * 1.1


def test_experts_in_use_count_and_the_others_do_not() -> None:
    dense = _decode("qwen3-32b", DESKTOP)
    mixture = _decode("qwen3-30b-a3b", DESKTOP)
    assert mixture[0] > 4 * dense[0]


def test_layers_in_ram_slow_a_model_down() -> None:
    whole = _decode("llama3.1-8b", LAPTOP)
    half = _decode("llama3.1-8b", LAPTOP, gpu_layers=16)
    none = _decode("llama3.1-8b", LAPTOP, gpu_layers=0)
    assert whole[0] > half[0] > none[0]


def test_without_a_bandwidth_there_is_no_figure() -> None:
    gpu = dataclasses.replace(nvidia(24, 23), bandwidth_bytes_per_second=None)
    result = fit_on(shape_of("llama3.1-8b"), machine(64, 56, gpu), FitRequest())
    assert result.verdict.value == "fits_gpu"
    assert result.speed is None


def test_what_was_measured_here_replaces_the_estimate() -> None:
    shape = shape_of("llama3.2-1b")
    result = fit_on(shape, SMALL, FitRequest(), measured_decode_per_second=26.0)
    assert result.speed is not None
    assert result.speed.basis == "measured"
    assert result.speed.decode.low < 26.0 < result.speed.decode.high
    assert result.speed.decode.high / result.speed.decode.low < 1.3

from __future__ import annotations

import dataclasses

import pytest

from openshelf.fit.memory import FitRequest
from openshelf.fit.speed import LAUNCH_SECONDS, Run, rate_reached
from openshelf.fit.verdict import fit_on
from openshelf.fit.workload import Workload
from openshelf.hardware.facts import EngineBuild, LearnedRate, Machine
from openshelf.reasons import Reason
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


# --- learned from real runs --------------------------------------------------------------------

DECODED = Run(
    prompt_tokens=300,
    cached_tokens=0,
    completion_tokens=200,
    prefill_per_second=50.0,
    decode_per_second=26.0,
)
ENGINE = EngineBuild("llama.cpp 1")
CUDA = Reason("gpu_used_through", {"backend": "CUDA", "name": "CUDA0"})
GPU = dataclasses.replace(nvidia(24, 23), reason=CUDA)
HERE = dataclasses.replace(SMALL, engine=ENGINE)
WITH_GPU = machine(64, 56, GPU)


def _work(model: str, on: Machine, **request: object) -> Workload:
    fit = fit_on(shape_of(model), on, FitRequest(**request))  # type: ignore[arg-type]
    assert fit.plan is not None
    return Workload(shape_of(model), fit.devices, fit.plan)


def _with(on: Machine, *rates: LearnedRate) -> Machine:
    return dataclasses.replace(on, learned=rates)


def test_a_run_tells_what_the_processor_reads_per_second() -> None:
    work = _work("llama3.2-1b", HERE)
    rate = rate_reached(work, HERE, DECODED)
    assert rate is not None
    assert (rate.device, rate.kind, rate.engine_version) == ("test", "cpu", "llama.cpp 1")
    assert rate.n_threads == 1
    bytes_read = work.read_bytes(400)[0]
    assert rate.bytes_per_second == pytest.approx(bytes_read / (1 / 26 - LAUNCH_SECONDS))
    assert rate.operations_per_second == pytest.approx(50 * work.operations(150))


def test_a_run_on_a_gpu_is_the_gpus_by_its_backend() -> None:
    fast = dataclasses.replace(DECODED, decode_per_second=40.0)
    rate = rate_reached(_work("llama3.1-8b", WITH_GPU), WITH_GPU, fast)
    assert rate is not None
    assert (rate.device, rate.kind, rate.n_threads) == ("GeForce", "cuda", 0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"completion_tokens": 15}, "too few tokens"),
        ({"decode_per_second": 0.0}, "no time was taken"),
        ({"decode_per_second": 1500.0}, "what starts a token outweighs what it reads"),
    ],
)
def test_some_answers_tell_nothing(changes: dict[str, float], why: str) -> None:
    run = dataclasses.replace(DECODED, **changes)  # type: ignore[arg-type]
    assert rate_reached(_work("llama3.2-1b", HERE), HERE, run) is None, why


def test_a_split_model_a_tiny_one_and_the_impossible_tell_nothing() -> None:
    split = _work("llama3.1-8b", WITH_GPU, gpu_layers=16)
    assert rate_reached(split, WITH_GPU, DECODED) is None
    work = _work("llama3.2-1b", HERE)
    shape = work.shape
    tiny = dataclasses.replace(
        shape, layer_bytes=tuple(size // 100 for size in shape.layer_bytes), embedding_bytes=0
    )
    devices = (dataclasses.replace(work.devices[0], weights_bytes=tiny.weights_bytes),)
    assert rate_reached(Workload(tiny, devices, work.plan), HERE, DECODED) is None
    faster_than_its_memory = dataclasses.replace(DECODED, decode_per_second=90.0)
    assert rate_reached(_work("llama3.1-8b", WITH_GPU), WITH_GPU, faster_than_its_memory) is None


def test_a_prompt_that_was_mostly_there_tells_nothing_of_arithmetic() -> None:
    run = dataclasses.replace(DECODED, cached_tokens=280)
    rate = rate_reached(_work("llama3.2-1b", HERE), HERE, run)
    assert rate is not None
    assert rate.operations_per_second is None


def test_what_one_model_reached_centers_the_estimate_of_another() -> None:
    rate = rate_reached(_work("llama3.2-1b", HERE), HERE, DECODED)
    assert rate is not None
    before = fit_on(shape_of("phi3-mini"), HERE, FitRequest()).speed
    after = fit_on(shape_of("phi3-mini"), _with(HERE, rate), FitRequest()).speed
    assert before is not None
    assert after is not None
    assert (before.basis, before.learned) == ("estimate", False)
    assert (after.basis, after.learned) == ("estimate", True)
    assert after.decode.high / after.decode.low < before.decode.high / before.decode.low
    work = _work("phi3-mini", HERE)
    expected = (rate.bytes_per_second or 0) / work.read_bytes(1000)[0]
    assert after.decode.low < expected < after.decode.high
    assert after.prefill.low < (rate.operations_per_second or 0) / work.operations(500)
    assert after.prefill.high > (rate.operations_per_second or 0) / work.operations(500)


def test_this_very_file_comes_before_what_others_reached() -> None:
    rate = rate_reached(_work("llama3.2-1b", HERE), HERE, DECODED)
    assert rate is not None
    speed = fit_on(
        shape_of("phi3-mini"), _with(HERE, rate), FitRequest(), measured_decode_per_second=7.0
    ).speed
    assert speed is not None
    assert (speed.basis, speed.learned) == ("measured", False)
    assert speed.decode.low < 7.0 < speed.decode.high


RATE = LearnedRate("test", "cpu", "llama.cpp 1", 1, bytes_per_second=12e9, runs=1)


@pytest.mark.parametrize(
    "other",
    [
        {"device": "another"},
        {"kind": "cuda"},
        {"n_threads": 2},
        {"engine_version": "llama.cpp 2"},
        {"bytes_per_second": None},
        {"bytes_per_second": 1e9},  # a busy machine: 26 tokens/s fell to less than one
        {"bytes_per_second": 90e9},
        {"bytes_per_second": 1e9, "runs": 2},
    ],
)
def test_what_is_not_this_devices_or_not_credible_changes_nothing(other: dict[str, object]) -> None:
    shape = shape_of("phi3-mini")
    plain = fit_on(shape, HERE, FitRequest()).speed
    rate = dataclasses.replace(RATE, **other)  # type: ignore[arg-type]
    assert fit_on(shape, _with(HERE, rate), FitRequest()).speed == plain
    assert fit_on(shape, _with(HERE, RATE), FitRequest()).speed != plain


def test_three_runs_are_believed_whatever_they_say() -> None:
    slow = dataclasses.replace(RATE, bytes_per_second=1e9, runs=3)
    speed = fit_on(shape_of("phi3-mini"), _with(HERE, slow), FitRequest()).speed
    assert speed is not None
    assert speed.learned
    assert speed.decode.high < 1


def test_before_the_engine_was_asked_its_version_is_not_held_against_a_rate() -> None:
    speed = fit_on(shape_of("phi3-mini"), _with(SMALL, RATE), FitRequest()).speed
    assert speed is not None
    assert speed.learned


def test_a_gpu_of_unknown_bandwidth_has_a_speed_once_it_was_seen() -> None:
    unknown = dataclasses.replace(GPU, bandwidth_bytes_per_second=None)
    rate = LearnedRate("GeForce", "cuda", "", 0, bytes_per_second=200e9, runs=1)
    on = _with(machine(64, 56, unknown), rate)
    speed = fit_on(shape_of("llama3.1-8b"), on, FitRequest()).speed
    assert speed is not None
    assert speed.learned
    assert speed.decode.low < 200e9 / 5e9 < speed.decode.high


def test_half_learned_is_not_called_learned() -> None:
    cpu = LearnedRate("test", "cpu", "", 7, bytes_per_second=40e9, runs=3)
    on = _with(WITH_GPU, cpu)
    speed = fit_on(shape_of("llama3.1-8b"), on, FitRequest(gpu_layers=16)).speed
    assert speed is not None
    assert not speed.learned
    assert speed != fit_on(shape_of("llama3.1-8b"), WITH_GPU, FitRequest(gpu_layers=16)).speed


def test_the_memorys_own_bandwidth_counts_where_it_is_known() -> None:
    def on(bandwidth: int) -> tuple[float, float]:
        plain = machine(32, 24)
        memory = dataclasses.replace(plain.memory, bandwidth_bytes_per_second=bandwidth)
        return _decode("llama3.1-8b", dataclasses.replace(plain, memory=memory))

    (slow_low, slow_high), (fast_low, fast_high) = on(20_000_000_000), on(80_000_000_000)
    assert slow_high < 20e9 / shape_of("llama3.1-8b").active_bytes
    assert fast_low > slow_low
    assert fast_high > slow_high

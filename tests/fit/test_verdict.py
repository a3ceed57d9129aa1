from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openshelf.catalog.entries import CatalogShape
from openshelf.engine.protocol import Plan
from openshelf.errors import UsageError
from openshelf.fit.memory import FitRequest, shape_from_catalog, shape_from_header
from openshelf.fit.verdict import Fit, FitVerdict, fit_on
from openshelf.gguf.header import read_header
from openshelf.hardware.facts import GpuKind, Machine, Memory
from openshelf.reasons import Reason
from openshelf.units import GIB, MIB
from tests.fit.machines import (
    DESKTOP,
    INDEX,
    LAPTOP,
    MAC,
    SMALL,
    TWO_GPUS,
    machine,
    nvidia,
    shape_of,
    unified,
)
from tests.fit.recipes import qwen35


def fit(model: str, on: Machine, **request: object) -> Fit:
    return fit_on(shape_of(model), on, FitRequest(**request))  # type: ignore[arg-type]


def codes(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in reasons]


@pytest.mark.model
def test_the_starter_model_fits_the_cpu_of_a_small_machine(starter_model: Path) -> None:
    result = fit_on(shape_from_header(read_header(starter_model)), SMALL, FitRequest())
    assert result.verdict is FitVerdict.FITS_CPU
    assert result.known_architecture
    assert codes(result.reasons) == ["fit_on_cpu"]
    assert result.plan == Plan(
        context_length=8192,
        n_threads=1,
        needed_bytes={"ram": result.total_bytes},
    )
    assert 300 * MIB < result.total_bytes < 450 * MIB
    assert result.speed is not None
    assert result.speed.decode.low < 110 < result.speed.decode.high


@pytest.mark.parametrize(
    ("model", "on", "verdict"),
    [
        ("llama3.1-8b", SMALL, FitVerdict.FITS_CPU),
        ("llama3.1-8b", LAPTOP, FitVerdict.FITS_GPU),
        ("llama3.1-8b", MAC, FitVerdict.FITS_GPU),
        ("mistral-nemo", LAPTOP, FitVerdict.FITS_SPLIT),
        ("qwen3-30b-a3b", LAPTOP, FitVerdict.FITS_SPLIT),
        ("qwen3-32b", DESKTOP, FitVerdict.FITS_GPU),
        ("llama3.3-70b", SMALL, FitVerdict.DOES_NOT_FIT),
        ("llama3.3-70b", DESKTOP, FitVerdict.FITS_SPLIT),
        ("llama3.3-70b", TWO_GPUS, FitVerdict.FITS_GPU),
        ("llama3.3-70b", MAC, FitVerdict.FITS_GPU),
        ("deepseek-v3", machine(128, 120), FitVerdict.DOES_NOT_FIT),
        ("gemma3-4b", LAPTOP, FitVerdict.FITS_GPU),
        ("gemma3-27b", SMALL, FitVerdict.FITS_CPU),
    ],
)
def test_verdicts(model: str, on: Machine, verdict: FitVerdict) -> None:
    result = fit(model, on)
    assert result.verdict is verdict
    assert (result.plan is not None) == verdict.fits
    assert bool(result.remedies) != verdict.fits
    if verdict.fits:
        assert all(pool.needed_bytes <= pool.budget_bytes for pool in result.pools)


def test_budgets_are_what_is_free_less_a_reserve() -> None:
    pools = {pool.id: pool.budget_bytes for pool in fit("llama2-7b", LAPTOP).pools}
    assert pools == {"ram": 28 * GIB - 32 * GIB // 10, "cuda0": int(6.5 * GIB)}
    small = {pool.id: pool.budget_bytes for pool in fit("llama2-7b", machine(8, 1)).pools}
    assert small == {"ram": 0}


def test_gpus_count_their_driver() -> None:
    host, gpu = fit("llama3.1-8b", LAPTOP).devices
    assert (gpu.overhead_bytes, gpu.overhead_basis) == (450 * MIB, "driver_default")
    assert host.overhead_basis == "process"
    assert 64 * MIB < host.overhead_bytes < 128 * MIB


@pytest.mark.parametrize(
    ("usable", "code"), [(False, "fit_gpu_not_usable"), (None, "fit_gpu_unknown")]
)
def test_only_gpus_that_the_engine_uses_count(usable: bool | None, code: str) -> None:
    result = fit("llama3.1-8b", machine(32, 28, nvidia(24, 23, usable=usable)))
    assert result.verdict is FitVerdict.FITS_CPU
    assert code in codes(result.reasons)
    assert [pool.id for pool in result.pools] == ["ram"]


def test_a_gpu_of_unknown_memory_is_not_used() -> None:
    gpu = dataclasses.replace(nvidia(8, 8), total_bytes=None, free_bytes=None)
    result = fit("llama3.1-8b", machine(32, 28, gpu))
    assert result.verdict is FitVerdict.FITS_CPU
    assert "fit_gpu_memory_unknown" in codes(result.reasons)


def test_memory_in_use_by_others_counts() -> None:
    """An 8 GB card with 3 GB in use is a card with 5 GB."""
    assert fit("llama3.1-8b", machine(32, 28, nvidia(8, 8))).verdict is FitVerdict.FITS_GPU
    assert fit("llama3.1-8b", machine(32, 28, nvidia(8, 5))).verdict is FitVerdict.FITS_SPLIT


def test_a_small_carve_out_is_neither_all_nor_nothing() -> None:
    """An APU's layers lie in RAM, up to what its driver allows."""
    gpu = unified(12, kind=GpuKind.INTEGRATED)
    assert fit("llama3.1-8b", machine(16, 13, gpu)).verdict is FitVerdict.FITS_GPU
    tiny = unified(0.5, kind=GpuKind.INTEGRATED)
    result = fit("llama3.1-8b", machine(16, 13, tiny))
    assert result.verdict is FitVerdict.FITS_CPU
    assert [pool.id for pool in result.pools] == ["ram"]


def test_unified_memory_is_counted_once() -> None:
    result = fit("llama3.2-1b", MAC)
    shape = shape_of("llama3.2-1b")
    assert [pool.id for pool in result.pools] == ["ram"]
    assert result.pools[0].needed_bytes == result.total_bytes - shape.embedding_bytes


def test_experts_leave_before_layers_do() -> None:
    result = fit("qwen3-30b-a3b", LAPTOP)
    assert result.plan is not None
    assert result.gpu_layers == 49
    assert 0 < result.plan.experts_on_cpu < 48
    assert "fit_experts_on_cpu" in codes(result.reasons)
    fewer = fit("qwen3-30b-a3b", LAPTOP, experts_on_cpu=result.plan.experts_on_cpu - 1)
    assert fewer.gpu_layers < 49


def test_experts_that_are_not_there_stay_nowhere() -> None:
    dense = fit("llama3.1-8b", DESKTOP, experts_on_cpu=5)
    assert dense.verdict is FitVerdict.FITS_GPU
    assert codes(dense.reasons)[1:] == ["fit_no_experts"]
    assert dense.devices == fit("llama3.1-8b", DESKTOP).devices
    more = fit("qwen3-30b-a3b", LAPTOP, experts_on_cpu=99)
    (reason,) = [r for r in more.reasons if r.code == "fit_experts_on_cpu"]
    assert reason.data == {"layers": 48, "n_layers": 48}
    without_gpu = fit("qwen3-30b-a3b", machine(64, 60), experts_on_cpu=5)
    assert "fit_experts_on_cpu" not in codes(without_gpu.reasons)


def test_the_best_number_of_layers_is_the_largest_that_fits() -> None:
    best = fit("mistral-nemo", LAPTOP)
    assert 0 < best.gpu_layers < 41
    assert fit("mistral-nemo", LAPTOP, gpu_layers=best.gpu_layers).verdict.fits
    one_more = fit("mistral-nemo", LAPTOP, gpu_layers=best.gpu_layers + 1)
    assert one_more.verdict is FitVerdict.DOES_NOT_FIT


def test_asked_layers_are_kept() -> None:
    assert fit("llama3.1-8b", DESKTOP, gpu_layers=0).verdict is FitVerdict.FITS_CPU
    half = fit("llama3.1-8b", DESKTOP, gpu_layers=16)
    assert (half.verdict, half.gpu_layers) == (FitVerdict.FITS_SPLIT, 16)
    assert half.plan is not None
    assert half.plan.n_gpu_layers == 16
    assert fit("llama3.1-8b", SMALL, gpu_layers=99).gpu_layers == 0


def test_the_plan_names_the_gpus_it_means() -> None:
    """One that was left out by hand must get no layer of a load either."""
    found = Reason("gpu_used_through", {"backend": "CUDA", "name": "CUDA1"})
    unused = dataclasses.replace(nvidia(24, 23), usable_by_engine=False)
    used = dataclasses.replace(nvidia(24, 23, index=1), reason=found)
    plan = fit_on(shape_of("llama3.1-8b"), machine(64, 60, unused, used), FitRequest()).plan
    assert plan is not None
    assert plan.devices == ("CUDA1",)
    unasked = machine(64, 60, nvidia(24, 23))
    plan = fit_on(shape_of("llama3.1-8b"), unasked, FitRequest()).plan
    assert plan is not None
    assert plan.devices == (), "the engine was not asked what it calls them"


def test_several_gpus_get_their_share_in_the_plan() -> None:
    plan = fit("llama3.3-70b", TWO_GPUS).plan
    assert plan is not None
    assert plan.tensor_split == (22 * GIB, 22 * GIB)
    assert set(plan.needed_bytes) == {"ram", "cuda0", "cuda1"}
    asked = fit("llama3.1-8b", TWO_GPUS, tensor_split=(3.0, 1.0))
    assert asked.devices[1].weights_bytes > 2 * asked.devices[2].weights_bytes


def test_the_context_is_clamped_to_what_was_trained() -> None:
    result = fit("llama2-7b", DESKTOP, context_length=8192)
    assert result.context_length_used == 4096
    assert result.plan is not None
    assert result.plan.context_length == 4096
    (reason,) = [r for r in result.reasons if r.code == "fit_context_clamped"]
    assert reason.data == {"asked": 8192, "trained": 4096}


def test_a_quantized_cache_turns_flash_attention_on() -> None:
    result = fit("llama3.1-8b", DESKTOP, flash_attention="off", kv_type_v="q8_0")
    assert result.flash_attention == "on"
    assert "fit_flash_attention_needed" in codes(result.reasons)
    assert fit("llama3.1-8b", DESKTOP, flash_attention="off").flash_attention == "off"


def test_what_is_too_large_says_by_how_much_and_what_to_do() -> None:
    result = fit("llama3.1-8b", machine(16, 12), context_length=131072)
    main = result.reasons[0]
    assert main.code == "fit_too_large"
    assert main.data["missing_bytes"] == main.data["needed_bytes"] - main.data["budget_bytes"] > 0
    remedies = {remedy.code: remedy.data for remedy in result.remedies}
    length = remedies["fit_shorter_context"]["context_length"]
    assert length % 256 == 0
    assert fit("llama3.1-8b", machine(16, 12), context_length=length).verdict.fits
    longer = fit("llama3.1-8b", machine(16, 12), context_length=length + 256)
    assert not longer.verdict.fits
    assert list(remedies)[-1] == "fit_run_on_server"


def test_a_smaller_cache_is_a_remedy_where_it_is_enough() -> None:
    on = machine(16, 12)
    result = fit("llama3.1-8b", on, context_length=50000)
    assert not result.verdict.fits
    assert "fit_smaller_kv_type" in codes(result.remedies)
    assert fit("llama3.1-8b", on, context_length=50000, kv_type_k="q8_0", kv_type_v="q8_0").plan


def test_a_model_beyond_all_help_is_answered_with_a_smaller_one_and_a_server() -> None:
    remedies = fit("deepseek-v3", SMALL).remedies
    assert codes(remedies) == ["fit_smaller_model", "fit_run_on_server"]


def test_a_long_context_of_an_8b_on_8_gb_fits_shorter() -> None:
    row = CatalogShape("llama", 32, 4096, 32, 8, 128, 128256, context_length=262144)
    shape = shape_from_catalog(row, 4_920_000_000, 8_030_000_000, "Q4_K_M")
    on = machine(16, 13, nvidia(8, 7.5))
    result = fit_on(shape, on, FitRequest(context_length=262144))
    assert not result.verdict.fits
    assert "fit_shorter_context" in codes(result.remedies)
    assert "fit_expected" in codes(result.reasons)
    assert result.shape_source == "catalog"


def test_122b_of_experts_do_not_fit_48_gb() -> None:
    row = CatalogShape("qwen3moe", 48, 4096, 64, 4, 128, 151936, 256, 8, 131072)
    shape = shape_from_catalog(row, 74_000_000_000, 122_000_000_000, "Q4_K_M")
    result = fit_on(shape, machine(48, 44), FitRequest())
    assert result.verdict is FitVerdict.DOES_NOT_FIT


def test_122b_of_experts_do_not_fit_a_card_of_48_gb_either() -> None:
    row = CatalogShape("qwen35moe", 48, 3072, 32, 2, 256, 248320, 256, 8, 262144, "other")
    shape = shape_from_catalog(row, 74_000_000_000, 122_000_000_000, "Q4_K_M")
    result = fit_on(shape, machine(32, 28, nvidia(48, 47)), FitRequest())
    assert not result.verdict.fits
    assert not result.known_architecture


def test_qwen35_9b_at_110k_is_a_hybrid(tmp_path: Path) -> None:
    """Counted as dense it would take 22.9 GB; 11.5 GB are real."""
    recipe = dataclasses.replace(qwen35(), n_layers=32)
    shape = shape_from_header(read_header(recipe.write(tmp_path / "model.gguf")))
    result = fit_on(shape, machine(64, 56, nvidia(24, 23)), FitRequest(110_000))
    host, gpu = result.devices
    state = 24 * 4 * (3 * (4096 + 2 * 16 * 128) + 128 * 4096)
    assert result.known_architecture
    assert gpu.kv_cache_bytes == 8 * 110_080 * 2 * 4 * 256 * 2 + state
    assert 8e9 < host.total_bytes + gpu.total_bytes < 11.5e9


def test_mistral_nemo_is_not_273_gb() -> None:
    assert 8 * GIB < fit("mistral-nemo", DESKTOP).total_bytes < 10 * GIB


@pytest.mark.parametrize(
    "request_",
    [
        FitRequest(kv_type_k="q3_9"),
        FitRequest(context_length=0),
        FitRequest(context_length=1 << 40),
        FitRequest(ubatch=0),
        FitRequest(flash_attention="maybe"),
        FitRequest(gpu_layers=-1),
        FitRequest(tensor_split=(-1.0,)),
        FitRequest(tensor_split=(float("nan"),)),
    ],
    ids=str,
)
def test_requests_that_cannot_be_reckoned_with(request_: FitRequest) -> None:
    with pytest.raises(UsageError):
        fit_on(shape_of("llama2-7b"), SMALL, request_)


@given(
    model=st.sampled_from(sorted(INDEX)),
    available=st.floats(0, 512),
    free=st.floats(0, 96),
    context=st.integers(1, 200_000),
)
@settings(max_examples=150, deadline=None)
def test_nothing_that_is_said_to_fit_exceeds_a_budget(
    model: str, available: float, free: float, context: int
) -> None:
    on = machine(512, available, nvidia(96, free))
    result = fit(model, on, context_length=context)
    if result.verdict.fits:
        assert all(pool.needed_bytes <= pool.budget_bytes for pool in result.pools)
    more = dataclasses.replace(on, memory=Memory(512 * GIB, int((available + 8) * GIB)))
    if result.verdict.fits:
        assert fit(model, more, context_length=context).verdict.fits
    assert result.as_json("x")["verdict"] == result.verdict.value


def test_300_variants_take_a_tenth_of_a_second() -> None:
    row = CatalogShape("qwen3", 64, 5120, 64, 8, 128, 151936, context_length=40960)
    shapes = [
        shape_from_catalog(row, size * 200_000_000, 32_760_000_000, "Q4_K_M")
        for size in range(1, 301)
    ]
    fit_on(shapes[0], LAPTOP, FitRequest())
    best = 1.0
    for _ in range(3):
        start = time.thread_time()
        for shape in shapes:
            fit_on(shape, LAPTOP, FitRequest())
        best = min(best, time.thread_time() - start)
    assert best < 0.3  # a tenth of a second on a free core; three for a busy one

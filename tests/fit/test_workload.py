"""What a token reads, rule by rule: weights in use, experts, caches, windows, states."""

from __future__ import annotations

import dataclasses

import pytest

from openshelf.fit.memory import FitRequest, kv_cache_bytes
from openshelf.fit.verdict import fit_on
from openshelf.fit.workload import Workload
from tests.fit.machines import LAPTOP, TWO_GPUS, machine, nvidia, shape_of

BIG = machine(256, 250)


def work_of(model: str, on: object = BIG, **request: object) -> Workload:
    shape = shape_of(model)
    fit = fit_on(shape, on, FitRequest(**request))  # type: ignore[arg-type]
    assert fit.plan is not None
    return Workload(shape, fit.devices, fit.plan)


def _weights(work: Workload) -> tuple[int, ...]:
    return work._weights


def test_of_the_input_embedding_one_row_is_read() -> None:
    work = work_of("llama3.1-8b")
    shape = work.shape
    assert not shape.tied_output
    assert _weights(work) == (shape.weights_bytes - shape.embedding_bytes,)


def test_an_embedding_that_is_the_output_too_is_read_whole() -> None:
    on_cpu = work_of("llama3.2-1b")
    assert on_cpu.shape.tied_output
    assert _weights(on_cpu) == (on_cpu.shape.weights_bytes,)
    cpu, gpu = _weights(work_of("llama3.2-1b", LAPTOP))
    assert cpu == 0, "the GPU has a copy of its own"
    assert gpu == on_cpu.shape.weights_bytes


def test_of_the_routed_experts_those_in_use_are_read() -> None:
    work = work_of("qwen3-30b-a3b")
    shape = work.shape
    experts = sum(shape.expert_bytes)
    idle = experts * (128 - 8) // 128
    assert (shape.n_expert, shape.n_expert_used) == (128, 8)
    assert _weights(work) == (shape.weights_bytes - shape.embedding_bytes - idle,)
    assert work.devices[0].weights_bytes == shape.weights_bytes, "all of them are resident"


def test_experts_that_stay_on_the_cpu_are_read_there() -> None:
    """As many idle ones as everywhere; the dense part is the GPU's."""
    work = work_of("qwen3-30b-a3b", machine(64, 60, nvidia(8, 7.5)))
    assert work.plan.experts_on_cpu > 0
    shape, moved = work.shape, sum(work.shape.expert_bytes[: work.plan.experts_on_cpu])
    cpu, gpu = _weights(work)
    assert cpu == pytest.approx(moved * 8 / 128, rel=1e-6)
    whole = _weights(work_of("qwen3-30b-a3b"))[0]
    assert cpu + gpu == pytest.approx(whole, rel=1e-6)
    assert gpu > sum(shape.layer_bytes) - sum(shape.expert_bytes), "attention, and the output"


def test_each_layer_is_read_where_it_lies() -> None:
    whole = _weights(work_of("llama3.1-8b"))[0]
    cpu, gpu = _weights(work_of("llama3.1-8b", LAPTOP, gpu_layers=16))
    assert cpu > 0
    assert gpu > 0
    assert cpu + gpu == pytest.approx(whole, rel=1e-3)
    work = work_of("qwen3-32b", TWO_GPUS)
    none, first, second = _weights(work)
    assert none == 0
    assert first + second == pytest.approx(_weights(work_of("qwen3-32b"))[0], rel=1e-3)


def _kept(work: Workload, used: int) -> int:
    return sum(work.read_bytes(used)) - sum(_weights(work))


def test_rows_of_the_cache_in_use_are_read_and_no_others() -> None:
    work = work_of("llama3.1-8b", context_length=32768)
    row = kv_cache_bytes(work.shape, FitRequest(256), range(32)) // 256
    assert _kept(work, 1) == 256 * row, "llama.cpp reads whole steps of cells"
    assert _kept(work, 4096) == 4096 * row
    assert _kept(work, 99999) == work.devices[0].kv_cache_bytes
    quantized = work_of("llama3.1-8b", context_length=32768, kv_type_k="q8_0", kv_type_v="q8_0")
    assert _kept(quantized, 4096) == 4096 * row * 34 // 64


def test_a_window_is_read_as_far_as_it_goes() -> None:
    """Five of six layers of gemma3 see 1024 tokens, whatever came before."""
    work = work_of("gemma3-27b", context_length=32768)
    caches = work.shape.layer_caches
    rows = zip(caches.keys, caches.values, caches.windowed, strict=True)
    full = 2 * sum(k + v for k, v, w in rows if not w)
    assert caches.window == 1024
    assert _kept(work, 32768) - _kept(work, 8192) == (32768 - 8192) * full


def test_a_state_is_read_and_written_from_the_first_token_on() -> None:
    work = work_of("granite4-h-tiny", context_length=32768)
    state = sum(work.shape.layer_caches.state_bytes)
    rows = kv_cache_bytes(work.shape, FitRequest(256), range(work.shape.n_layers)) - state
    assert state > 50 << 20
    assert _kept(work, 1) == rows + 2 * state


def test_a_prompt_takes_two_operations_for_each_parameter_in_use_and_attention() -> None:
    dense = work_of("llama3.1-8b")
    parameters = dense.shape.parameters or 0
    assert dense.operations(0) == pytest.approx(2 * parameters, rel=0.08), "less the embedding"
    attention = dense.operations(1000) - dense.operations(0)
    assert attention == 4 * 32 * 128 * 32 * 1000
    mixture = work_of("qwen3-30b-a3b")
    assert mixture.operations(0) == pytest.approx(2 * 3.3e9, rel=0.1), "30B-A3B by its name"


def test_a_window_bounds_the_attention_of_a_prompt_too() -> None:
    work = work_of("gemma3-27b")
    shape = work.shape
    windowed = sum(shape.layer_caches.windowed)
    per_token = 4 * shape.n_head * shape.key_length
    difference = work.operations(5024) - work.operations(1024)
    assert difference == per_token * 4000 * (shape.n_layers - windowed)


def test_a_plan_for_other_devices_is_a_mistake_of_ours() -> None:
    work = work_of("qwen3-32b", TWO_GPUS)
    wrong = dataclasses.replace(work, plan=dataclasses.replace(work.plan, tensor_split=(1.0,)))
    with pytest.raises(ValueError, match="shorter"):
        wrong.read_bytes(1)

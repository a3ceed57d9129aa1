from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.catalog.entries import CatalogShape
from openshelf.fit.memory import (
    DeviceMemory,
    FitRequest,
    ModelShape,
    PlacedDevice,
    Placement,
    estimate,
    layer_spans,
    round_context,
    shape_from_catalog,
    shape_from_header,
)
from openshelf.gguf.header import read_header, read_header_bytes
from openshelf.units import MIB
from tests.fit.machines import INDEX, shape_of
from tests.fit.recipes import BOUNDED, LAYERED
from tests.gguf.builder import ARRAY, BOOL, U32, Array, Build, model_keys

TWO = (PlacedDevice("a", "a"), PlacedDevice("b", "b"))
QWEN3_8B = CatalogShape("qwen3", 36, 4096, 32, 8, 128, 151936, context_length=40960)
MODELS = st.sampled_from(sorted(INDEX))
CONTEXTS = st.integers(1, 200_000)
_BITS = {"f32": 32, "f16": 16, "q8_0": 8.5, "q5_1": 6, "q5_0": 5.5, "q4_1": 5, "q4_0": 4.5}


def _buffers(devices: tuple[DeviceMemory, ...]) -> int:
    return sum(d.weights_bytes + d.kv_cache_bytes + d.compute_buffer_bytes for d in devices)


@pytest.mark.model
def test_the_starter_model_on_the_cpu(starter_model: Path) -> None:
    shape = shape_from_header(read_header(starter_model))
    assert shape.known
    assert (shape.n_layers, shape.n_embd, shape.n_head, shape.n_head_kv) == (30, 576, 9, 3)
    assert shape.tied_output
    assert shape.parameters == 134_515_008
    (cpu,) = estimate(shape, FitRequest(), Placement())
    assert cpu.kv_cache_bytes == 180 * MIB  # as llama.cpp logs it at 8,192 tokens
    assert cpu.weights_bytes <= starter_model.stat().st_size
    assert cpu.weights_bytes > 0.97 * starter_model.stat().st_size


@pytest.mark.parametrize(
    ("asked", "rounded"), [(1, 256), (256, 256), (257, 512), (8000, 8192), (8192, 8192)]
)
def test_contexts_are_rounded_up(asked: int, rounded: int) -> None:
    assert round_context(asked) == rounded


@given(MODELS, CONTEXTS)
def test_a_quantized_cache_takes_34_of_64_bytes(model: str, context: int) -> None:
    shape = shape_of(model)
    state = sum(shape.layer_caches.state_bytes)
    whole, half = (
        estimate(shape, FitRequest(context, kv, kv), Placement())[0].kv_cache_bytes - state
        for kv in ("f16", "q8_0")
    )
    assert half == whole * 0.53125


@given(MODELS, CONTEXTS, st.permutations(["f32", "f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"]))
def test_memory_grows_with_the_width_of_the_cache(model: str, context: int, kv: list[str]) -> None:
    """Bytes per element, of the keys' and of the values' cache apart."""
    shape = shape_of(model)

    def cache(keys: str, values: str) -> int:
        request = FitRequest(context, keys, values)
        return estimate(shape, request, Placement())[0].kv_cache_bytes

    low, high = sorted(kv[:2], key=lambda name: _BITS[name])
    assert cache(low, kv[2]) <= cache(high, kv[2])
    assert cache(kv[2], low) <= cache(kv[2], high)


@given(MODELS, CONTEXTS, CONTEXTS)
def test_memory_grows_with_the_context(model: str, one: int, other: int) -> None:
    short, long = sorted((one, other))
    sizes = [
        _buffers(estimate(shape_of(model), FitRequest(context_length=length), Placement(TWO, 99)))
        for length in (short, long)
    ]
    assert sizes[0] <= sizes[1]


@given(MODELS, st.integers(1, 2048), st.integers(1, 2048), st.sampled_from(["on", "off"]))
def test_memory_grows_with_the_ubatch(model: str, one: int, other: int, flash: str) -> None:
    low, high = sorted((one, other))
    sizes = [
        _buffers(
            estimate(shape_of(model), FitRequest(ubatch=u, flash_attention=flash), Placement())
        )
        for u in (low, high)
    ]
    assert sizes[0] <= sizes[1]


@given(MODELS, st.integers(0, 90), st.floats(0.01, 100), st.floats(0.01, 100))
def test_a_split_moves_layers_and_loses_none(
    model: str, n_gpu_layers: int, one: float, other: float
) -> None:
    shape = shape_of(model)
    devices = (PlacedDevice("a", "a", one), PlacedDevice("b", "b", other))
    placement = Placement(devices, n_gpu_layers)
    spans = layer_spans(shape.n_layers, placement)
    assert [layer for span in spans for layer in span] == list(range(shape.n_layers + 1))
    parts = estimate(shape, FitRequest(), placement)
    (whole,) = estimate(shape, FitRequest(), Placement())
    assert sum(part.kv_cache_bytes for part in parts) == whole.kv_cache_bytes
    copies = sum(part.weights_bytes for part in parts) - whole.weights_bytes
    doubled = shape.embedding_bytes if shape.tied_output and n_gpu_layers else 0
    assert copies in [doubled + count * shape.shared_bytes for count in range(3)]


def test_experts_stay_on_the_cpu_layer_by_layer() -> None:
    shape = shape_of("qwen3-30b-a3b")
    assert 0.9 < sum(shape.expert_bytes) / shape.bytes_up_to[-1] < 1
    none = estimate(shape, FitRequest(), Placement(TWO[:1], 99))
    ten = estimate(shape, FitRequest(experts_on_cpu=10), Placement(TWO[:1], 99))
    moved = sum(shape.expert_bytes[:10])
    assert ten[0].weights_bytes == none[0].weights_bytes + moved
    assert ten[1].weights_bytes == none[1].weights_bytes - moved
    assert ten[0].compute_buffer_bytes > none[0].compute_buffer_bytes
    assert shape.active_bytes < shape.weights_bytes / 5


def test_a_tied_embedding_lies_on_both_sides() -> None:
    shape = shape_of("llama3.2-1b")
    host, gpu = estimate(shape, FitRequest(), Placement(TWO[:1], 99))
    assert host.weights_bytes == shape.embedding_bytes
    assert gpu.weights_bytes == shape.weights_bytes


def test_unknown_kv_types_raise() -> None:
    with pytest.raises(KeyError):
        estimate(shape_of("llama2-7b"), FitRequest(kv_type_k="q3_9"), Placement())


@pytest.mark.parametrize("asked", [1, 100, 255])
def test_a_step_fills_the_context_that_the_engine_makes(asked: int) -> None:
    """Of 100 cells asked for, llama.cpp makes 256, and reserves a step of as many tokens."""
    shape, placement = shape_of("llama3.1-8b"), Placement()
    assert estimate(shape, FitRequest(asked), placement) == estimate(
        shape, FitRequest(256), placement
    )


@pytest.mark.parametrize(
    "key",
    [
        {"llama__attention__sliding_window": (U32, 1024)},
        {"llama__attention__kv_lora_rank": (U32, 512)},
        {"llama__attention__shared_kv_layers": (U32, 4)},
        {"llama__ssm__state_size": (U32, 16)},
        {"llama__full_attention_interval": (U32, 4)},
        {"llama__attention__head_count_kv": (ARRAY, Array(U32, (2, 4)))},
        {"llama__feed_forward_length": (ARRAY, Array(U32, (512, 256)))},
        {"llama__attention__sliding_window_pattern": (ARRAY, Array(BOOL, (True, False)))},
    ],
    ids=lambda key: next(iter(key)),
)
def test_any_key_that_is_not_plain_makes_a_model_unknown(key: dict[str, object]) -> None:
    plain = Build().bytes()
    assert shape_from_header(read_header_bytes(plain, len(plain))).known
    other = Build(keys=model_keys(**key)).bytes()  # type: ignore[arg-type]
    assert not shape_from_header(read_header_bytes(other, len(other))).known


def test_a_recurrent_state_does_not_grow() -> None:
    shape = shape_of("granite4-h-tiny")
    short, long = (
        estimate(shape, FitRequest(context_length=length), Placement())[0].kv_cache_bytes
        for length in (256, 512)
    )
    state = sum(shape.layer_caches.state_bytes)
    assert state == 36 * 4 * (3 * (3072 + 2 * 128) + 128 * 3072)
    assert short - state == (long - state) / 2 == 256 * 4 * 2 * 512 * 2


def test_a_window_stops_growing() -> None:
    shape = shape_of("gemma3-4b")
    caches = shape.layer_caches
    assert caches.window == 1024
    assert [layer for layer, is_windowed in enumerate(caches.windowed) if not is_windowed] == [
        5,
        11,
        17,
        23,
        29,
    ]
    (cpu,) = estimate(shape, FitRequest(32768, ubatch=512), Placement())
    assert cpu.kv_cache_bytes == 2 * 2 * 1024 * (5 * 32768 + 29 * (1024 + 512))


def test_latent_attention_keeps_keys_alone() -> None:
    (cpu,) = estimate(shape_of("deepseek-v3"), FitRequest(4096), Placement())
    assert cpu.kv_cache_bytes == 61 * 4096 * 576 * 2


def test_layers_that_share_a_cache_own_none(tmp_path: Path) -> None:
    shape = shape_from_header(read_header(BOUNDED["gemma4"].write(tmp_path / "model.gguf")))
    assert [bool(keys) for keys in shape.layer_caches.keys] == [True] * 6 + [False] * 6
    assert shape.layer_caches.keys[4:6] == (4 * 256, 2 * 512)


def test_a_model_without_heads_is_no_trap(tmp_path: Path) -> None:
    shape = shape_from_header(read_header(LAYERED["mamba"].write(tmp_path / "model.gguf")))
    short, long = (
        estimate(shape, FitRequest(length, "q8_0", "q8_0"), Placement())[0].total_bytes
        for length in (512, 100_000)
    )
    assert short == long


def test_an_appended_layer_is_not_loaded(tmp_path: Path) -> None:
    plain, appended = (
        shape_from_header(read_header(LAYERED[name].write(tmp_path / name)))
        for name in ("qwen35", "qwen35-appended")
    )
    assert appended.known
    assert appended.layer_bytes == plain.layer_bytes
    assert appended.weights_bytes == plain.weights_bytes
    assert appended.layer_caches == plain.layer_caches


def test_keys_that_no_rule_reads_make_a_model_unknown(tmp_path: Path) -> None:
    recipe = LAYERED["qwen35"]
    recipe = dataclasses.replace(
        recipe, keys={**recipe.keys, "attention.indexer.head_count": 4}, n_layers=4
    )
    shape = shape_from_header(read_header(recipe.write(tmp_path / "model.gguf")))
    assert not shape.known
    assert all(shape.layer_caches.keys)


def test_a_recurrent_state_is_part_of_the_bound() -> None:
    keys = model_keys(llama__ssm__state_size=(U32, 16), llama__ssm__inner_size=(U32, 512))
    data = Build(keys=keys).bytes()
    shape = shape_from_header(read_header_bytes(data, len(data)))
    assert not shape.known
    assert shape.recurrent_bytes_per_layer == 4 * 16 * 512


def _catalog(shape: CatalogShape, parameters: float, bits: float) -> ModelShape:
    return shape_from_catalog(shape, int(parameters * bits / 8), int(parameters), "Q4_K_M")


def test_the_catalog_gives_nearly_what_the_header_gives() -> None:
    header = shape_of("qwen3-32b")
    row = CatalogShape("qwen3", 64, 5120, 64, 8, 128, 151936, context_length=40960)
    assert header.parameters is not None
    expected = shape_from_catalog(row, header.weights_bytes, header.parameters, "Q4_K_M")
    assert (expected.known, expected.source) == (True, "catalog")
    assert expected.weights_bytes == header.weights_bytes
    ours = estimate(expected, FitRequest(), Placement(TWO[:1], 99))
    theirs = estimate(header, FitRequest(), Placement(TWO[:1], 99))
    assert ours[1].kv_cache_bytes == theirs[1].kv_cache_bytes
    assert ours[1].total_bytes == pytest.approx(theirs[1].total_bytes, rel=0.01)


@pytest.mark.parametrize("gap", ["n_layers", "n_head_kv", "head_dim", "n_vocab"])
def test_a_row_with_a_gap_is_not_known(gap: str) -> None:
    row = dataclasses.replace(QWEN3_8B, **{gap: None})
    assert not _catalog(row, 8.19e9, 4.89).known
    assert _catalog(QWEN3_8B, 8.19e9, 4.89).known


def test_other_attention_is_not_known() -> None:
    assert not _catalog(dataclasses.replace(QWEN3_8B, attention="other"), 8.19e9, 4.89).known
    assert not _catalog(dataclasses.replace(QWEN3_8B, architecture="gemma3"), 8e9, 4.89).known


def test_a_fixed_window_is_known_to_the_catalog_too() -> None:
    header = shape_of("llama4-scout")
    row = CatalogShape("llama4", 48, 5120, 40, 8, 128, 202048, 16, 1, attention="other")
    expected = shape_from_catalog(row, header.weights_bytes, header.parameters, "Q4_K_M")
    assert not expected.known
    request = FitRequest(65536)
    ours, theirs = (estimate(shape, request, Placement())[0] for shape in (expected, header))
    assert ours.kv_cache_bytes == theirs.kv_cache_bytes
    assert ours.compute_buffer_bytes > theirs.compute_buffer_bytes


@given(
    st.integers(1, 10**13),
    st.one_of(st.none(), st.integers(1, 10**13)),
    st.one_of(st.none(), st.integers(1, 200)),
    st.one_of(st.none(), st.integers(1, 20000)),
)
def test_any_row_gives_figures(
    size: int, parameters: int | None, n_layers: int | None, n_embd: int | None
) -> None:
    row = CatalogShape(None, n_layers, n_embd, None, None, None, 100_000)
    shape = shape_from_catalog(row, size, parameters, "Q8_0")
    assert shape.weights_bytes == size
    assert min(shape.layer_bytes) >= 0
    assert shape.output_bytes >= 0
    assert _buffers(estimate(shape, FitRequest(), Placement(TWO, 99))) >= size

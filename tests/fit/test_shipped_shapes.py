"""Every row of the shipped catalog against the rules of fit, and rows that rivals got wrong."""

from __future__ import annotations

import pytest

from openshelf.catalog.entries import CatalogModel, CatalogShape
from openshelf.catalog.loader import load_catalog
from openshelf.fit.architectures import MemoryClass, memory_class
from openshelf.fit.expected import expected_shape, shape_from_catalog
from openshelf.fit.expected_keys import expected_header
from openshelf.fit.memory import FitRequest, ModelShape, kv_cache_bytes
from openshelf.fit.verdict import FitVerdict, fit_on
from openshelf.units import GIB
from tests.fit.machines import machine, nvidia

MODELS = [model for family in load_catalog().families for model in family.models]
COMPLETE = [model for model in MODELS if model.shape.is_complete]
QWEN35_9B = CatalogShape(
    "qwen35", 32, 4096, 16, 4, 256, 248320, context_length=262144, attention="other", n_ff=12288,
    tied_embeddings=False,
    keys=(
        ("full_attention_interval", 4),
        ("rope.dimension_sections", (11, 11, 10, 0)),
        ("ssm.conv_kernel", 4),
        ("ssm.group_count", 16),
        ("ssm.inner_size", 4096),
        ("ssm.state_size", 128),
        ("ssm.time_step_rank", 32),
    ),
)  # fmt: skip
QWEN35_122B = CatalogShape(
    "qwen35moe", 48, 3072, 32, 2, 256, 248320, 256, 8, 262144, "other", expert_n_ff=1024,
    tied_embeddings=False,
    keys=(
        ("expert_shared_feed_forward_length", 1024),
        ("full_attention_interval", 4),
        ("rope.dimension_sections", (11, 11, 10, 0)),
        ("ssm.conv_kernel", 4),
        ("ssm.group_count", 16),
        ("ssm.inner_size", 8192),
        ("ssm.state_size", 128),
        ("ssm.time_step_rank", 64),
    ),
)  # fmt: skip
DEEPSEEK_V3 = CatalogShape(
    "deepseek2", 61, 7168, 128, 128, 56, 129280, 256, 8, 163840, "other", n_ff=18432,
    expert_n_ff=2048, tied_embeddings=False,
    keys=(
        ("attention.head_count_kv", 1),
        ("attention.key_length", 576),
        ("attention.key_length_mla", 192),
        ("attention.kv_lora_rank", 512),
        ("attention.q_lora_rank", 1536),
        ("attention.value_length", 512),
        ("attention.value_length_mla", 128),
        ("expert_shared_count", 1),
        ("leading_dense_block_count", 3),
        ("rope.dimension_count", 64),
    ),
)  # fmt: skip


@pytest.mark.parametrize("model", COMPLETE, ids=lambda model: model.id)
def test_the_tensors_hold_what_the_row_states(model: CatalogModel) -> None:
    """Both countings of the weights agree: of the catalog, and of the tensors that fit expects."""
    stated = model.shape.text_weights
    assert stated is not None
    assert expected_shape(model.shape, None).parameters == pytest.approx(stated, rel=0.003)


@pytest.mark.parametrize("model", COMPLETE, ids=lambda model: model.id)
def test_a_complete_row_lacks_nothing_that_its_architecture_needs(model: CatalogModel) -> None:
    """It is known wherever a header with its keys would be."""
    shape = expected_shape(model.shape, model.file_weights)
    has_rules = memory_class(expected_header(model.shape)) is not MemoryClass.UNKNOWN
    assert shape.known == has_rules


def _q4(row: CatalogShape, billions: float, gigabytes: float) -> ModelShape:
    return shape_from_catalog(row, int(gigabytes * 1e9), int(billions * 1e9), "Q4_K_M")


def test_qwen35_9b_at_110k_keeps_a_cache_in_every_fourth_layer() -> None:
    shape = _q4(QWEN35_9B, 9.65, 5.6)
    assert shape.known
    cells = 110_080
    cache = 8 * 2 * 4 * 256 * 2 * cells
    state = 24 * 4 * (3 * (4096 + 2 * 16 * 128) + 128 * 4096)
    assert kv_cache_bytes(shape, FitRequest(110_000), range(32)) == cache + state
    assert (cache + state) / GIB < 3.5


def test_qwen35_122b_does_not_fit_48_gb() -> None:
    shape = _q4(QWEN35_122B, 122.1, 74)
    assert shape.known
    on_48 = machine(16, 12, nvidia(24, 23.5), nvidia(24, 23.5, index=1))
    assert fit_on(shape, on_48, FitRequest(8192)).verdict is FitVerdict.DOES_NOT_FIT


def test_deepseek_v3_keeps_one_compressed_row_per_layer() -> None:
    shape = _q4(DEEPSEEK_V3, 671, 404)
    assert shape.known
    assert kv_cache_bytes(shape, FitRequest(32768), range(61)) == 61 * 576 * 2 * 32768
    on_128 = machine(128, 120)
    assert fit_on(shape, on_128, FitRequest(8192)).verdict is FitVerdict.DOES_NOT_FIT


def test_layers_in_loops_keep_a_cache_each_time() -> None:
    row = CatalogShape(
        "nanbeige", 22, 3072, 48, 8, 128, 166144, attention="other", n_ff=10752,
        tied_embeddings=False, keys=(("num_loops", 2),),
    )  # fmt: skip
    shape = _q4(row, 4.17, 2.6)
    assert shape.known
    assert kv_cache_bytes(shape, FitRequest(4096), range(44)) == 44 * 2 * 8 * 128 * 2 * 4096
    assert sum(map(bool, shape.layer_bytes)) == 22
    assert not _q4(CatalogShape(**{**vars(row), "keys": ()}), 4.17, 2.6).known

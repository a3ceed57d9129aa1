"""The metadata that a model's header would have, from the catalog's row, and what it lacks.

A row's counts are keys under other names; its `keys` are the rest, and go before the counts. Which
keys there must be follows from the architecture, so that a row which lacks one is not taken for a
model that has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openshelf.catalog.entries import CatalogShape
from openshelf.fit.architectures import (
    ALWAYS_RECURRENT,
    BOTH_IN_EVERY_LAYER,
    INTERVAL_RECURRENT,
    LATENT_ARCHITECTURES,
    ZERO_HEADS_RECURRENT,
    MemoryClass,
    cache_class,
    window_rule,
)
from openshelf.fit.caches import number
from openshelf.fit.expected_tensors import EXPERTS_AS_WIDE, NOT_MADE
from openshelf.gguf.header import Header

_COUNTS = {
    "n_embd": "embedding_length",
    "n_vocab": "vocab_size",
    "n_head": "attention.head_count",
    "n_head_kv": "attention.head_count_kv",
    "n_ff": "feed_forward_length",
    "n_expert": "expert_count",
    "n_expert_used": "expert_used_count",
    "expert_n_ff": "expert_feed_forward_length",
    "context_length": "context_length",
}
_EVERY = (
    "block_count",
    "embedding_length",
    "vocab_size",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
)
_LATENT = (
    "attention.kv_lora_rank",
    "attention.key_length",
    "attention.value_length",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "attention.head_count_kv",
    "rope.dimension_count",
)
_SPACE = (
    "ssm.conv_kernel",
    "ssm.inner_size",
    "ssm.state_size",
    "ssm.time_step_rank",
    "ssm.group_count",
)
_CACHES_OF = {
    "gemma4": (
        "attention.key_length_swa",
        "attention.value_length_swa",
        "attention.shared_kv_layers",
    ),
    "gemma3n": ("attention.shared_kv_layers",),
    "nanbeige": ("num_loops",),
    "mimo2": ("attention.value_length",),
    "lfm2": ("shortconv.l_cache", "attention.head_count_kv"),
    "lfm2moe": ("shortconv.l_cache", "attention.head_count_kv"),
    "kimi-linear": (*_LATENT, "kda.head_dim", "ssm.conv_kernel"),
    "nemotron_h": (*_SPACE, "attention.head_count_kv", "feed_forward_length"),
    "nemotron_h_moe": (*_SPACE, "attention.head_count_kv", "feed_forward_length"),
}
"""Keys without which it is not known what such a model's layers keep."""
_LEADING = ("leading_dense_block_count",)
_SHARED = ("expert_shared_count",)
_BOTH = (*_LEADING, *_SHARED)
_PICTURES = ("rope.dimension_sections",)
_GRAPH_OF = {
    **dict.fromkeys(
        ["glm4moe", "deepseek2", "mistral4", "deepseek", "dots1", "bailingmoe2"], _BOTH
    ),
    **dict.fromkeys(["afmoe", "exaone-moe", "laguna", "cohere2moe", "kimi-linear", "hy_v3"], _BOTH),
    **dict.fromkeys(["qwen2moe", "qwen3next", "granitemoe", "hunyuan-moe"], _SHARED),
    **dict.fromkeys(["qwen2vl", "hunyuan_vl", "paddleocr", "qwen35"], _PICTURES),
    **dict.fromkeys(["qwen3vl", "qwen3vlmoe"], (*_PICTURES, "n_deepstack_layers")),
    "qwen35moe": (*_PICTURES, *_SHARED),
    "ernie4_5-moe": (*_BOTH, "interleave_moe_layer_step"),
    "llama4": ("interleave_moe_layer_step",),
    "lfm2moe": _LEADING,
    "mimo2": _LEADING,
    "step35": (*_LEADING, *_SHARED),
    "bailingmoe": _BOTH,
    "gemma4": ("embedding_length_per_layer_input",),
    "nemotron_h_moe": (*_SHARED, "moe_latent_size"),
}
"""Keys without which such a model's graph is not known."""
_HYBRID_EXPERTS = {"granitehybrid": _SHARED}


def expected_header(row: CatalogShape) -> Header:
    """The metadata of a row, without tensors; what the row does not say is not there."""
    architecture = row.architecture or ""
    keys: dict[str, Any] = {
        key: getattr(row, name) for name, key in _COUNTS.items() if getattr(row, name) is not None
    }
    if row.head_dim is not None:
        keys |= {"attention.key_length": row.head_dim, "attention.value_length": row.head_dim}
    if architecture in EXPERTS_AS_WIDE and row.expert_n_ff is not None:
        keys["feed_forward_length"] = row.expert_n_ff
    keys |= dict(row.keys)
    keys.setdefault("block_count", (row.n_layers or 0) + keys.get("nextn_predict_layers", 0))
    metadata = {f"{architecture}.{key}": value for key, value in keys.items()}
    return Header(
        version=3,
        metadata={"general.architecture": architecture, **metadata},
        array_lengths={},
        tensors=(),
        header_bytes=0,
        file_bytes=0,
    )


def lacks_cache_keys(row: CatalogShape, header: Header) -> bool:
    """Whether something that a layer keeps may be told by a key that is not there."""
    if cache_class(header) is MemoryClass.FULL and row.attention != "full" and not row.keys:
        return True
    return not {name for name, _ in row.keys}.issuperset(_cache_keys(header))


def has_gap(header: Header) -> bool:
    """Whether a count is missing that every model has."""
    return not all(number(header, key) for key in _EVERY)


def keeps_states(header: Header) -> bool:
    """Whether layers of the architecture have a state, which no context makes larger."""
    hybrids = BOTH_IN_EVERY_LAYER | INTERVAL_RECURRENT | ZERO_HEADS_RECURRENT
    return header.architecture in ALWAYS_RECURRENT | hybrids


def lacks_graph_keys(row: CatalogShape, header: Header) -> bool:
    """Whether a buffer may depend on a key that is not there.

    Of a plain model the width of the feed-forward part is not asked for: it follows from the
    number of its parameters.
    """
    needed = set(_GRAPH_OF.get(header.architecture, ()))
    if number(header, "expert_count"):
        needed |= set(_HYBRID_EXPERTS.get(header.architecture, ()))
        needed.add("expert_used_count")
    if row.attention != "full":
        needed |= _widths(header)
    told = {key for key in needed if header.get(key) is not None}
    if header.get("expert_shared_feed_forward_length") is not None:
        told.add("expert_shared_count")  # the one follows from the other
    return header.architecture in NOT_MADE or told != needed


def _widths(header: Header) -> set[str]:
    if not number(header, "expert_count"):
        return {"feed_forward_length"}
    is_mixed = number(header, "leading_dense_block_count") > 0
    is_mixed |= number(header, "interleave_moe_layer_step", 1) > 1
    dense, experts = {"feed_forward_length"}, {"expert_feed_forward_length"}
    if header.architecture in EXPERTS_AS_WIDE:
        return dense
    return dense | experts if is_mixed else experts


def _cache_keys(header: Header) -> Iterator[str]:
    architecture = header.architecture
    yield from _CACHES_OF.get(architecture, ())
    if architecture in LATENT_ARCHITECTURES:
        yield from _LATENT
    if architecture in INTERVAL_RECURRENT:
        yield from ("full_attention_interval", *_SPACE)
    if architecture in ALWAYS_RECURRENT or architecture in BOTH_IN_EVERY_LAYER:
        yield from ("wkv.head_size",) if "rwkv" in architecture else _SPACE
    if architecture in ZERO_HEADS_RECURRENT and architecture not in _CACHES_OF:
        yield from (*_SPACE, "attention.head_count_kv")
    rule = window_rule(architecture)
    if rule is None or rule.fixed:
        return
    if rule.layers is None or number(header, "block_count") in rule.layers:
        yield "attention.sliding_window"
    if not rule.period:
        yield "attention.sliding_window_pattern"

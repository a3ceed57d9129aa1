"""Which memory rules a model follows, decided from its metadata, then from llama.cpp's graphs."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from openshelf.gguf.header import Header


class MemoryClass(enum.StrEnum):
    FULL = "full"
    """Multi-head or grouped-query attention with one full KV cache in every layer."""
    UNKNOWN = "unknown"


PLAIN_ARCHITECTURES = frozenset(
    {"llama", "qwen2", "qwen3", "qwen3moe", "mistral3", "phi3", "smollm3", "granite"}
)
"""Graphs that are the plain transformer block in llama.cpp; the tests hold them against it."""

WINDOW_IGNORED = frozenset({"phi3"})
"""llama.cpp reads their sliding window and keeps a full cache all the same."""

_OTHER_ATTENTION = (
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "attention.kv_lora_rank",
    "attention.key_length_swa",
    "attention.shared_kv_layers",
    "attention.indexer.head_count",
    "attention.chunk_size",
    "full_attention_interval",
    "nextn_predict_layers",
    "embedding_length_per_layer_input",
)
_OTHER_STATE = ("ssm.", "wkv.", "kda.", "shortconv.", "token_shift_count")
_PER_LAYER = ("attention.head_count", "attention.head_count_kv", "feed_forward_length")


def memory_class(header: Header) -> MemoryClass:
    """The rules that the file's metadata call for; UNKNOWN where one of its keys is not plain."""
    architecture = header.architecture
    if architecture not in PLAIN_ARCHITECTURES or not _is_plain(architecture, header.metadata):
        return MemoryClass.UNKNOWN
    return MemoryClass.FULL


def _is_plain(architecture: str, metadata: Mapping[str, Any]) -> bool:
    start = f"{architecture}."
    for name in _OTHER_ATTENTION:
        is_window = name.startswith("attention.sliding_window")
        if is_window and architecture in WINDOW_IGNORED:
            continue
        if metadata.get(start + name) not in (None, 0, False):
            return False
    if any(isinstance(metadata.get(start + name), tuple) for name in _PER_LAYER):
        return False
    others = tuple(start + name for name in _OTHER_STATE)
    return not any(key.startswith(others) for key in metadata)

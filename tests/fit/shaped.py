"""Headers of the catalog's models: their rows' keys, and the tensors that llama.cpp makes of them.

Each architecture whose graph takes other buffers than the plain block's, in its real size.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openshelf.catalog.entries import CatalogShape
from openshelf.catalog.loader import load_catalog
from openshelf.fit.expected_keys import expected_header
from tests.fit.generated import KEYS, KINDS, Keys, write_with_tensors
from tests.fit.recipes import typed
from tests.gguf.builder import STRING

_NAMES = (
    "qwen3-8b llama-3.1-8b-instruct aya-expanse-8b bitnet-b1.58-2b-4t gemma-3-4b-it gemma-4-31b-it "
    "lfm2-1.2b lfm2-8b-a1b falcon-h1-3b-instruct granite-4.0-h-micro granite-4.0-h-small "
    "nemotron-3-nano-4b nemotron-3-nano-30b-a3b nanbeige4.2-3b qwen3-vl-4b-instruct "
    "qwen3-vl-30b-a3b-instruct qwen3.5-9b qwen3.5-35b-a3b qwen3-coder-next-80b-a3b "
    "kimi-linear-48b-a3b-instruct deepseek-v3.1 glm-4.7-flash mistral-small-4-119b-2603 "
    "mellum2-12b-a2.5b-thinking laguna-xs-2.1 mimo-v2-flash gpt-oss-120b gemma-4-26b-a4b-it "
    "hunyuan-a13b-instruct ernie-4.5-21b-a3b glm-4.5v hy3 minimax-m2 north-mini-code-1.0 "
    "olmoe-1b-7b-0125-instruct mixtral-8x7b-instruct-v0.1 ling-mini-2.0"
)
MODELS = _NAMES.split()
"""Ids of catalog models."""
_LEFT_TO_THE_ENGINE = ("gating_func", "scale", "norm", "eps", "rope.dimension_count")
"""Ends of keys that take no part in any size; the catalog has none of them."""


@functools.cache
def rows() -> Mapping[str, CatalogShape]:
    known = {model.id: model.shape for family in load_catalog().families for model in family.models}
    return {name: known[name] for name in MODELS}


def write_shapes(folder: Path) -> dict[str, Path]:
    """Writes each model's header with a hole behind it; raises AssertionError where llama.cpp does
    not take one."""
    models = {
        folder / name: (_keys(row), bool(row.tied_embeddings)) for name, row in rows().items()
    }
    refused = write_with_tensors(models)
    assert not refused, refused
    return {path.name: path for path in models}


def _keys(row: CatalogShape) -> dict[str, tuple[int, Any]]:
    header = expected_header(row)
    architecture = header.architecture
    start = f"{architecture}."
    stated: Keys = {
        name.removeprefix(start): value
        for name, value in header.metadata.items()
        if name.startswith(start)
    }
    usual = {**KINDS[architecture], **KEYS.get(architecture, {})}
    rest = {
        name: value
        for name, value in usual.items()
        if isinstance(value, float) or name.endswith(_LEFT_TO_THE_ENGINE)
    }
    if "rope.dimension_count" in rest and "attention.key_length" in stated:
        rest["rope.dimension_count"] = min(
            rest["rope.dimension_count"], stated["attention.key_length"]
        )
    norms = {"attention.layer_norm_rms_epsilon": 1e-6, "attention.layer_norm_epsilon": 1e-6}
    keys: dict[str, tuple[int, Any]] = {
        "general.architecture": (STRING, architecture),
        "tokenizer.ggml.model": (STRING, "no_vocab"),
    }
    for name, value in {**norms, **rest, **stated}.items():
        keys[start + name] = typed(tuple(value) if isinstance(value, list) else value)
    return keys

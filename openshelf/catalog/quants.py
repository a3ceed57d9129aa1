"""Bits per weight of each quantization, and the size to expect of a file that is not at hand."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from openshelf import paths
from openshelf.catalog.entries import CatalogModel, CatalogShape
from openshelf.errors import CorruptCatalog
from openshelf.gguf.names import plain_label

_BLOCK = 256
"""K- and I-quants pack 256 weights of one row; other rows fall back to blocks of 32."""
_ODD_ROW_TABLE_BITS = 8.5
NATIVE_OF_EXPERTS = "MXFP4"
"""Models are released in it with the experts alone quantized."""
_TOKENIZER_BYTES_PER_TOKEN = 45
"""Tokens, scores and merges in the header (39 for SmolLM2, up to 60 for large vocabularies)."""


@dataclass(frozen=True)
class QuantBits:
    """Bits per weight: of a whole 8B file, of its layers, its input embedding, its output."""

    name: str
    file: float
    layers: float
    embedding: float
    output: float
    odd_rows: float


@cache
def load_quants(file: Path | None = None) -> dict[str, QuantBits]:
    """All quantizations by name, smallest first. Raises CorruptCatalog."""
    file = paths.resources() / "quality" / "bits_per_weight.toml" if file is None else file
    try:
        rows: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))["quants"]
        return {name: QuantBits(name=name, **row) for name, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptCatalog(path=file.name, detail=str(error)) from error


def expected_file_bytes(model: CatalogModel, quant: str) -> int | None:
    """Size to expect of this model's file in this quantization; None where nothing is known.

    Within about 1 % of llama.cpp's own mix where the shape is complete, within some percent for
    other mixes and for models of which only the number of weights is known.
    """
    bits = load_quants().get(plain_label(quant.upper()))
    if bits is None:
        return None
    shape = model.shape
    if bits.name == NATIVE_OF_EXPERTS:
        return _with_native_experts(model, bits)
    layers, table = _layer_weights(shape), shape.embedding_weights
    if layers is None or table is None:
        weights = model.file_weights
        return None if weights is None else int(weights * bits.file / 8)
    has_odd_rows = bool((shape.n_embd or 0) % _BLOCK)
    layer_bits = bits.odd_rows if has_odd_rows else bits.layers
    output_bits = max(bits.output, _ODD_ROW_TABLE_BITS) if has_odd_rows else bits.output
    total_bits = layers * layer_bits + table * output_bits
    if not shape.tied_embeddings:
        total_bits += table * bits.embedding
    return int(total_bits / 8) + (shape.n_vocab or 0) * _TOKENIZER_BYTES_PER_TOKEN


def _layer_weights(shape: CatalogShape) -> int | None:
    """Weights besides the embedding and the output; None where that cannot be told."""
    whole, table = shape.text_weights, shape.embedding_weights
    if whole is None or table is None or shape.tied_embeddings is None:
        return None
    left = whole - table * (1 if shape.tied_embeddings else 2)
    return left if left > 0 else None


def _with_native_experts(model: CatalogModel, bits: QuantBits) -> int | None:
    """Experts in the format's own bits, everything else in that of the tables; None for a model
    without experts, or of which too little is known."""
    shape, weights = model.shape, model.file_weights
    counts = (shape.n_layers, shape.n_expert, shape.n_embd, shape.expert_n_ff, weights)
    if None in counts:
        return None
    layers, experts, embd, feed_forward, whole = (int(count or 0) for count in counts)
    in_experts = min(3 * layers * experts * embd * feed_forward, whole)
    total_bits = in_experts * bits.layers + (whole - in_experts) * bits.output
    return int(total_bits / 8) + (shape.n_vocab or 0) * _TOKENIZER_BYTES_PER_TOKEN

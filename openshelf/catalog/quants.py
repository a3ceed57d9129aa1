"""Bits per weight of each quantization, and the size to expect of a file that is not at hand."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from openshelf import paths
from openshelf.catalog.entries import CatalogModel
from openshelf.errors import CorruptCatalog
from openshelf.gguf.names import plain_label

_BLOCK = 256
"""K- and I-quants pack 256 weights of one row; other rows fall back to blocks of 32."""
_ODD_ROW_TABLE_BITS = 8.5
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
    layers, table = shape.layer_weights, shape.embedding_weights
    if layers is None or table is None or shape.tied_embeddings is None:
        weights = model.weights_count or model.parameters
        return None if weights is None else int(weights * bits.file / 8)
    has_odd_rows = bool((shape.n_embd or 0) % _BLOCK)
    layer_bits = bits.odd_rows if has_odd_rows else bits.layers
    output_bits = max(bits.output, _ODD_ROW_TABLE_BITS) if has_odd_rows else bits.output
    total_bits = layers * layer_bits + table * output_bits
    if not shape.tied_embeddings:
        total_bits += table * bits.embedding
    return int(total_bits / 8) + (shape.n_vocab or 0) * _TOKENIZER_BYTES_PER_TOKEN

"""The expected shape of a variant of which only the catalog's row and a file size are known."""

from __future__ import annotations

import functools
from dataclasses import replace

from openshelf.catalog.entries import CatalogShape
from openshelf.catalog.quants import load_quants
from openshelf.fit.expected_keys import (
    expected_header,
    has_gap,
    keeps_states,
    lacks_cache_keys,
    lacks_graph_keys,
)
from openshelf.fit.expected_tensors import expected_facts
from openshelf.fit.repacking import expected_growth, expected_table_type
from openshelf.fit.shapes import ModelShape, shape_from_parts

_USUAL_EMBEDDING = 4096
_USUAL_HEAD = 128
_WIDEST_FEED_FORWARD = 4
"""Times the embedding, where nothing says more."""
_TIED_UP_TO_EMBEDDING = 3072
"""Models up to this width mostly use their input embedding as output too, wider ones do not."""
_MXFP4_PER_F16 = 4.25 / 16
_STATE_PER_EMBEDDING = 4 * 512
"""Bytes of a layer's state, more than any known (two widths of 256 numbers each)."""


def shape_from_catalog(
    shape: CatalogShape, size_bytes: int, parameters: int | None, quant: str
) -> ModelShape:
    """The expected shape of a variant whose header is not at hand (`source` is catalog).

    Caches and buffers are those of a header with the row's counts and keys; `size_bytes`, the size
    of its files, is divided among the parts as `quant` usually does. A row with a gap, or without
    a key that its architecture asks for, is not `known` and gets what is larger.
    """
    whole = expected_shape(shape, parameters)
    bits = load_quants().get(quant.upper().removeprefix("UD-"))
    if quant.upper().startswith("MXFP4") and any(whole.expert_bytes):
        return _rearranged(_with_mxfp4_experts(whole, size_bytes), quant)
    precision = (1.0, 1.0, 1.0)
    if bits is not None:
        output = bits.output / bits.layers
        table = output if whole.tied_output else bits.embedding / bits.layers
        precision = (table, bits.embedding / bits.layers, output)
    return _rearranged(_scaled(whole, size_bytes, precision), quant)


@functools.lru_cache(maxsize=4096)
def expected_shape(row: CatalogShape, parameters: int | None) -> ModelShape:
    """A row's shape with each weight as F16, all that its variants have in common."""
    header = expected_header(_filled(row, parameters))
    is_tied = _is_tied(row, header.get("embedding_length"))
    facts = expected_facts(header, is_tied=is_tied)
    shape = shape_from_parts(header, facts, source="catalog")
    stated = expected_header(row)
    is_bare = has_gap(stated) or lacks_cache_keys(row, stated)
    state = _STATE_PER_EMBEDDING * shape.n_embd if is_bare and keeps_states(stated) else 0
    return replace(
        shape,
        known=shape.known and not (is_bare or lacks_graph_keys(row, stated)),
        caches=None if is_bare else shape.caches,
        recurrent_bytes_per_layer=max(state, shape.recurrent_bytes_per_layer),
        parameters=parameters or facts.parameters,
        table_type="",
    )


def shape_of_sibling(shape: ModelShape, size_bytes: int, quant: str) -> ModelShape:
    """The shape of another file of the same model, from this one's header and that one's size and
    quantization ("" = unknown).

    Caches and buffers are the same; what each part of the weights takes is this one's, scaled, so
    that only their sum is exact (`source` is sibling).
    """
    scaled = _scaled(shape, size_bytes, (1.0, 1.0, 1.0))
    return replace(_rearranged(scaled, quant), source="sibling")


def _rearranged(shape: ModelShape, quant: str) -> ModelShape:
    """With what a processor that rearranges weights makes of them, from the quantization's name:
    what they grow by at most, and the table's type, which decides whether it is kept twice."""
    ratio = expected_growth(quant)
    bits = load_quants().get(quant.upper().removeprefix("UD-"))
    grown = {
        (layer, experts): int((layer - experts) * ratio)
        for layer, experts in set(zip(shape.layer_bytes, shape.expert_bytes, strict=True))
    }
    pairs = zip(shape.layer_bytes, shape.expert_bytes, strict=True)
    return replace(
        shape,
        layer_grown=tuple(map(grown.__getitem__, pairs)),
        output_grown=int(shape.output_bytes * ratio),
        table_grown=int(shape.table_bytes * ratio),
        table_type=expected_table_type(quant, bits.output if bits else 0.0),
    )


def _scaled(
    shape: ModelShape, size_bytes: int, precision: tuple[float, float, float]
) -> ModelShape:
    """With its parts scaled to this sum; `precision` is how many times more bits than the layers
    the table, other inputs and the output layer get."""
    table, inputs, output = precision
    others = shape.embedding_bytes - shape.table_bytes
    layers = shape.bytes_up_to[-1] + shape.shared_bytes
    whole = layers + shape.table_bytes * table + others * inputs + shape.output_bytes * output
    per_byte = size_bytes / max(1.0, whole)
    sizes = {size: int(size * per_byte) for size in {*shape.layer_bytes, *shape.expert_bytes}}
    scaled = tuple(map(sizes.__getitem__, shape.layer_bytes))  # most layers are alike
    table_bytes = int(shape.table_bytes * table * per_byte)
    embedding = table_bytes + int(others * inputs * per_byte)
    shared = int(shape.shared_bytes * per_byte)
    return replace(
        shape,
        layer_bytes=scaled,
        expert_bytes=tuple(map(sizes.__getitem__, shape.expert_bytes)),
        embedding_bytes=embedding,
        table_bytes=table_bytes,
        table_type="",
        shared_bytes=shared,
        output_bytes=max(0, size_bytes - sum(scaled) - embedding - shared),
    )


def _with_mxfp4_experts(shape: ModelShape, size_bytes: int) -> ModelShape:
    """The format is one of experts only: what the file has besides belongs to all other parts."""
    experts = tuple(int(size * _MXFP4_PER_F16) for size in shape.expert_bytes)
    others = max(1, shape.weights_bytes - sum(shape.expert_bytes))
    scale = max(0, size_bytes - sum(experts)) / others
    layers = tuple(
        expert + int((layer - wide) * scale)
        for layer, wide, expert in zip(shape.layer_bytes, shape.expert_bytes, experts, strict=True)
    )
    embedding, shared = int(shape.embedding_bytes * scale), int(shape.shared_bytes * scale)
    return replace(
        shape,
        layer_bytes=layers,
        expert_bytes=experts,
        embedding_bytes=embedding,
        table_bytes=int(shape.table_bytes * scale),
        table_type="",
        shared_bytes=shared,
        output_bytes=max(0, size_bytes - sum(layers) - embedding - shared),
    )


def _filled(row: CatalogShape, parameters: int | None) -> CatalogShape:
    """A row with its gaps filled from above."""
    n_embd = row.n_embd or _USUAL_EMBEDDING
    n_head = row.n_head or max(1, n_embd // _USUAL_HEAD)
    filled = replace(
        row,
        n_layers=max(1, row.n_layers or 1),
        n_embd=n_embd,
        n_head=n_head,
        n_head_kv=row.n_head_kv or n_head,
        head_dim=row.head_dim or max(1, n_embd // n_head),
        n_vocab=row.n_vocab or 0,
    )
    width = _feed_forward(filled, parameters)
    if row.n_expert:
        return replace(filled, expert_n_ff=row.expert_n_ff or row.n_ff or width)
    return replace(filled, n_ff=row.n_ff or width)


def _is_tied(row: CatalogShape, n_embd: int) -> bool:
    tied = row.tied_embeddings
    return n_embd <= _TIED_UP_TO_EMBEDDING if tied is None else tied


def _feed_forward(row: CatalogShape, parameters: int | None) -> int:
    """Width of the feed-forward part (of one expert), worked out from the parameter count."""
    n_embd = row.n_embd or 1
    widest = _WIDEST_FEED_FORWARD * n_embd
    if not parameters:
        return widest
    tables = (row.embedding_weights or 0) * (1 if _is_tied(row, n_embd) else 2)
    heads = (row.n_head or 0) + (row.n_head_kv or 0)
    attention = 2 * n_embd * (row.head_dim or 0) * heads
    left = (parameters - tables) / (row.n_layers or 1) - attention
    width = int(left / (3 * n_embd * max(1, row.n_expert or 0)))
    return min(max(width, n_embd // 8), 2 * widest)

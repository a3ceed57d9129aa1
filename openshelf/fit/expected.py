"""The expected shape of a variant of which only the catalog's row and a file size are known."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from openshelf.catalog.entries import CatalogShape
from openshelf.fit.architectures import PLAIN_ARCHITECTURES, window_rule
from openshelf.fit.caches import LayerCaches, windowed_layers
from openshelf.fit.shapes import ModelShape

_USUAL_EMBEDDING = 4096
_USUAL_HEAD = 128
_WIDEST_FEED_FORWARD = 4
"""Times the embedding, where nothing says more."""
_TIED_UP_TO_EMBEDDING = 3072
"""Models up to this width mostly use their input embedding as output too, wider ones do not."""
_EXPERT_SHARE = 0.95
"""Part of a mixture's layers that belongs to routed experts (0.94–0.98 in the headers at hand)."""


@dataclass(frozen=True)
class _Filled:
    """A catalog row with its gaps filled from above."""

    n_layers: int
    n_embd: int
    n_head: int
    n_head_kv: int
    head_length: int
    n_vocab: int
    is_tied: bool
    is_complete: bool


def shape_from_catalog(
    shape: CatalogShape, size_bytes: int, parameters: int | None, quant: str
) -> ModelShape:
    """The expected shape of a variant whose header is not at hand (`source` is catalog).

    `size_bytes` is the size of its files; `quant` tells unquantized files, whose norms and
    embeddings weigh as much as the rest. A row with a gap, or with other attention than plain, is
    not `known` and gets what is larger.
    """
    filled = _fill(shape)
    tables = 1 if filled.is_tied else 2
    bits = size_bytes * 8 / parameters if parameters else 16.0
    embedding = min(int(filled.n_vocab * filled.n_embd * bits / 8), size_bytes // (2 * tables))
    per_layer = max(0, (size_bytes - tables * embedding) // filled.n_layers)
    width = _feed_forward(filled, shape.n_expert or 0, parameters)
    has_experts = bool(shape.n_expert)
    return ModelShape(
        architecture=shape.architecture or "",
        known=filled.is_complete
        and shape.attention == "full"
        and shape.architecture in PLAIN_ARCHITECTURES,
        n_layers=filled.n_layers,
        n_embd=filled.n_embd,
        n_head=filled.n_head,
        n_head_kv=filled.n_head_kv,
        key_length=filled.head_length,
        value_length=filled.head_length,
        n_ff=0 if has_experts else width,
        n_vocab=filled.n_vocab,
        n_expert=shape.n_expert or 0,
        n_expert_used=shape.n_expert_used or 0,
        layer_bytes=(per_layer,) * filled.n_layers,
        embedding_bytes=embedding,
        output_bytes=size_bytes - embedding - per_layer * filled.n_layers,
        tied_output=filled.is_tied,
        table_bytes=embedding,
        context_length=shape.context_length,
        parameters=parameters,
        source="catalog",
        expert_bytes=(int(per_layer * _EXPERT_SHARE),) * filled.n_layers if has_experts else (),
        n_ff_expert=width if has_experts else 0,
        caches=_fixed_window(shape.architecture or "", filled),
    )


def shape_of_sibling(shape: ModelShape, size_bytes: int) -> ModelShape:
    """The shape of another file of the same model, from this one's header and that one's size.

    Caches and buffers are the same; what each part of the weights takes is this one's, scaled, so
    that only their sum is exact (`source` is sibling).
    """
    whole = max(1, shape.weights_bytes)

    def scaled(part: int) -> int:
        return part * size_bytes // whole

    layers = tuple(scaled(size) for size in shape.layer_bytes)
    embedding, shared = scaled(shape.embedding_bytes), scaled(shape.shared_bytes)
    return replace(
        shape,
        layer_bytes=layers,
        expert_bytes=tuple(scaled(size) for size in shape.expert_bytes),
        embedding_bytes=embedding,
        table_bytes=scaled(shape.table_bytes),
        table_type="",
        shared_bytes=shared,
        output_bytes=max(0, size_bytes - sum(layers) - embedding - shared),
        source="sibling",
    )


@functools.lru_cache(maxsize=256)
def _fixed_window(architecture: str, filled: _Filled) -> LayerCaches | None:
    """The caches of an architecture whose window no key changes; None for all others."""
    rule = window_rule(architecture)
    if rule is None or not (rule.fixed and rule.period) or not filled.is_complete:
        return None
    width = filled.n_head_kv * filled.head_length
    return LayerCaches(
        keys=(width,) * filled.n_layers,
        values=(width,) * filled.n_layers,
        windowed=windowed_layers(rule.period, filled.n_layers, is_full_first=rule.is_full_first),
        state_bytes=(0,) * filled.n_layers,
        window=rule.fixed,
    )


def _fill(shape: CatalogShape) -> _Filled:
    needed = (
        shape.n_layers,
        shape.n_embd,
        shape.n_head,
        shape.n_head_kv,
        shape.head_dim,
        shape.n_vocab,
    )
    n_embd = shape.n_embd or _USUAL_EMBEDDING
    n_head = shape.n_head or max(1, n_embd // _USUAL_HEAD)
    return _Filled(
        n_layers=max(1, shape.n_layers or 1),
        n_embd=n_embd,
        n_head=n_head,
        n_head_kv=shape.n_head_kv or n_head,
        head_length=shape.head_dim or max(1, n_embd // n_head),
        n_vocab=shape.n_vocab or 0,
        is_tied=n_embd <= _TIED_UP_TO_EMBEDDING,
        is_complete=None not in needed and 0 not in needed,
    )


def _feed_forward(filled: _Filled, n_expert: int, parameters: int | None) -> int:
    """Width of the feed-forward part (of one expert), worked out from the parameter count."""
    widest = _WIDEST_FEED_FORWARD * filled.n_embd
    if not parameters:
        return widest
    tables = filled.n_vocab * filled.n_embd * (1 if filled.is_tied else 2)
    attention = 2 * filled.n_embd * filled.head_length * (filled.n_head + filled.n_head_kv)
    left = (parameters - tables) / filled.n_layers - attention
    width = int(left / (3 * filled.n_embd * max(1, n_expert)))
    return min(max(width, filled.n_embd // 8), 2 * widest)

"""The tensors that a model's file has by its metadata, as llama.cpp asks for them.

Only matrices, and what tells of the graph: norms and biases are below 0.1 % of any model. Layers
of one kind are made once. tests/fit holds them against the tensors that the engine itself makes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from openshelf.fit.architectures import (
    ALWAYS_RECURRENT,
    BOTH_IN_EVERY_LAYER,
    INTERVAL_RECURRENT,
    NO_FEED_FORWARD_LAYERS,
    window_rule,
)
from openshelf.fit.caches import (
    head_lengths,
    is_latent,
    number,
    own_layers,
    per_layer,
    read_window,
    recurrent_layers,
    windowed_by_keys,
)
from openshelf.fit.shapes import layers_run
from openshelf.fit.tensor_sums import TensorFacts, sum_tensors, tensor_facts
from openshelf.gguf.header import Header
from openshelf.gguf.tensors import TensorInfo

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
WEIGHT_BYTES = 2
"""All are made as F16: what counts is how they compare."""

FUSED_QKV = frozenset(
    {"phi3", "bailingmoe2", "dbrx", "falcon", "gptneox", "gpt2", "mpt", "bloom", "starcoder"}
    | {"codeshell", "jais", "qwen", "chatglm", "plamo3", "neo-bert"}
)
NO_GATE = frozenset(
    {"nemotron", "nemotron_h", "nemotron_h_moe", "apertus", "arcee", "starcoder2", "codeshell"}
    | {"jais2", "gpt2", "starcoder", "mpt", "bloom", "gptneox", "phi2", "falcon", "bert"}
)
GATE_IN_UP = frozenset({"phi3", "glm4", "chatglm"})
"""The projection up is twice as wide, and half of it is the gate."""
POST_NORM = frozenset(
    {"gemma2", "gemma3", "gemma3n", "gemma4", "gemma-embedding", "glm4", "exaone4", "olmo2"}
    | {"afmoe", "muse-glimmer"}
)
EXPERT_BIAS = frozenset({"gpt-oss"})
DENSE_BESIDE_EXPERTS = frozenset({"gemma4", "arctic"})
"""Their mixtures keep a dense part in each layer."""
SHARED_ALWAYS = frozenset({"llama4"})
"""One shared expert, whatever the keys say."""
NOT_MADE = frozenset(
    {"gpt2", "mpt", "starcoder", "grovemoe", "arctic", "rwkv7", "arwkv7", "spark2_5", "maple"}
)
"""Have tensors that are not told of here; a row of such a model is not known."""
EXPERTS_AS_WIDE = frozenset(
    {"olmoe", "phimoe", "granitemoe", "granitehybrid", "dbrx", "minimax-m2", "arctic"}
    | {"hunyuan-moe", "jamba"}
)
"""Their experts' width is the one that others have for their dense part."""
GATE_PER_ELEMENT = frozenset({"afmoe", "muse-glimmer"})
GATE_PER_HEAD = frozenset({"laguna", "step35"})


class LayerKind(NamedTuple):
    """What makes the tensors of one layer differ from another's."""

    heads: int
    heads_kv: int
    n_ff: int
    n_ff_expert: int
    is_recurrent: bool
    is_windowed: bool
    has_experts: bool


def expected_facts(header: Header, *, is_tied: bool) -> TensorFacts:
    """What the tensors of a model with these keys tell, each weight as F16."""
    kinds = tuple(_kinds(header))
    loops = (0,) * (layers_run(header) - len(kinds))  # run again, with the same weights
    first = {kind: layer for layer, kind in reversed(list(enumerate(kinds)))}
    made = {
        kind: [_tensor(f"blk.{layer}.{name}", shape) for name, shape in _layer(header, kind)]
        for kind, layer in sorted(first.items(), key=lambda item: item[1])
    }
    outer = [_tensor(name, shape) for name, shape in _outer(header, is_tied=is_tied).items()]
    whole = sum_tensors(outer, 0)
    sums = {kind: sum_tensors(made[kind], layer + 1) for kind, layer in first.items()}
    layers = tuple(sums[kind].layers[first[kind]] for kind in kinds) + loops
    experts = tuple(sums[kind].experts[first[kind]] for kind in kinds) + loops
    parts = replace(whole, layers=layers, experts=experts, grown=())
    tensors = [*outer, *(tensor for kind in made.values() for tensor in kind)]
    total = sum(layers) + whole.inputs + whole.output
    return tensor_facts(tensors, parts, total // WEIGHT_BYTES)


def _tensor(name: str, shape: Shape) -> TensorInfo:
    return TensorInfo(name, shape, "F16", 0, WEIGHT_BYTES * math.prod(shape))


def _kinds(header: Header) -> Iterator[LayerKind]:
    n_layers = own_layers(header)
    recurrent = recurrent_layers(header, n_layers)
    rule = window_rule(header.architecture)
    window = read_window(header, rule) if rule else 0
    windowed = windowed_by_keys(header, rule, n_layers) if rule and window else (False,) * n_layers
    heads = per_layer(header, "attention.head_count", n_layers)
    heads_kv = per_layer(header, "attention.head_count_kv", n_layers)
    feed_forward = per_layer(header, "feed_forward_length", n_layers)
    experts = per_layer(header, "expert_feed_forward_length", n_layers)
    has_experts = _with_experts(header, n_layers)
    is_same = header.architecture in EXPERTS_AS_WIDE
    for layer in range(n_layers):
        yield LayerKind(
            heads=heads[layer],
            heads_kv=heads_kv[layer],
            n_ff=feed_forward[layer],
            n_ff_expert=feed_forward[layer] if is_same else experts[layer],
            is_recurrent=recurrent[layer],
            is_windowed=windowed[layer],
            has_experts=has_experts[layer],
        )


def _with_experts(header: Header, n_layers: int) -> tuple[bool, ...]:
    """Which layers have experts: behind the dense ones, and each in its turn."""
    step = number(header, "interleave_moe_layer_step", 1)
    if not number(header, "expert_count") or not step:
        return (False,) * n_layers
    dense = number(header, "leading_dense_block_count")
    return tuple(layer >= dense and (layer + 1) % step == 0 for layer in range(n_layers))


def _outer(header: Header, *, is_tied: bool) -> Shapes:
    """The tensors that belong to no layer."""
    embd, n_vocab = number(header, "embedding_length"), number(header, "vocab_size")
    shapes: Shapes = {"token_embd.weight": (embd, n_vocab)}
    if not is_tied:
        shapes["output.weight"] = (embd, n_vocab)
    own = number(header, "embedding_length_per_layer_input") * layers_run(header)
    if own:
        shapes["per_layer_token_embd.weight"] = (own, n_vocab)
        shapes["per_layer_model_proj.weight"] = (embd, own)
    return shapes


def _layer(header: Header, kind: LayerKind) -> Iterator[tuple[str, Shape]]:
    """Name and shape of one layer's tensors."""
    architecture = header.architecture
    is_one_of_three = architecture in NO_FEED_FORWARD_LAYERS
    if kind.is_recurrent:
        yield from _state(header, kind).items()
    has_attention = architecture in BOTH_IN_EVERY_LAYER or not kind.is_recurrent
    if is_one_of_three:
        has_attention &= not kind.n_ff
    if has_attention and kind.heads_kv and architecture not in ALWAYS_RECURRENT:
        yield from _attention(header, kind).items()
    if not is_one_of_three or (kind.n_ff and not kind.is_recurrent):
        yield from _feed_forward(header, kind).items()
    own, embd = number(header, "embedding_length_per_layer_input"), _embd(header)
    if own:
        yield from {"inp_gate.weight": (embd, own), "proj.weight": (own, embd)}.items()


def _embd(header: Header) -> int:
    return number(header, "embedding_length")


def _attention(header: Header, kind: LayerKind) -> Mapping[str, Shape]:
    if is_latent(header):
        return _latent(header, kind)
    embd, architecture = _embd(header), header.architecture
    key, value = head_lengths(header, is_windowed=kind.is_windowed)
    queries, results = kind.heads * key, kind.heads * value
    keys, values = kind.heads_kv * key, kind.heads_kv * value
    if architecture in INTERVAL_RECURRENT:
        queries *= 2  # a gate for each
    shapes: Shapes = {"attn_output.weight": (results, embd)}
    if architecture in FUSED_QKV:
        shapes["attn_qkv.weight"] = (embd, queries + keys + values)
    else:
        shapes["attn_q.weight"] = (embd, queries)
        shapes |= {"attn_k.weight": (embd, keys), "attn_v.weight": (embd, values)}
    if architecture in GATE_PER_ELEMENT:
        shapes["attn_gate.weight"] = (embd, results)
    if architecture in GATE_PER_HEAD:
        shapes["attn_gate.weight"] = (embd, kind.heads)
    return shapes


def _latent(header: Header, kind: LayerKind) -> Mapping[str, Shape]:
    embd, rank = _embd(header), number(header, "attention.kv_lora_rank")
    rotated = number(header, "rope.dimension_count")
    key = number(header, "attention.key_length_mla")
    value = number(header, "attention.value_length_mla")
    narrow = number(header, "attention.q_lora_rank")
    shapes: Shapes = {"attn_q.weight": (embd, kind.heads * key)}
    if narrow:
        shapes = {
            "attn_q_a.weight": (embd, narrow),
            "attn_q_b.weight": (narrow, kind.heads * key),
        }
    return shapes | {
        "attn_kv_a_mqa.weight": (embd, rank + rotated),
        "attn_k_b.weight": (key - rotated, rank, kind.heads),
        "attn_v_b.weight": (rank, value, kind.heads),
        "attn_output.weight": (kind.heads * value, embd),
    }


def _state(header: Header, kind: LayerKind) -> Mapping[str, Shape]:
    """The matrices of a layer that keeps a state, by the keys that it has."""
    embd = _embd(header)
    if number(header, "shortconv.l_cache"):
        return {
            "shortconv.in_proj.weight": (embd, 3 * embd),
            "shortconv.out_proj.weight": (embd, embd),
        }
    delta = number(header, "kda.head_dim")
    if delta:
        width = kind.heads * delta
        shapes = {f"attn_{part}.weight": (embd, width) for part in "qkv"}
        shapes |= {f"ssm_{part}_a.weight": (embd, delta) for part in "fg"}
        shapes |= {f"ssm_{part}_b.weight": (delta, width) for part in "fg"}
        return shapes | {"attn_output.weight": (width, embd), "ssm_beta.weight": (embd, kind.heads)}
    inner, state = number(header, "ssm.inner_size"), number(header, "ssm.state_size")
    heads, groups = number(header, "ssm.time_step_rank"), number(header, "ssm.group_count")
    channels = inner + 2 * groups * state
    shapes = {"ssm_out.weight": (inner, embd)}
    if header.architecture in INTERVAL_RECURRENT:
        shapes |= {"attn_qkv.weight": (embd, channels), "attn_gate.weight": (embd, inner)}
        return shapes | {"ssm_ba.weight": (embd, 2 * heads)}
    if groups:
        return shapes | {"ssm_in.weight": (embd, inner + channels + heads)}
    shapes |= {"ssm_in.weight": (embd, 2 * inner), "ssm_dt.weight": (heads, inner)}
    return shapes | {"ssm_x.weight": (inner, heads + 2 * state)}


def _feed_forward(header: Header, kind: LayerKind) -> Shapes:
    architecture = header.architecture
    shapes = _experts(header, kind) if kind.has_experts else {}
    if not kind.has_experts or architecture in DENSE_BESIDE_EXPERTS:
        shapes |= _dense(header, kind.n_ff, "")
    if architecture in POST_NORM:
        shapes["post_ffw_norm.weight"] = (_embd(header),)
    return shapes


def _dense(header: Header, width: int, suffix: str) -> Shapes:
    if not width:
        return {}
    embd, architecture = _embd(header), header.architecture
    doubled = 2 if architecture in GATE_IN_UP else 1
    shapes: Shapes = {
        f"ffn_up{suffix}.weight": (embd, doubled * width),
        f"ffn_down{suffix}.weight": (width, embd),
    }
    if doubled == 1 and architecture not in NO_GATE:
        shapes[f"ffn_gate{suffix}.weight"] = (embd, width)
    return shapes


def _experts(header: Header, kind: LayerKind) -> Shapes:
    embd, count, width = _embd(header), number(header, "expert_count"), kind.n_ff_expert
    inner = number(header, "moe_latent_size") or embd
    shapes: Shapes = {
        "ffn_gate_inp.weight": (embd, count),
        "ffn_up_exps.weight": (inner, width, count),
        "ffn_down_exps.weight": (width, inner, count),
    }
    if header.architecture not in NO_GATE:
        shapes["ffn_gate_exps.weight"] = (inner, width, count)
    if inner != embd:
        shapes |= {"ffn_latent_down.weight": (embd, inner), "ffn_latent_up.weight": (inner, embd)}
    if header.architecture in EXPERT_BIAS:
        shapes["ffn_down_exps.bias"] = (embd, count)
    shared = _shared_width(header, width)
    return shapes | _dense(header, shared, "_shexp")


def _shared_width(header: Header, width: int) -> int:
    if header.architecture in SHARED_ALWAYS:
        return width
    own = number(header, "expert_shared_feed_forward_length")
    return own or width * number(header, "expert_shared_count")

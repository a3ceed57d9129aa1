"""The figures of a model that the memory formulas need, exact from its header."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openshelf.fit.architectures import MemoryClass, memory_class
from openshelf.gguf.header import Header
from openshelf.gguf.tensors import TensorInfo

_LAYER = re.compile(r"blk\.(\d+)\.")
_EXPERTS = re.compile(r"blk\.\d+\.ffn_(?:up|down|gate|gate_up)_(?:ch)?exps\.")
_INPUT = ("token_embd", "position_embd", "token_types", "per_layer_token_embd")
_EVERY_DEVICE = ("rope_freqs", "rope_factors_long", "rope_factors_short")
_BUFFER_ALIGNMENT = 32
_RECURRENT_STATE_BYTES = 4


@dataclass(frozen=True)
class ModelShape:
    """What the formulas need. `layer_bytes[i]` are the weights of layer i (experts included, as
    they lie in a buffer), `output_bytes` those that go with the output layer, `embedding_bytes`
    the input embedding (always on the CPU), `shared_bytes` what every device with a layer holds."""

    architecture: str
    known: bool
    n_layers: int
    n_embd: int
    n_head: int
    n_head_kv: int
    key_length: int
    value_length: int
    n_ff: int
    n_vocab: int
    n_expert: int
    n_expert_used: int
    layer_bytes: tuple[int, ...]
    embedding_bytes: int
    output_bytes: int
    tied_output: bool
    context_length: int | None
    parameters: int | None
    source: str
    """header or catalog."""
    expert_bytes: tuple[int, ...] = ()
    """Of each layer, what belongs to routed experts and can stay on the CPU."""
    n_ff_expert: int = 0
    shared_bytes: int = 0
    has_fused_qkv: bool = False
    recurrent_bytes_per_layer: int = 0
    """State that does not grow with the context; only where the memory rules are unknown."""

    @functools.cached_property
    def bytes_up_to(self) -> tuple[int, ...]:
        """Sums of `layer_bytes`: element i are the layers before i."""
        return (0, *itertools.accumulate(self.layer_bytes))

    @property
    def weights_bytes(self) -> int:
        """All weights, each once."""
        return self.bytes_up_to[-1] + self.embedding_bytes + self.output_bytes + self.shared_bytes

    @property
    def active_bytes(self) -> int:
        """Bytes read for each token: of experts only those in use, of embeddings one row."""
        weights = self.weights_bytes - (0 if self.tied_output else self.embedding_bytes)
        if not self.n_expert:
            return weights
        experts = sum(self.expert_bytes)
        return weights - experts + experts * self.n_expert_used // self.n_expert


def shape_from_header(header: Header) -> ModelShape:
    """The shape of a file, exact; `known` is False where the memory rules are not ours yet."""
    n_layers = int(header.get("block_count", 0))
    n_embd = int(header.get("embedding_length", 0))
    n_head = _largest(header.get("attention.head_count", 0))
    n_head_kv = _largest(header.get("attention.head_count_kv", n_head))
    head_length = n_embd // n_head if n_head else 0
    tensors = header.tensors
    parts = _sum_tensors(tensors, n_layers)
    names = {tensor.name for tensor in tensors}
    return ModelShape(
        architecture=header.architecture,
        known=memory_class(header) is MemoryClass.FULL,
        n_layers=n_layers,
        n_embd=n_embd,
        n_head=n_head,
        n_head_kv=n_head_kv,
        key_length=_largest(header.get("attention.key_length", head_length)),
        value_length=_largest(header.get("attention.value_length", head_length)),
        n_ff=_largest(header.get("feed_forward_length", 0)),
        n_vocab=_vocabulary(header),
        n_expert=int(header.get("expert_count", 0)),
        n_expert_used=_largest(header.get("expert_used_count", 0)),
        layer_bytes=parts.layers,
        embedding_bytes=parts.inputs,
        output_bytes=parts.output,
        tied_output="output.weight" not in names,
        context_length=header.get("context_length"),
        parameters=sum(tensor.elements for tensor in tensors),
        source="header",
        expert_bytes=parts.experts,
        n_ff_expert=_expert_width(tensors),
        shared_bytes=parts.shared,
        has_fused_qkv="blk.0.attn_qkv.weight" in names,
        recurrent_bytes_per_layer=_recurrent_bytes(header, n_embd),
    )


@dataclass
class _Parts:
    layers: tuple[int, ...]
    experts: tuple[int, ...]
    inputs: int = 0
    output: int = 0
    shared: int = 0


def _sum_tensors(tensors: Iterable[TensorInfo], n_layers: int) -> _Parts:
    layers, experts = [0] * n_layers, [0] * n_layers
    parts = _Parts((), ())
    for tensor in tensors:
        size = -(-tensor.size_bytes // _BUFFER_ALIGNMENT) * _BUFFER_ALIGNMENT
        match = _LAYER.match(tensor.name)
        base = tensor.name.partition(".")[0]
        if match and int(match[1]) < n_layers:
            layers[int(match[1])] += size
            if _EXPERTS.match(tensor.name):
                experts[int(match[1])] += size
        elif base in _EVERY_DEVICE:
            parts.shared += size
        elif base.startswith(_INPUT):
            parts.inputs += size
        else:
            parts.output += size
    parts.layers, parts.experts = tuple(layers), tuple(experts)
    return parts


def _largest(value: Any) -> int:
    return int(max(value, default=0)) if isinstance(value, tuple) else int(value)


def _vocabulary(header: Header) -> int:
    for tensor in header.tensors:
        if tensor.name in ("output.weight", "token_embd.weight") and len(tensor.shape) == 2:
            return tensor.shape[1]
    count = header.array_lengths.get("tokenizer.ggml.tokens", header.get("vocab_size", 0))
    return int(count)


def _expert_width(tensors: Iterable[TensorInfo]) -> int:
    for tensor in tensors:
        if ".ffn_down_exps." in tensor.name:
            return tensor.shape[0]
    return 0


def _recurrent_bytes(header: Header, n_embd: int) -> int:
    """An upper bound of one layer's state for one sequence, from whatever keys there are."""
    inner = _largest(header.get("ssm.inner_size", 0))
    state = _largest(header.get("ssm.state_size", 0))
    groups = _largest(header.get("ssm.group_count", 0))
    kernel = _largest(header.get("ssm.conv_kernel", 0))
    elements = max(kernel - 1, 0) * (inner + 2 * groups * state) + state * inner
    head_size = _largest(header.get("wkv.head_size", 0))
    elements += n_embd * (head_size + 2) if head_size else 0
    elements += n_embd * _largest(header.get("shortconv.l_cache", 0))
    elements += n_embd * _largest(header.get("kda.head_dim", 0)) * 2
    return _RECURRENT_STATE_BYTES * elements

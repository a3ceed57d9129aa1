"""What a model's tensors weigh, part by part, and what their shapes tell of its graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openshelf.fit.repacking import grown_bytes, is_stacked
from openshelf.gguf.tensors import TensorInfo

_LAYER = re.compile(r"blk\.(\d+)\.")
_EXPERTS = re.compile(r"blk\.\d+\.ffn_(?:up|down|gate|gate_up)_(?:ch)?exps\.")
_INPUT = ("token_embd", "position_embd", "token_types", "per_layer_token_embd")
_FIRST_LAYER = "token_embd_norm"
"""llama.cpp has this norm where the first layer is."""
_EVERY_DEVICE = ("rope_freqs", "rope_factors_long", "rope_factors_short")
_BUFFER_ALIGNMENT = 32


@dataclass
class TensorSums:
    """Bytes per layer, and of those the experts'; of inputs, output and what every device holds.

    `grown` and `output_grown` are what layers and output take more where a processor has AMX;
    `has_stacked` is repacking.is_stacked of any that is no expert.
    """

    layers: tuple[int, ...]
    experts: tuple[int, ...]
    grown: tuple[int, ...] = ()
    output_grown: int = 0
    has_stacked: bool = False
    inputs: int = 0
    output: int = 0
    shared: int = 0

    def move_to_output(self, tensors: Iterable[TensorInfo], base: str) -> None:
        """What counts with the first layer elsewhere."""
        moved = sum(buffer_bytes(t) for t in tensors if t.name.partition(".")[0] == base)
        if self.layers:
            self.layers = (self.layers[0] - moved, *self.layers[1:])
            self.output += moved


def buffer_bytes(tensor: TensorInfo) -> int:
    """What it takes in a buffer of llama.cpp's."""
    return -(-tensor.size_bytes // _BUFFER_ALIGNMENT) * _BUFFER_ALIGNMENT


def sum_tensors(
    tensors: Iterable[TensorInfo], n_layers: int, *, skips_appended: bool = False
) -> TensorSums:
    """`skips_appended`: layers behind the last, which predict further tokens, are not loaded."""
    layers, experts, grown = [0] * n_layers, [0] * n_layers, [0] * n_layers
    parts = TensorSums((), ())
    for tensor in tensors:
        size = buffer_bytes(tensor)
        match = _LAYER.match(tensor.name)
        base = tensor.name.partition(".")[0]
        if match and int(match[1]) < n_layers:
            layers[int(match[1])] += size
            grown[int(match[1])] += grown_bytes(tensor.type_name, tensor.shape)
            if _EXPERTS.match(tensor.name):
                experts[int(match[1])] += size
            elif is_stacked(tensor.type_name, tensor.shape):
                parts.has_stacked = True
        elif match and skips_appended:
            continue
        elif base in _EVERY_DEVICE:
            parts.shared += size
        elif base == _FIRST_LAYER and layers:
            layers[0] += size
        elif base.startswith(_INPUT):
            parts.inputs += size
        else:
            parts.output += size
            parts.output_grown += grown_bytes(tensor.type_name, tensor.shape)
    parts.layers, parts.experts, parts.grown = tuple(layers), tuple(experts), tuple(grown)
    return parts


def has_gate(tensors: Iterable[TensorInfo]) -> bool:
    """Whether the feed-forward part has a gate, be it half of a twice as wide projection."""
    up = next((t for t in tensors if ".ffn_up.weight" in t.name), None)
    down = next((t for t in tensors if ".ffn_down.weight" in t.name), None)
    if up is None or down is None or len(up.shape) < 2 or up.shape[1] != down.shape[0]:
        return True
    return any(".ffn_gate.weight" in t.name for t in tensors)


def width_of(tensors: Iterable[TensorInfo], part: str) -> int:
    """Elements that go into the widest tensor with `part` in its name; 0 without one."""
    return max((tensor.shape[0] for tensor in tensors if part in tensor.name), default=0)


@dataclass(frozen=True)
class TensorFacts:
    """What tensors tell of a model: the bytes of its parts, their widths, and which there are."""

    sums: TensorSums
    parameters: int
    n_vocab: int
    """0 where no tensor tells."""
    n_ff: int
    n_ff_expert: int
    n_ff_shared: int
    table_bytes: int
    table_type: str
    table_grown: int
    tied_output: bool
    has_fused_qkv: bool
    has_dense_layers: bool
    has_post_norm: bool
    has_expert_bias: bool
    has_gate: bool


def tensor_facts(tensors: Sequence[TensorInfo], sums: TensorSums, parameters: int) -> TensorFacts:
    """The facts of a model with these tensors (of equal layers one is enough)."""
    names = {tensor.name for tensor in tensors}
    table = next((tensor for tensor in tensors if tensor.name == "token_embd.weight"), None)
    return TensorFacts(
        sums=sums,
        parameters=parameters,
        n_vocab=_vocabulary(tensors),
        n_ff=width_of(tensors, ".ffn_down.weight"),
        n_ff_expert=width_of(tensors, ".ffn_down_exps."),
        n_ff_shared=width_of(tensors, ".ffn_down_shexp."),
        table_bytes=buffer_bytes(table) if table else 0,
        table_type=table.type_name if table else "",
        table_grown=grown_bytes(table.type_name, table.shape) if table else 0,
        tied_output="output.weight" not in names,
        has_fused_qkv="blk.0.attn_qkv.weight" in names,
        has_dense_layers=any(name.endswith(".ffn_down.weight") for name in names),
        has_post_norm="blk.0.post_ffw_norm.weight" in names,
        has_expert_bias=any(name.endswith(".ffn_down_exps.bias") for name in names),
        has_gate=has_gate(tensors),
    )


def _vocabulary(tensors: Iterable[TensorInfo]) -> int:
    for tensor in tensors:
        if tensor.name in ("output.weight", "token_embd.weight") and len(tensor.shape) == 2:
            return tensor.shape[1]
    return 0

"""The compute buffer of a device: the most of llama.cpp's activations that are alive at once.

Each phase of the graph (attention, feed-forward, logits) is worked out for a full ubatch, and the
largest counts; fit.md §2 has the derivation, tests/fit the comparison with llama.cpp itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from openshelf.fit.shapes import ModelShape

_POSITION_BYTES = 4
_INDEX_BYTES = 8
_PIPELINE_COPIES = 4
_SMALLEST_ROTATION = 64
_UNKNOWN_FACTOR = 2
"""An unknown graph gets this many times the plain one's buffer, as an upper bound."""


@dataclass(frozen=True)
class Step:
    """One evaluation: `ubatch` tokens, `cells` of the cache, `outputs` rows of logits."""

    ubatch: int
    cells: int
    outputs: int
    has_flash_attention: bool
    rotates_k: bool = False
    """A quantized cache is rotated first, by a matrix that is an input."""
    rotates_v: bool = False

    @property
    def mask_bytes(self) -> int:
        return self.cells * self.ubatch * (2 if self.has_flash_attention else 4)

    @property
    def row_bytes(self) -> int:
        """Bytes of one f32 activation for all tokens of the step."""
        return 4 * self.ubatch


@dataclass(frozen=True)
class Part:
    """What of the model a device holds."""

    has_layers: bool
    has_input: bool
    has_output: bool
    receives: bool = False
    """Its first layer gets its input from another device."""


def graph_inputs(shape: ModelShape, step: Step) -> int:
    """Positions, cache indices and rotations: small inputs of every device with layers."""
    index_rows = 1 if step.has_flash_attention else shape.n_head_kv * shape.value_length
    size = step.ubatch * (_POSITION_BYTES + _INDEX_BYTES * (1 + index_rows))
    if step.rotates_k:
        size += 4 * _rotation(shape.key_length) ** 2
    if step.rotates_v:
        size += 4 * _SMALLEST_ROTATION**2
    return size


def _rotation(length: int) -> int:
    """The largest power of two from 64 on that divides a head."""
    side = _SMALLEST_ROTATION
    while length % (2 * side) == 0:
        side *= 2
    return side


def output_ids(step: Step) -> int:
    return max(32, step.outputs * _POSITION_BYTES)


def attention_phase(shape: ModelShape, step: Step) -> int:
    queries = shape.n_head * shape.key_length
    keys = shape.n_head_kv * shape.key_length
    size = step.mask_bytes + step.row_bytes * (2 * shape.n_embd + 2 * queries + 2 * keys)
    if not step.has_flash_attention:
        size += shape.n_head * step.cells * step.row_bytes
    return size


def feed_forward_phase(shape: ModelShape, step: Step) -> int:
    width = 2 * shape.n_embd
    if not shape.has_fused_qkv:
        width += shape.n_head * shape.key_length
    if shape.n_expert:
        used = max(1, shape.n_expert_used)
        width += 3 * used * shape.n_ff_expert
        if shape.n_embd > 2 * shape.n_ff_expert:
            width += used * shape.n_embd
    else:
        width += 3 * shape.n_ff
    return step.mask_bytes + step.row_bytes * width


def logits_phase(shape: ModelShape, step: Step, inputs: int) -> int:
    size = 4 * step.outputs * shape.n_vocab
    # where the last layer's freed block is too small for the logits, they land behind it
    if shape.has_fused_qkv:
        return size + step.mask_bytes + step.row_bytes * 3 * shape.n_embd + inputs
    if shape.n_head * shape.key_length < shape.n_embd:
        behind = step.row_bytes * (shape.n_ff + 2 * shape.n_embd)
        return size + step.mask_bytes + behind + inputs
    return size + 4 * step.outputs * shape.n_embd


def compute_buffer(shape: ModelShape, step: Step, part: Part) -> int:
    """Bytes of the compute buffer of a device that holds `part`."""
    hidden = shape.n_embd * step.row_bytes
    inputs = graph_inputs(shape, step)
    inputs += output_ids(step) if part.has_output or part.has_input else 0
    phases = [0]
    if part.has_layers:
        layers = max(attention_phase(shape, step), feed_forward_phase(shape, step))
        phases.append(layers + inputs)
    if part.has_output:
        phases.append(logits_phase(shape, step, inputs))
    size = max(phases)
    if part.has_input:
        # token ids, and the embeddings of all tokens, which stay until the first layer took them
        size += step.ubatch * _POSITION_BYTES
        size += hidden if part.has_layers else 2 * hidden + step.mask_bytes + inputs
        if part.has_output and step.rotates_k:
            size += hidden  # a rotated copy, in some layouts of the allocator
    return size if shape.known else size * _UNKNOWN_FACTOR


def pipeline_buffer(shape: ModelShape, step: Step, part: Part) -> int:
    """The same with several GPUs in a pipeline: inputs are kept in four copies."""
    hidden = shape.n_embd * step.row_bytes
    inputs = step.mask_bytes + graph_inputs(shape, step)
    inputs += output_ids(step) if part.has_output or part.has_input else 0
    copied = _PIPELINE_COPIES * inputs
    if not part.has_layers:
        copied += _PIPELINE_COPIES * step.ubatch * _POSITION_BYTES
        copied += (_PIPELINE_COPIES + 1) * hidden
        return copied if shape.known else copied * _UNKNOWN_FACTOR
    layers = max(attention_phase(shape, step), feed_forward_phase(shape, step)) - step.mask_bytes
    phases = max(layers, logits_phase(shape, step, 0) if part.has_output else 0)
    states = 2 if part.receives else 1
    size = phases + copied + _PIPELINE_COPIES * states * hidden
    return size if shape.known else size * _UNKNOWN_FACTOR

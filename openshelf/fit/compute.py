"""The compute buffer of a device: the most of llama.cpp's activations that are alive at once.

The largest of a graph's phases (`phases`) counts, with the inputs of the device that holds it.
"""

from __future__ import annotations

from openshelf.fit.architectures import (
    BOTH_IN_EVERY_LAYER,
    LOOPED,
    NO_FEED_FORWARD_LAYERS,
    PLAIN_ARCHITECTURES,
)
from openshelf.fit.graphs import (
    ADDED_AT_LAST,
    KEPT_LATE,
    LAST_NORM_APART,
    LATE_OUTPUTS,
    LOGITS_TWICE,
    MIXED_APART,
    NO_LOGITS,
    POSITIONS_ADDED,
    ROTATED_APART,
    SCORES_PER_INDEXER,
)
from openshelf.fit.losses import lost_rows
from openshelf.fit.parts import Part, Step
from openshelf.fit.phases import (
    attention_phase,
    feed_forward_phase,
    graph_inputs,
    layers_phase,
    logits_phase,
    mask_bytes,
    moved_experts_on_cpu,
    output_ids,
    rotated_rows,
)
from openshelf.fit.repacking import NO_OUTPUT_LAYER
from openshelf.fit.shapes import ModelShape

_POSITION_BYTES = 4
_PIPELINE_COPIES = 4
_COPIES_OF_LOOPS = 12
_SENT = 8
_LOST_BY_CONVOLUTION = 4
_STATES_OF_GEMMA3N = 10
_STREAMS_OF_GEMMA3N = 4
_INDEXED_COPIES = 8
_UNKNOWN_FACTOR = 2
"""An unknown graph gets this many times the plain one's buffer, as an upper bound."""

_ROTATED_IN_PIPELINES = ROTATED_APART | KEPT_LATE
_ONE_MORE_LATE = KEPT_LATE | NO_OUTPUT_LAYER


def compute_buffer(shape: ModelShape, step: Step, part: Part) -> int:
    """Bytes of the compute buffer of a device that holds `part`."""
    hidden = shape.n_embd * step.row_bytes
    if part.has_output and not (part.has_layers or part.has_input):
        return _output_alone(shape, step, part, 1)
    masks = mask_bytes(step, part.input_kinds or part.kinds)
    inputs = graph_inputs(shape, step, part.input_kinds or part.kinds)
    inputs += output_ids(step) if part.has_output or part.has_input else 0
    if part.runs_experts_only and shape.known:
        # the embeddings and masks are sent on before the first experts run
        experts = moved_experts_on_cpu(shape, step, masks)
        size = max((2 + shape.deepstack) * hidden, experts + shape.deepstack * hidden)
        return step.ubatch * _POSITION_BYTES + size + masks + inputs
    phases = [0]
    if part.has_layers:
        layers = layers_phase(shape, step, part) + lost_rows(shape, step, part)
        if not part.has_input:
            layers += rotated_rows(shape, step, part) + _apart(shape, step, part) * hidden
        phases.append(layers + masks + inputs)
    if part.has_output and shape.architecture not in NO_LOGITS:
        phases.append(logits_phase(shape, step, part, inputs))
    size = max(phases)
    if step.rotates_k != step.rotates_v and shape.architecture in MIXED_APART:
        size += hidden
    queries = shape.n_head * shape.key_length
    if _has_room_for_input(shape, step, part):
        size -= hidden
    if part.has_input:
        # token ids, and the embeddings of all tokens, which stay until the first layer took them
        size += step.ubatch * _POSITION_BYTES
        size += hidden if part.has_layers else 2 * hidden + masks + inputs
        size += hidden if _adds_positions(shape) and not part.has_layers else 0
        has_logits = part.has_output and step.outputs > 1
        if has_logits and (step.rotates_k or shape.has_post_norm):
            size += hidden  # a rotated copy, in some layouts of the allocator
        elif part.has_layers and step.rotates_k and shape.architecture in ROTATED_APART:
            size += hidden
        elif part.has_layers and step.rotates_k and 0 < queries < shape.n_embd:
            size += queries * step.row_bytes if shape.state is None else hidden
        size += (1 + part.has_layers) * shape.deepstack * hidden
    elif shape.deepstack:
        size += _deepstack_rows(shape, part) * hidden
    return size if shape.known else _bound(shape, step, size)


def _adds_positions(shape: ModelShape) -> bool:
    return shape.architecture in POSITIONS_ADDED


def _deepstack_rows(shape: ModelShape, part: Part) -> int:
    """Copies that a GPU with one of the first layers gets of the embeddings and of what is added
    to them: each as wide as all of them together."""
    width = 1 + shape.deepstack
    if not part.starts_late:
        return width
    return width * max(0, width - part.first_layer)


def _has_room_for_input(shape: ModelShape, step: Step, part: Part) -> bool:
    """Of a plain block with a rotated cache, the feed-forward part takes the place of the input."""
    if not (part.has_layers and shape.architecture in PLAIN_ARCHITECTURES):
        return False
    if not (step.rotates_k and step.rotates_v):
        return False
    if step.outputs > 1 or shape.n_expert or shape.has_fused_qkv or shape.deepstack:
        return False
    if part.starts_late or part.has_last_layer_only:
        return False
    if shape.n_head * shape.key_length != shape.n_embd or shape.architecture in LAST_NORM_APART:
        return False
    attention = attention_phase(shape, step, part.kinds)
    return feed_forward_phase(shape, step) >= attention + shape.n_embd * step.row_bytes


def _rotated_apart(shape: ModelShape, step: Step) -> int:
    return int(step.rotates_k and shape.architecture in _ROTATED_IN_PIPELINES)


def _apart(shape: ModelShape, step: Step, part: Part) -> int:
    """Activations that few graphs leave alive besides, on a device that has not the inputs."""
    if shape.architecture in ROTATED_APART:
        return step.rotates_k + part.starts_late
    return int(part.starts_late and shape.architecture in _ONE_MORE_LATE)


def _output_alone(shape: ModelShape, step: Step, part: Part, copies: int) -> int:
    """A device with the output layer and no other gets the rows that are asked for, `copies` times;
    of some graphs llama.cpp leaves the last layer's end to it, with the rows of all tokens."""
    size = 4 * step.outputs * (shape.n_vocab + copies * shape.n_embd)
    late = _late_rows(shape, part, copies)
    if late:
        late_size = (late * shape.n_embd + 1) * step.row_bytes
        if step.outputs > 1 or part.receives:
            size += late_size
        else:
            size = max(size, late_size + 8 * shape.n_embd + output_ids(step))
    return size if shape.known else _bound(shape, step, size, 2 * copies)


def _late_rows(shape: ModelShape, part: Part, copies: int) -> int:
    """Activations of all tokens that the output's device gets, before it picks those asked for;
    what is left of the last layer comes from the CPU, and of few graphs from another GPU."""
    is_picking = shape.is_gated or shape.architecture in LATE_OUTPUTS
    if part.receives:
        if not is_picking or (shape.is_parallel and not shape.n_expert):
            return 0
        if shape.placed_layers > shape.n_layers:
            return 1
        return copies + (shape.architecture in LOOPED)
    if shape.has_expert_bias:
        return 6
    if shape.architecture in ADDED_AT_LAST:
        return ADDED_AT_LAST[shape.architecture]
    if shape.is_parallel:
        return (2 if shape.n_expert else 1) if is_picking else 0
    if is_picking or shape.memory_class == "recurrent":
        return 3 if shape.n_expert else 2
    return 0


def _bound(shape: ModelShape, step: Step, size: int, copies: int = 1) -> int:
    """More than any graph that is not known was seen to take; what goes from device to device is
    there `copies` times."""
    size *= _UNKNOWN_FACTOR
    if copies > 1 or shape.architecture == "gemma3n":
        streams = _STREAMS_OF_GEMMA3N if shape.architecture == "gemma3n" else 0
        size += (copies + 1) * step.row_bytes * (streams * shape.n_embd + shape.layer_inputs)
    if shape.indexer_heads:
        # of all cells, and their order
        scores = 1 if shape.architecture == "deepseek4" else 2
        if shape.architecture in SCORES_PER_INDEXER:
            scores = shape.indexer_heads // 2 + _INDEXED_COPIES
        size += scores * step.cells * step.row_bytes
    if shape.architecture == "t5":  # its decoder sees a text as long as it was trained on
        seen = shape.context_length or step.cells
        size += 2 * shape.n_head * step.cells * step.row_bytes
        size += seen * (16 * shape.n_embd + step.row_bytes * (1 + shape.n_head))
    if shape.architecture in LOGITS_TWICE:
        size += 4 * step.outputs * shape.n_vocab
    if shape.architecture == "gemma3n":  # four states side by side
        size += _STATES_OF_GEMMA3N * shape.n_embd * step.row_bytes
    if shape.architecture == "t5encoder":
        size += 4 * shape.n_head * step.ubatch * step.row_bytes
    return size


def pipeline_buffer(shape: ModelShape, step: Step, part: Part) -> int:
    """The same with several GPUs in a pipeline: inputs are kept in four copies."""
    hidden = shape.n_embd * step.row_bytes
    if part.has_output and not (part.has_layers or part.has_input):
        return _output_alone(shape, step, part, _PIPELINE_COPIES + 1)
    kinds = part.input_kinds or part.kinds
    inputs = mask_bytes(step, kinds) + graph_inputs(shape, step, kinds)
    inputs += output_ids(step) if part.has_output or part.has_input else 0
    copied = _PIPELINE_COPIES * inputs
    if not part.has_layers:
        copied += _PIPELINE_COPIES * step.ubatch * _POSITION_BYTES
        copied += (1 + _PIPELINE_COPIES * (1 + shape.deepstack)) * hidden
        copied += hidden if _adds_positions(shape) else 0
        return copied if shape.known else _bound(shape, step, copied, _PIPELINE_COPIES)
    has_inputs = not part.starts_late
    part = part._replace(first_layer=0)
    phases = layers_phase(shape, step, part) + rotated_rows(shape, step, part)
    if _has_room_for_input(shape, step, part) or part.has_last_layer_only:
        phases -= hidden
    if part.has_output:
        phases = max(phases, logits_phase(shape, step, part, 0))
    phases += (_lost_in_pipeline(shape, step, part) + _rotated_apart(shape, step)) * hidden
    states = 2 if part.receives else 1
    if has_inputs and shape.deepstack:
        phases += _deepstack_rows(shape, part) * hidden
    elif has_inputs and _adds_positions(shape):
        copied += _PIPELINE_COPIES * hidden
    size = phases + copied + _PIPELINE_COPIES * states * hidden
    return size if shape.known else _bound(shape, step, size, 2 + 2 * _PIPELINE_COPIES)


def _lost_in_pipeline(shape: ModelShape, step: Step, part: Part) -> int:
    """Activations that pipelines of state layers were seen to lose between blocks, and those that
    go from a layer's device to that of its weights and back, where layers are run in loops."""
    if shape.architecture in LOOPED:
        return _COPIES_OF_LOOPS * part.foreign_layers
    if shape.has_short_convolution and not shape.n_expert:
        return _LOST_BY_CONVOLUTION
    if shape.memory_class == "recurrent" or shape.architecture in NO_FEED_FORWARD_LAYERS:
        return 20 if part.receives else _SENT * part.sends
    is_dense_hybrid = shape.memory_class == "hybrid" and not (shape.n_expert or shape.is_gated)
    if not is_dense_hybrid:
        is_beside = shape.has_post_norm and not step.has_flash_attention
        return int(is_beside or (shape.is_parallel and shape.n_expert > 0 and step.rotates_k))
    if shape.architecture in BOTH_IN_EVERY_LAYER:
        return 2
    return 17 if part.receives else _SENT * part.sends

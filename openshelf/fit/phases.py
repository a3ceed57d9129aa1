"""The activations that are alive in each phase of llama.cpp's graphs, worked out for one ubatch.

tests/fit has the comparison with llama.cpp itself.
"""

from __future__ import annotations

from openshelf.fit.architectures import BOTH_IN_EVERY_LAYER
from openshelf.fit.graphs import (
    LAST_NORM_APART,
    LATE_OUTPUTS,
    NO_FIRST_NORM,
    SHARED_CACHES,
)
from openshelf.fit.losses import lost_beside_scores
from openshelf.fit.parts import WHOLE, LayerKinds, Part, Step
from openshelf.fit.shapes import ModelShape

_POSITION_BYTES = 4
_INDEX_BYTES = 8
_SMALLEST_ROTATION = 64
_CONVOLUTION_REACH = 3
"""Tokens before that a state-space layer's convolution sees."""
_RWKV_ROWS = 18
"""Activations as wide as the embedding while RWKV mixes tokens."""
_CONVOLUTION_ROWS = 13
"""Half activations of a short convolution, what it keeps of tokens before among them."""
_GATED_ALONE = 7

_PICKING_LATE = SHARED_CACHES | LATE_OUTPUTS
_KEEPING_QUERIES = NO_FIRST_NORM | SHARED_CACHES


def layer_kinds(shape: ModelShape, layers: range) -> LayerKinds:
    """The kinds among some layers; among all where there are none (their experts are)."""
    is_shared = shape.architecture in SHARED_CACHES  # a layer without a cache attends all the same
    whole = range(shape.n_layers) if is_shared or not layers else layers
    _, _, full, _, _, windowed, state = shape.layer_caches.within(whole)
    return LayerKinds(full > 0 or shape.has_no_cache, windowed > 0, state > 0)


def mask_bytes(step: Step, kinds: LayerKinds) -> int:
    cells = step.cells * kinds.has_full + step.window_cells * kinds.has_windowed
    return cells * step.ubatch * (2 if step.has_flash_attention and step.has_cache else 4)


def graph_inputs(shape: ModelShape, step: Step, kinds: LayerKinds) -> int:
    """Positions, cache indices and rotations: small inputs of every device with layers."""
    index_rows = 1 if step.has_flash_attention else shape.n_head_kv * shape.value_length
    if shape.latent is not None:
        index_rows = 0
    size = step.ubatch * (
        shape.positions * _POSITION_BYTES + kinds.caches * _INDEX_BYTES * (1 + index_rows)
    )
    if step.rotates_k:
        size += kinds.caches * 4 * _rotation(shape.key_length) ** 2
    if step.rotates_v and shape.latent is None:
        size += kinds.caches * 4 * _SMALLEST_ROTATION**2
    return size


def _rotation(length: int) -> int:
    """The largest power of two from 64 on that divides a head."""
    side = _SMALLEST_ROTATION
    while length % (2 * side) == 0:
        side *= 2
    return side


def output_ids(step: Step) -> int:
    return max(32, step.outputs * _POSITION_BYTES)


def attention_phase(shape: ModelShape, step: Step, kinds: LayerKinds) -> int:
    """Bytes of the activations besides masks while a layer attends."""
    if not kinds.caches:
        return 0
    if shape.latent is not None:
        latent = shape.latent
        heads = 2 * latent.rank + 2 * latent.rotated + latent.key_length
        width = shape.n_head * heads + 3 * shape.n_embd
    else:
        queries = shape.n_head * shape.key_length
        width = 2 * shape.n_embd + 2 * queries + 2 * shape.n_head_kv * shape.key_length
        width += queries if shape.is_gated else 0
    size = step.row_bytes * width
    if not step.has_flash_attention:
        scores = shape.n_head * step.window_cells
        if kinds.has_full:
            scores = max(scores * kinds.has_windowed, shape.heads_of_full_layers * step.cells)
        size += scores * step.row_bytes * (2 if shape.has_no_cache and shape.known else 1)
        if shape.latent is not None:
            size += mask_bytes(step, kinds) // 2  # lost between blocks, in some layouts
    return size


def feed_forward_phase(shape: ModelShape, step: Step, part: Part = WHOLE) -> int:
    """Bytes of the activations of the widest feed-forward part, dense or of experts."""
    width = 2 * shape.n_embd
    if shape.latent is not None:
        width += shape.n_head * shape.latent.value_length
    elif keeps_queries(shape) and not (part.starts_late and spares_queries(shape)):
        width += shape.n_head * shape.key_length
    if shape.is_parallel:
        width += shape.n_embd
    dense = (3 if shape.has_gate else 1) * shape.n_ff
    if shape.state is not None and shape.memory_class == "hybrid" and not shape.is_gated:
        dense += shape.n_embd + 2 * shape.n_head_kv * shape.key_length
    if not shape.n_expert or not part.has_experts:
        return step.row_bytes * (width + dense)
    used = max(1, shape.n_expert_used)
    experts = 3 * used * shape.n_ff_expert
    is_plain = shape.latent is None and not shape.n_ff_shared
    if is_plain and used * shape.n_ff_expert <= shape.n_embd:
        experts = max(2 * used * shape.n_ff_expert, used * shape.n_embd)  # the gated fit before
    elif shape.n_embd > 2 * shape.n_ff_expert or shape.latent is not None:
        experts += used * shape.n_embd
    if shape.n_ff_shared:
        experts += shape.n_embd  # their sum waits for the shared expert's
    return step.row_bytes * (width + max(experts, dense if _is_dense(shape, part) else 0))


def _is_dense(shape: ModelShape, part: Part) -> bool:
    return shape.has_dense_layers and part.has_dense


def keeps_queries(shape: ModelShape) -> bool:
    """Whether the block of the queries is still between others while the feed-forward part runs."""
    return not ((shape.has_fused_qkv and shape.has_gate) or shape.has_short_convolution)


def spares_queries(shape: ModelShape) -> bool:
    """Whether a device that starts behind the model's first layer does without that block: what it
    gets lies in the input of the copy. Seen of dense blocks that begin with a norm."""
    is_dense = not (shape.n_expert or shape.state or shape.is_parallel or shape.latent)
    return is_dense and shape.architecture not in _KEEPING_QUERIES


def state_phase(shape: ModelShape, step: Step, kinds: LayerKinds) -> int:
    """Bytes of the activations of a state-space layer, whose scan also returns the state."""
    state = shape.state
    if shape.wkv_head:
        mixed = _RWKV_ROWS * shape.n_embd + shape.wkv_head
        return step.row_bytes * mixed + 4 * 2 * shape.n_embd * shape.wkv_head
    if shape.has_short_convolution:
        return step.row_bytes * _CONVOLUTION_ROWS * shape.n_embd // 2
    if state is None:
        return 0
    held = state.state * state.inner
    window = 2 * _CONVOLUTION_REACH * state.channels
    if state.channels == state.inner:  # mamba of the first kind: no groups
        return step.row_bytes * 6 * state.inner + 4 * (held + window)
    common = shape.n_embd + 2 * state.channels + 3 * state.inner + state.heads
    if shape.is_gated:
        common += shape.n_embd if state.inner >= 2 * shape.n_embd else 0
        return step.row_bytes * common + 4 * (held + window)
    if shape.memory_class == "recurrent" and 4 * (state.channels - state.inner) < state.inner:
        common += shape.n_embd  # what groups leave between is too small for it
    after = step.row_bytes * (common + state.inner)
    if kinds.caches:
        # a block of another kind's that is left between; where every layer does both, a smaller one
        n_queries = 0 if shape.architecture in BOTH_IN_EVERY_LAYER else shape.n_head
        after += step.row_bytes * shape.key_length * (n_queries + 2 * shape.n_head_kv)
    scan = step.row_bytes * (common + shape.n_embd) + 4 * 2 * held
    return max(after, scan) + 4 * window


def logits_phase(shape: ModelShape, step: Step, part: Part, inputs: int) -> int:
    """Bytes when the logits of all outputs are there; only large where more than one is asked."""
    size = 4 * step.outputs * shape.n_vocab
    masks = mask_bytes(step, part.kinds)
    # where the last layer's freed block is too small for the logits, they land behind it
    if shape.n_ff_shared:
        return size + 4 * step.outputs * shape.n_embd * (2 * max(1, shape.n_expert_used) + 3)
    if shape.has_expert_bias:
        return size + 4 * step.outputs * shape.n_embd * 3
    if shape.is_parallel:
        return size + 4 * step.outputs * shape.n_embd * 2
    if shape.state is not None:
        return size + 4 * step.outputs * shape.n_embd * 3
    if shape.has_fused_qkv:
        return size + masks + step.row_bytes * 3 * shape.n_embd + inputs
    if shape.n_head * shape.key_length < shape.n_embd and not shape.has_post_norm:
        behind = step.row_bytes * (shape.n_ff + 2 * shape.n_embd)
        return size + masks + behind + inputs
    copies = 2 if shape.architecture in LAST_NORM_APART else 1
    return size + 4 * step.outputs * shape.n_embd * copies


def _moved_experts_phase(shape: ModelShape, step: Step, part: Part) -> int:
    """What a device holds while the CPU runs the experts: their results are added up on it."""
    head = shape.latent.value_length if shape.latent else shape.key_length
    width = 2 * shape.n_embd + shape.n_head * head
    if shape.is_parallel:
        width += 3 * shape.n_embd
    results = max(1, shape.n_expert_used) * shape.n_embd
    factor = 3 if shape.has_gate else 1
    sums = results + factor * shape.n_ff_shared
    if part.kinds.caches > 1 and not (shape.n_ff_shared or shape.has_expert_bias):
        sums += results + 2 * shape.n_embd  # the sums were seen not to take the copies' place
    dense = factor * shape.n_ff if _is_dense(shape, part) else 0
    return step.row_bytes * (width + max(sums, dense))


def moved_experts_on_cpu(shape: ModelShape, step: Step, masks: int) -> int:
    """Bytes of the activations of a CPU that runs the experts of layers on other devices."""
    used = max(1, shape.n_expert_used)
    width = used * shape.n_ff_expert
    rows = 2 * shape.n_embd + 3 * width
    if used * shape.n_embd > 2 * width:
        rows += used * shape.n_embd  # the results find no room where two of the three were
    if masks > width * step.row_bytes:
        rows += width  # lies where masks were, and parts the free block
    return step.row_bytes * rows


def rotated_rows(shape: ModelShape, step: Step, part: Part) -> int:
    """Bytes of the queries' copy where a quantized cache has them rotated; only narrow ones, as
    wider ones find a free block."""
    queries = shape.n_head * shape.key_length
    if part.has_last_layer_only or (part.starts_late and spares_queries(shape)):
        return 0
    is_apart = step.rotates_k and 0 < queries < shape.n_embd
    return step.row_bytes * queries if is_apart and shape.state is None else 0


def drops_rows(shape: ModelShape) -> bool:
    """Whether the last layer goes on behind its attention with the outputs alone."""
    if shape.is_gated or shape.has_expert_bias:
        return False
    return shape.architecture not in _PICKING_LATE


def layers_phase(shape: ModelShape, step: Step, part: Part) -> int:
    """The most of a layer's activations, masks not among them."""
    kinds = part.kinds
    if part.has_last_layer_only and not part.has_moved_experts:
        few = _last_layer_phase(shape, step, kinds)
        if few is not None:
            return few
    sizes = [state_phase(shape, step, kinds) if kinds.has_state else 0]
    attention = attention_phase(shape, step, kinds)
    if kinds.caches and not step.has_flash_attention:
        attention += lost_beside_scores(shape, part) * shape.n_embd * step.row_bytes
    if part.has_last_layer_only and shape.is_gated:
        attention += _GATED_ALONE * shape.n_embd * step.row_bytes
    if part.has_moved_experts:
        return max(*sizes, attention, _moved_experts_phase(shape, step, part))
    return max(*sizes, attention, feed_forward_phase(shape, step, part))


def _last_layer_phase(shape: ModelShape, step: Step, kinds: LayerKinds) -> int | None:
    """The same of a device with the model's last layer alone, which goes on behind its attention
    with the outputs alone; None where the graph does not."""
    if not drops_rows(shape):
        return None
    feed_forward = feed_forward_phase(shape, step._replace(ubatch=step.outputs))
    state = state_phase(shape, step, kinds) if kinds.has_state else 0
    attention = attention_phase(shape, step, kinds)
    if shape.latent is not None:
        attention += step.row_bytes * 2 * shape.n_head_kv * shape.key_length
    elif kinds.caches and step.has_flash_attention:
        queries = shape.n_head * shape.key_length
        keys = 2 * shape.n_head_kv * shape.key_length
        rotated = max(queries, keys)  # copies: of the queries first, then of the keys
        if shape.has_fused_qkv:
            rotated = keys + queries * (2 if step.rotates_k else 1)
        attention = step.row_bytes * (2 * shape.n_embd + queries + rotated)
    return max(state, attention, feed_forward)

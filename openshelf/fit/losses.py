"""What llama.cpp's allocator was seen to lose between blocks, in rows of activations.

A row is as wide as the embedding and as long as a step. Where a device has only a part of a model,
or the CPU runs the experts of its layers, blocks are freed in another order than in a whole model,
and what comes next may not fit between them. Of the models in tests/data/fit_truth_shapes.tsv the
one of a kind that loses most counts for all of it.
"""

from __future__ import annotations

from openshelf.fit.architectures import BOTH_IN_EVERY_LAYER, NO_FEED_FORWARD_LAYERS
from openshelf.fit.graphs import CHUNKED_EXPERTS, GATED_WINDOWS
from openshelf.fit.parts import Part, Step
from openshelf.fit.shapes import ModelShape

_ROWS_OF_OTHER_BRANCH = 5
_LOST_BY_LATENT = 4
_LOST_BY_GATED = 6
_LOST_BY_LAST_LAYER = 6
_LOST_BY_CONVOLUTION = 5


def lost_beside_scores(shape: ModelShape, part: Part) -> int:
    """Rows of activations that lie between free blocks, none of which holds the scores."""
    if shape.n_expert:
        is_parted = part.starts_late or part.has_some_moved_experts
        is_summed = shape.n_ff_shared > 0 and shape.latent is None
        return max(1, shape.n_expert_used) if is_parted or is_summed else 0
    if shape.architecture in BOTH_IN_EVERY_LAYER:
        return _ROWS_OF_OTHER_BRANCH
    return int(shape.has_post_norm)


def lost_rows(shape: ModelShape, step: Step, part: Part) -> int:
    """Bytes of mixtures that were seen to be lost between blocks where only a part of the layers,
    or of the experts, is on a device."""
    if part.has_input:
        return _lost_on_host(shape, step, part) * shape.n_embd * step.row_bytes
    if shape.latent is not None and part.has_some_moved_experts:
        rows = _LOST_BY_LATENT + part.starts_late + 2 * (shape.memory_class == "hybrid")
        return rows * shape.n_embd * step.row_bytes
    if part.has_moved_experts:
        late = max(1, shape.n_expert_used) if part.starts_late else 0
        is_gated = shape.is_gated or shape.architecture in GATED_WINDOWS
        late += _LOST_BY_GATED if is_gated else shape.state is not None
        late += shape.architecture in CHUNKED_EXPERTS
        return late * shape.n_embd * step.row_bytes
    if shape.latent is not None or not part.has_layers:
        return 0
    if part.has_last_layer_only:
        is_lost = shape.n_expert or shape.has_short_convolution
        return _LOST_BY_LAST_LAYER * shape.n_embd * step.row_bytes if is_lost else 0
    if not shape.n_expert:
        return _lost_by_states(shape, part) * shape.n_embd * step.row_bytes
    is_gated = shape.architecture in GATED_WINDOWS
    is_mixed = shape.state is not None or part.kinds.caches > 1
    rows = (10 if is_gated else 4) * shape.n_embd
    rows *= part.has_some_moved_experts and is_mixed
    if part.starts_late:
        is_wide = shape.n_embd <= 2 * shape.n_ff_expert and not shape.n_ff_shared
        is_wide = is_wide and not shape.has_expert_bias
        rows += (10 if is_wide else 4 if is_gated else 2) * shape.n_embd + 16
    if part.has_some_moved_experts and shape.has_expert_bias:
        rows += 4 * shape.n_embd
    return rows * step.row_bytes


def _lost_on_host(shape: ModelShape, step: Step, part: Part) -> int:
    """Rows where the CPU has the first layers."""
    rows = int(shape.architecture in BOTH_IN_EVERY_LAYER)
    if shape.latent is not None and shape.n_expert:
        rows += 0 if part.has_experts or part.has_one_layer else 2
    if part.has_output:
        return rows
    if shape.n_expert:
        is_square = shape.n_head * shape.key_length == shape.n_embd
        rows += shape.is_parallel or (step.rotates_k and is_square)
    if shape.architecture in NO_FEED_FORWARD_LAYERS:
        rows += 2
    is_beside = shape.has_post_norm or shape.deepstack > 0
    return rows + (is_beside and not step.has_flash_attention)


def _lost_by_states(shape: ModelShape, part: Part) -> int:
    """Rows that state layers were seen to keep of what another device sent them."""
    if shape.has_short_convolution:
        return 0 if part.has_output and not part.starts_late else _LOST_BY_CONVOLUTION
    if shape.architecture in BOTH_IN_EVERY_LAYER:
        return 3 if part.starts_late else 1
    if shape.memory_class != "recurrent" or shape.state is None:
        return 0
    return int(part.starts_late or shape.state.channels != shape.state.inner)

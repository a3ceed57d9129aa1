"""Which layers each device holds, and what that makes of the graph it runs.

Neither depends on the context or on the cache's types, so a model keeps its splits: a slider that
is moved over all rows asks for the same ones again.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from openshelf.fit.architectures import LOOPED, NO_FEED_FORWARD_LAYERS
from openshelf.fit.parts import Part
from openshelf.fit.phases import drops_rows, layer_kinds
from openshelf.fit.shapes import ModelShape

_MOST_KEPT = 256
"""Splits of one model; a search over all numbers of GPU layers asks for about a hundred."""


@dataclass(frozen=True)
class PlacedDevice:
    """A GPU that layers may go to; `share` is its part of the layers (any positive scale)."""

    name: str
    pool: str
    share: float = 1.0
    overhead_bytes: int = 0
    overhead_basis: str = ""


@dataclass(frozen=True)
class Placement:
    """Where layers go: `n_gpu_layers` counts the output layer; no devices = all on the CPU."""

    devices: tuple[PlacedDevice, ...] = ()
    n_gpu_layers: int = 0
    cpu_pool: str = "ram"
    cpu_features: tuple[str, ...] = ()
    """The processor's, which decide what is kept twice (repacking.py)."""


def layer_spans(n_layers: int, placement: Placement) -> tuple[range, ...]:
    """Which layers each device holds, the CPU's first; layer `n_layers` is the output.

    llama.cpp fills back to front: the last `n_gpu_layers` leave the CPU, and each goes to the first
    device whose cumulative share exceeds its place among them.
    """
    on_gpu = min(max(placement.n_gpu_layers, 0), n_layers + 1) if placement.devices else 0
    first = n_layers + 1 - on_gpu
    if len(placement.devices) == 1:
        return range(first), range(first, n_layers + 1)
    return _spans(first, on_gpu, tuple(device.share for device in placement.devices))


@functools.lru_cache(maxsize=4096)
def _spans(first: int, on_gpu: int, parts: tuple[float, ...]) -> tuple[range, ...]:
    shares = list(itertools.accumulate(parts))
    owners = [
        min(bisect.bisect_right(shares, shares[-1] * place / on_gpu), len(shares) - 1)
        for place in range(on_gpu)
    ]
    ends = [bisect.bisect_right(owners, index) for index in range(-1, len(parts))]
    return range(first), *(range(first + a, first + b) for a, b in itertools.pairwise(ends))


def split(
    shape: ModelShape, spans: tuple[range, ...], experts_on_cpu: int
) -> tuple[tuple[range, Part], ...]:
    """For each span of `layer_spans`, the CPU's first: the layers that the model really has of it,
    and what the device runs."""
    kept = shape.splits
    key = (spans, experts_on_cpu)
    parts = kept.get(key)
    if parts is None:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        parts = kept[key] = tuple(_parts(shape, spans, experts_on_cpu))
    return parts


def _parts(shape: ModelShape, spans: tuple[range, ...], kept: int) -> Iterator[tuple[range, Part]]:
    has_cpu_experts = shape.experts_within(spans[0].stop, kept) > 0
    foreign = _foreign_layers(shape, spans)
    whole = layer_kinds(shape, range(shape.n_layers))
    for index, span in enumerate(spans):
        layers = range(min(span.start, shape.n_layers), min(span.stop, shape.n_layers))
        is_parted = 0 < len(layers) < shape.n_layers
        last = layers.stop - (layers.stop == shape.n_layers and drops_rows(shape))
        part = Part(
            has_layers=bool(layers) or (not index and has_cpu_experts),
            has_input=not index,
            has_output=span.start <= shape.placed_layers < span.stop,
            receives=index > 1,
            sends=bool(layers) and index < len(spans) - 1 and layers.stop < shape.n_layers,
            kinds=layer_kinds(shape, _attended(shape, layers)) if is_parted else whole,
            input_kinds=None if index else whole,
            has_experts=not layers or _has_experts(shape, layers),
            has_dense=shape.has_dense_layers
            and not all(shape.expert_bytes[layers.start : layers.stop]),
            first_layer=span.start,
            has_some_moved_experts=has_cpu_experts,
            has_moved_experts=bool(index and layers) and has_cpu_experts and kept >= last,
            foreign_layers=foreign,
            runs_experts_only=not index and not layers and has_cpu_experts,
            has_one_layer=len(layers) == 1,
            has_last_layer_only=bool(layers) and layers.start == shape.n_layers - 1,
        )
        yield layers, part


def _foreign_layers(shape: ModelShape, spans: tuple[range, ...]) -> int:
    """Runs of layers on another device than that with their weights; of loops only."""
    if shape.architecture not in LOOPED:
        return 0
    owners = [index for index, span in enumerate(spans) for _ in span]
    loop = sum(map(bool, shape.layer_bytes)) or 1
    return 1 + sum(owners[layer] != owners[layer % loop] for layer in range(shape.n_layers))


def _attended(shape: ModelShape, layers: range) -> range:
    """The layers whose kinds count on a device: of few graphs llama.cpp's scheduler moves the end
    of the layer before to it."""
    is_parted = shape.has_short_convolution or shape.architecture in NO_FEED_FORWARD_LAYERS
    if not (layers and layers.start and is_parted):
        return layers
    return range(layers.start - 1, layers.stop)


def _has_experts(shape: ModelShape, layers: range) -> bool:
    return not shape.expert_bytes or shape.experts_within(layers.start, layers.stop) > 0

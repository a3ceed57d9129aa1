"""What one token costs a model as it is placed: bytes that each device reads, and operations."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from openshelf.engine.protocol import Plan
from openshelf.fit.memory import (
    DeviceMemory,
    FitRequest,
    ModelShape,
    PlacedDevice,
    Placement,
    kv_cache_bytes,
    layer_spans,
)


@dataclass(frozen=True)
class Workload:
    """`devices` are those that `plan` puts the model on, the CPU first."""

    shape: ModelShape
    devices: tuple[DeviceMemory, ...]
    plan: Plan

    def read_bytes(self, used_tokens: int) -> tuple[int, ...]:
        """Bytes per device for the token after `used_tokens` others: weights, and what is kept of
        those before; states are read and written."""
        plan = self.plan
        request = FitRequest(
            min(max(1, used_tokens), plan.context_length),
            plan.kv_type_k,
            plan.kv_type_v,
            batch=plan.batch,
            ubatch=plan.ubatch,
            flash_attention=plan.flash_attention,
        )
        return tuple(
            weights + kept_bytes(self.shape, request, span)
            for weights, span in zip(self._weights, self._spans, strict=True)
        )

    def operations(self, used_tokens: int) -> int:
        """Per token of a prompt: two for each parameter in use, and the attention to
        `used_tokens` before it."""
        shape = self.shape
        parameters = shape.parameters or shape.weights_bytes * 8 * 2 // 9  # 4.5 bits each
        active = parameters * shape.active_bytes // max(1, shape.weights_bytes)
        caches = shape.layer_caches
        _, _, full, _, _, windowed, _ = caches.within(range(shape.n_layers))
        seen = full * used_tokens + windowed * min(used_tokens, caches.window)
        length = shape.latent.key_length if shape.latent else shape.key_length
        return int(2 * active + 4 * shape.n_head * length * seen)

    @functools.cached_property
    def _spans(self) -> tuple[range, ...]:
        gpus = self.devices[1:]
        shares = self.plan.tensor_split or (1.0,) * len(gpus)
        placement = Placement(
            tuple(
                PlacedDevice(gpu.device, gpu.pool, share)
                for gpu, share in zip(gpus, shares, strict=True)
            ),
            self.plan.n_gpu_layers,
        )
        return layer_spans(self.shape.placed_layers, placement)

    @functools.cached_property
    def _weights(self) -> tuple[int, ...]:
        """Of the input embedding one row is read, of the routed experts those in use."""
        twice = self._kept_twice()
        return tuple(
            max(0, device.weights_bytes - self._unread(span, is_cpu=not index) - twice)
            for index, (device, span) in enumerate(zip(self.devices, self._spans, strict=True))
        )

    def _kept_twice(self) -> int:
        """The table of a tied output layer that the CPU holds once more to look tokens up in."""
        shape, held = self.shape, self.devices[0].weights_bytes
        is_twice = len(self.devices) == 1 and held >= shape.weights_bytes + shape.table_bytes
        return shape.table_bytes if is_twice and shape.tied_output else 0

    def _unread(self, span: range, *, is_cpu: bool) -> int:
        shape = self.shape
        is_output_too = shape.tied_output and shape.placed_layers in span
        size = shape.embedding_bytes if is_cpu else 0
        if is_cpu and is_output_too:
            size = max(0, size - shape.table_bytes)
        if not (shape.n_expert and shape.expert_bytes):
            return size
        experts = shape.experts_within(span.start, span.stop)
        first, kept = self._spans[0].stop, self.plan.experts_on_cpu
        if is_cpu:
            experts += shape.experts_within(first, kept)
        else:
            experts -= shape.experts_within(max(first, span.start), min(kept, span.stop))
        return size + experts * (shape.n_expert - shape.n_expert_used) // shape.n_expert


def kept_bytes(shape: ModelShape, request: FitRequest, span: range) -> int:
    """What a token reads of the `request.context_length` tokens before it: llama.cpp reads its
    caches in whole steps of cells, and of a window what it holds."""
    layers = range(span.start, min(span.stop, shape.n_layers))
    if not layers:
        return 0
    state = shape.layer_caches.within(layers)[-1]
    return kv_cache_bytes(shape, request, layers) + state

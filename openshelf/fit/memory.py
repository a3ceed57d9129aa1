"""Memory that a model needs per device, in closed form, from a header or the catalog's shape.

`caches` says what each layer keeps, `compute` what a step needs besides. A model whose graph was
not held against llama.cpp (`architectures`) is marked unknown and gets an upper bound.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from openshelf.fit.compute import compute_buffer, pipeline_buffer
from openshelf.fit.expected import shape_from_catalog as shape_from_catalog
from openshelf.fit.graphs import ALL_OUTPUTS, NO_FLASH_ATTENTION
from openshelf.fit.parts import Part, Step
from openshelf.fit.shapes import ModelShape as ModelShape
from openshelf.fit.shapes import shape_from_header as shape_from_header
from openshelf.fit.splitting import PlacedDevice as PlacedDevice
from openshelf.fit.splitting import Placement as Placement
from openshelf.fit.splitting import layer_spans as layer_spans
from openshelf.fit.splitting import split
from openshelf.gguf.constants import types_by_name

CONTEXT_STEP = 256
"""llama.cpp rounds a context up to this many cells."""
PROCESS_BYTES = 64 << 20
"""Python, llama.cpp's libraries and graph metadata before anything is loaded (55 MiB measured)."""
TOKENIZER_BYTES_PER_TOKEN = 200
FLOAT_BYTES = 4


@dataclass(frozen=True)
class FitRequest:
    """What is asked: lengths in tokens, `gpu_layers` None = find the best."""

    context_length: int = 8192
    kv_type_k: str = "f16"
    kv_type_v: str = "f16"
    batch: int = 2048
    ubatch: int = 512
    flash_attention: str = "auto"
    n_outputs_max: int = 1
    gpu_layers: int | None = None
    tensor_split: tuple[float, ...] = ()
    experts_on_cpu: int = 0
    text_only: bool = False
    """Leave the model's projector out."""

    @functools.cached_property
    def cells(self) -> int:
        """The context as llama.cpp rounds it."""
        return round_context(self.context_length)

    @functools.cached_property
    def step_tokens(self) -> int:
        """The most tokens of one evaluation."""
        return max(1, min(self.ubatch, self.batch, self.cells))


@dataclass(frozen=True)
class DeviceMemory:
    """Bytes on one device; `pool` names the memory they come from."""

    device: str
    kind: str
    pool: str
    weights_bytes: int
    kv_cache_bytes: int
    compute_buffer_bytes: int
    projector_bytes: int = 0
    overhead_bytes: int = 0
    overhead_basis: str = ""

    @property
    def total_bytes(self) -> int:
        return (
            self.weights_bytes
            + self.kv_cache_bytes
            + self.compute_buffer_bytes
            + self.projector_bytes
            + self.overhead_bytes
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "kind": self.kind,
            "pool": self.pool,
            "weights_bytes": self.weights_bytes,
            "kv_cache_bytes": self.kv_cache_bytes,
            "compute_buffer_bytes": self.compute_buffer_bytes,
            "projector_bytes": self.projector_bytes,
            "overhead_bytes": self.overhead_bytes,
            "overhead_basis": self.overhead_basis,
            "total_bytes": self.total_bytes,
        }


def round_context(length: int) -> int:
    """The context that llama.cpp makes of the one asked for."""
    return max(CONTEXT_STEP, -(-length // CONTEXT_STEP) * CONTEXT_STEP)


def has_flash_attention(shape: ModelShape, request: FitRequest) -> bool:
    """`auto` turns it on wherever the engine's device knows it, as all of ours do."""
    return request.flash_attention != "off" and shape.architecture not in NO_FLASH_ATTENTION


def kv_cache_bytes(shape: ModelShape, request: FitRequest, layers: range) -> int:
    """The caches and states of some layers in a row, as one sequence needs them.

    For shapes that are not known this is a bound.
    """
    caches = shape.layer_caches
    full_keys, full_values, full, keys, values, windowed, state = caches.within(layers)
    if not has_flash_attention(shape, request):
        full_values, values = full * caches.widest_value, windowed * caches.widest_value
    k, v = request.kv_type_k, request.kv_type_v
    size = state
    if full_keys or full_values:
        size += request.cells * (_row_bytes(k, full_keys) + _row_bytes(v, full_values))
    if keys or values:
        size += window_cells(shape, request) * (_row_bytes(k, keys) + _row_bytes(v, values))
    return size


def window_cells(shape: ModelShape, request: FitRequest) -> int:
    """Cells of a layer that keeps a window: room for it and for one ubatch, rounded up."""
    window = shape.layer_caches.window + request.step_tokens
    return request.cells if window >= request.cells else round_context(window)


def _row_bytes(type_name: str, elements: int) -> int:
    kind = types_by_name()[type_name.upper()]
    return -(-elements // kind.block) * kind.block_bytes


def estimate(
    shape: ModelShape, request: FitRequest, placement: Placement
) -> tuple[DeviceMemory, ...]:
    """Bytes per device, the CPU first. An unknown shape gets an upper bound.

    Raises KeyError for a KV type that ggml does not have.
    """
    spans = layer_spans(shape.placed_layers, placement)
    step = _step(shape, request)
    has_overrides = bool(request.experts_on_cpu and shape.expert_bytes)
    is_pipeline = len(placement.devices) > 1 and placement.n_gpu_layers > shape.placed_layers
    buffer = pipeline_buffer if is_pipeline and not has_overrides else compute_buffer
    result = []
    projector_bytes, projector_at = _projector(shape, request, spans)
    for index, (layers, part) in enumerate(split(shape, spans, request.experts_on_cpu)):
        device = placement.devices[index - 1] if index else None
        has_work = part.has_layers or part.has_input or part.has_output
        result.append(
            DeviceMemory(
                device=device.name if device else "CPU",
                kind="gpu" if device else "cpu",
                pool=device.pool if device else placement.cpu_pool,
                weights_bytes=_weights(shape, request, layers, part, spans[0].stop)
                + _rearranged(shape, placement, part),
                kv_cache_bytes=kv_cache_bytes(shape, request, layers),
                compute_buffer_bytes=buffer(shape, step, part) if has_work else 0,
                projector_bytes=projector_bytes if index == projector_at else 0,
                overhead_bytes=device.overhead_bytes if device else _process_bytes(shape, step),
                overhead_basis=device.overhead_basis if device else "process",
            )
        )
    return tuple(result)


def _projector(shape: ModelShape, request: FitRequest, spans: tuple[range, ...]) -> tuple[int, int]:
    """What the projector takes, and which device holds it: the first GPU with layers, else the
    CPU."""
    if shape.projector is None or request.text_only:
        return 0, 0
    return shape.projector.total_bytes, next((i for i, span in enumerate(spans) if i and span), 0)


def op_offload_bytes(shape: ModelShape, request: FitRequest, n_gpu_layers: int) -> int:
    """Room that a discrete GPU needs besides, for copies of weights that stay on the CPU.

    For prompts llama.cpp copies them over one at a time; a bound from its source, not measured.
    """
    if n_gpu_layers <= 0:
        return 0
    if request.experts_on_cpu and shape.expert_bytes:
        return max(shape.expert_bytes) // 2
    if n_gpu_layers > shape.placed_layers:
        return 0
    return max(shape.expert_bytes or shape.layer_bytes, default=0) // 2


def _step(shape: ModelShape, request: FitRequest) -> Step:
    ubatch = request.step_tokens
    outputs = ubatch if shape.architecture in ALL_OUTPUTS else request.n_outputs_max
    return Step(
        ubatch=ubatch,
        cells=ubatch if shape.has_no_cache else request.cells,
        window_cells=window_cells(shape, request),
        has_cache=not shape.has_no_cache,
        outputs=min(ubatch, outputs or request.batch),
        has_flash_attention=has_flash_attention(shape, request),
        rotates_k=_is_rotated(request.kv_type_k, shape.key_length),
        rotates_v=_is_rotated(request.kv_type_v, shape.value_length),
    )


def _is_rotated(type_name: str, length: int) -> bool:
    return length > 0 and length % 64 == 0 and types_by_name()[type_name.upper()].block > 1


def _weights(
    shape: ModelShape, request: FitRequest, layers: range, part: Part, first_on_gpu: int
) -> int:
    size = 0
    if layers:
        size += shape.bytes_up_to[layers.stop] - shape.bytes_up_to[layers.start]
        size += shape.shared_bytes if _has_shared(shape, layers) else 0
    if part.has_output:
        size += shape.output_bytes
        if not part.has_input and shape.has_output_layer:
            size += shape.table_bytes if shape.tied_output else 0
    if part.has_input:
        size += shape.embedding_bytes
    if request.experts_on_cpu and shape.expert_bytes:
        kept = request.experts_on_cpu
        if part.has_input:
            size += shape.experts_within(first_on_gpu, kept)
        else:
            size -= shape.experts_within(max(first_on_gpu, layers.start), min(kept, layers.stop))
    return size


def _rearranged(shape: ModelShape, placement: Placement, part: Part) -> int:
    """Beside layers on a GPU the CPU's weights lie in the GPU's own host memory, as they are in the
    file."""
    if not part.has_input or placement.devices:
        return 0
    return shape.rearranging.more_bytes(placement.cpu_features)


def _has_shared(shape: ModelShape, layers: range) -> bool:
    """Of gemma4, layers with a window do without the shared table of rotations."""
    windowed = shape.layer_caches.windowed
    return shape.architecture != "gemma4" or not all(windowed[layer] for layer in layers)


def _process_bytes(shape: ModelShape, step: Step) -> int:
    return (
        PROCESS_BYTES
        + TOKENIZER_BYTES_PER_TOKEN * shape.n_vocab
        + FLOAT_BYTES * step.outputs * shape.n_vocab
    )

"""Memory that a model needs per device, in closed form, from a header or the catalog's shape.

Formulas: reference/fit.md §2. Plain multi-head and grouped-query attention is known; anything else
is marked unknown and gets an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openshelf.catalog.entries import CatalogShape
from openshelf.gguf.header import Header


@dataclass(frozen=True)
class ModelShape:
    """What the formulas need. `layer_bytes[i]` are the weights of layer i, `output_bytes` those
    that go with the output layer, `embedding_bytes` the input embedding (always on the CPU)."""

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


def shape_from_header(header: Header) -> ModelShape:
    """The shape of a file, exact; `known` is False where the memory rules are not ours yet."""
    raise NotImplementedError


def shape_from_catalog(
    shape: CatalogShape, size_bytes: int, parameters: int | None, quant: str
) -> ModelShape:
    """The expected shape of a variant whose header is not at hand (`source` is catalog)."""
    raise NotImplementedError


def estimate(
    shape: ModelShape, request: FitRequest, placement: Placement
) -> tuple[DeviceMemory, ...]:
    """Bytes per device, the CPU first. An unknown shape gets an upper bound."""
    raise NotImplementedError

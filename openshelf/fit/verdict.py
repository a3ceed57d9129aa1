"""The verdict on a fit, and the Plan that a load then executes, so that the two cannot disagree."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from openshelf.engine.protocol import Plan
from openshelf.fit.memory import DeviceMemory, FitRequest, ModelShape
from openshelf.hardware.facts import Machine
from openshelf.reasons import Reason


class FitVerdict(enum.StrEnum):
    FITS_GPU = "fits_gpu"
    FITS_SPLIT = "fits_split"
    FITS_CPU = "fits_cpu"
    DOES_NOT_FIT = "does_not_fit"
    UNKNOWN = "unknown"

    @property
    def fits(self) -> bool:
        return self in (FitVerdict.FITS_GPU, FitVerdict.FITS_SPLIT, FitVerdict.FITS_CPU)


@dataclass(frozen=True)
class Pool:
    """A memory that devices share; `budget_bytes` is what is free now less the reserve."""

    id: str
    budget_bytes: int
    needed_bytes: int


@dataclass(frozen=True)
class Range:
    low: float
    high: float


@dataclass(frozen=True)
class Speed:
    """Tokens per second; `basis` is estimate or measured."""

    decode: Range
    prefill: Range
    basis: str


@dataclass(frozen=True)
class Fit:
    """The answer for one model file on one machine (cli.md, `fit`)."""

    architecture: str
    known_architecture: bool
    method: str
    request: FitRequest
    context_length_used: int
    flash_attention: str
    gpu_layers: int
    n_layers: int
    devices: tuple[DeviceMemory, ...]
    pools: tuple[Pool, ...]
    verdict: FitVerdict
    reasons: tuple[Reason, ...]
    remedies: tuple[Reason, ...]
    speed: Speed | None
    plan: Plan | None
    """None where nothing can be loaded."""
    shape_source: str = "header"

    @property
    def total_bytes(self) -> int:
        return sum(device.total_bytes for device in self.devices)

    def as_json(
        self, target: str, *, elapsed_seconds: float = 0.0, bytes_fetched: int = 0
    ) -> dict[str, Any]:
        request = self.request
        return {
            "target": target,
            "architecture": self.architecture,
            "known_architecture": self.known_architecture,
            "method": self.method,
            "shape_source": self.shape_source,
            "context_length": request.context_length,
            "context_length_used": self.context_length_used,
            "kv_type_k": request.kv_type_k,
            "kv_type_v": request.kv_type_v,
            "batch": request.batch,
            "ubatch": request.ubatch,
            "flash_attention": self.flash_attention,
            "n_outputs_max": request.n_outputs_max,
            "gpu_layers": self.gpu_layers,
            "n_layers": self.n_layers,
            "tensor_split": list(request.tensor_split),
            "experts_on_cpu": request.experts_on_cpu,
            "devices": [device.as_json() for device in self.devices],
            "pools": [
                {"id": p.id, "budget_bytes": p.budget_bytes, "needed_bytes": p.needed_bytes}
                for p in self.pools
            ],
            "total_bytes": self.total_bytes,
            "verdict": self.verdict.value,
            "reasons": [reason.as_json() for reason in self.reasons],
            "remedies": [remedy.as_json() for remedy in self.remedies],
            "speed": None
            if self.speed is None
            else {
                "decode": {"low": self.speed.decode.low, "high": self.speed.decode.high},
                "prefill": {"low": self.speed.prefill.low, "high": self.speed.prefill.high},
                "basis": self.speed.basis,
            },
            "elapsed_seconds": elapsed_seconds,
            "bytes_fetched": bytes_fetched,
        }


def fit_on(
    shape: ModelShape,
    machine: Machine,
    request: FitRequest,
    *,
    measured_decode_per_second: float | None = None,
) -> Fit:
    """The best placement of `shape` on `machine`, or why there is none.

    `measured_decode_per_second` is what this model reached here before, in tokens per second.
    """
    raise NotImplementedError


def recheck(plan: Plan, machine: Machine) -> None:
    """Raise DoesNotFit if `plan` no longer leaves the reserve on `machine` as it is now."""
    raise NotImplementedError

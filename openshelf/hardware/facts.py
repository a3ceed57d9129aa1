"""The machine as data. Unknown is None with a reason, never zero and never a guess."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from openshelf.reasons import Reason

ByHand = tuple[tuple[str, Any], ...]
"""Fields whose value a person set, each with what was found (hardware/overrides.py)."""
SET_BY_HAND = "set by hand"


class GpuKind(enum.StrEnum):
    DISCRETE = "discrete"
    INTEGRATED = "integrated"
    """Shares the system's RAM through a carve-out and a growing part of the rest."""
    UNIFIED = "unified"
    """One pool for CPU and GPU (Apple): host and device never add up."""


@dataclass(frozen=True)
class Cpu:
    name: str
    physical_cores: int
    logical_cores: int
    features: tuple[str, ...] = ()
    source: str = ""
    by_hand: ByHand = ()


@dataclass(frozen=True)
class Memory:
    """RAM in bytes; a cgroup limit is already taken into account in both."""

    total_bytes: int
    available_bytes: int
    source: str = ""
    bandwidth_bytes_per_second: int | None = None
    by_hand: ByHand = ()


@dataclass(frozen=True)
class Gpu:
    """One GPU in bytes; `free_bytes` is what other programs leave now."""

    id: str
    name: str
    vendor: str
    kind: GpuKind
    total_bytes: int | None
    free_bytes: int | None
    bandwidth_bytes_per_second: int | None = None
    driver: str | None = None
    source: str = ""
    usable_by_engine: bool | None = None
    reason: Reason | None = None
    """Why the engine cannot use it, or why that or its memory is unknown."""
    lent_free_bytes: int | None = None
    """Integrated GPUs: the part of `free_bytes` that would be taken from RAM."""

    @property
    def engine_name(self) -> str:
        """What the engine calls it; empty where it was not asked, or has no such GPU."""
        is_used = self.reason is not None and self.reason.code == "gpu_used_through"
        return str(self.reason.data.get("name", "")) if self.reason and is_used else ""

    by_hand: ByHand = ()


@dataclass(frozen=True)
class Disk:
    path: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class EngineDevice:
    """A device as llama.cpp itself lists it; `type` is cpu, gpu, igpu or accel."""

    name: str
    description: str
    type: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class EngineBuild:
    """`has_extra_buffers` is False where the CPU cannot use weights that are rearranged for it;
    `network_fault` is why its process could reach the network, empty where that is forbidden."""

    version: str
    devices: tuple[EngineDevice, ...] = ()
    has_extra_buffers: bool = True
    network_fault: str = ""


@dataclass(frozen=True)
class LearnedRate:
    """What a device reached in `runs` answers: bytes read per second at writing, operations per
    second at prompts. `kind` is cpu (with so many threads) or the backend of a GPU."""

    device: str
    kind: str
    engine_version: str
    n_threads: int = 0
    bytes_per_second: float | None = None
    operations_per_second: float | None = None
    runs: int = 0


@dataclass(frozen=True)
class Machine:
    """Everything found. `notes` tell what could not be found out, and why."""

    os: str
    arch: str
    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...] = ()
    disks: tuple[Disk, ...] = ()
    engine: EngineBuild | None = None
    notes: tuple[Reason, ...] = ()
    name: str = "this"
    learned: tuple[LearnedRate, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The shape of `hardware --json` (docs/cli.md)."""
        return {
            "name": self.name,
            "os": self.os,
            "arch": self.arch,
            "cpu": {
                "name": self.cpu.name,
                "physical_cores": self.cpu.physical_cores,
                "logical_cores": self.cpu.logical_cores,
                "features": list(self.cpu.features),
                **_sources(self.cpu, ("physical_cores", "logical_cores")),
            },
            "memory": {
                "total_bytes": self.memory.total_bytes,
                "available_bytes": self.memory.available_bytes,
                **_sources(self.memory, ("total_bytes", "available_bytes", _RATE)),
                "bandwidth_bytes_per_second": self.memory.bandwidth_bytes_per_second,
            },
            "gpus": [
                {
                    "id": gpu.id,
                    "name": gpu.name,
                    "vendor": gpu.vendor,
                    "kind": gpu.kind.value,
                    "total_bytes": gpu.total_bytes,
                    "free_bytes": gpu.free_bytes,
                    "bandwidth_bytes_per_second": gpu.bandwidth_bytes_per_second,
                    "driver": gpu.driver,
                    **_sources(gpu, ("total_bytes", "free_bytes", _RATE, "usable_by_engine")),
                    "usable_by_engine": gpu.usable_by_engine,
                    "reason": gpu.reason.as_json() if gpu.reason else None,
                    "lent_free_bytes": gpu.lent_free_bytes,
                }
                for gpu in self.gpus
            ],
            "disks": [
                {"path": disk.path, "total_bytes": disk.total_bytes, "free_bytes": disk.free_bytes}
                for disk in self.disks
            ],
            "engine": None
            if self.engine is None
            else {
                "version": self.engine.version,
                "extra_buffers": self.engine.has_extra_buffers,
                "network_forbidden": not self.engine.network_fault,
                "network_fault": self.engine.network_fault,
                "devices": [
                    {
                        "name": device.name,
                        "description": device.description,
                        "type": device.type,
                        "total_bytes": device.total_bytes,
                        "free_bytes": device.free_bytes,
                    }
                    for device in self.engine.devices
                ],
            },
            "notes": [note.as_json() for note in self.notes],
        }


_RATE = "bandwidth_bytes_per_second"


def _sources(part: Cpu | Memory | Gpu, fields: tuple[str, ...]) -> dict[str, Any]:
    """Where each known value comes from, and what was found where a person set another."""
    by_hand = dict(part.by_hand)
    found = {
        name: value.as_json() if isinstance(value, Reason) else value
        for name, value in by_hand.items()
    }
    return {
        "source": SET_BY_HAND if by_hand else part.source,
        "sources": {
            name: SET_BY_HAND if name in by_hand else part.source
            for name in fields
            if getattr(part, name) is not None
        },
        "found": found,
        "found_source": part.source,
    }

"""The memories of a machine that a model may take: what is free now, less a reserve."""

from __future__ import annotations

from dataclasses import dataclass

from openshelf.fit.memory import PlacedDevice
from openshelf.hardware.facts import Gpu, GpuKind, Machine
from openshelf.reasons import Reason
from openshelf.units import GIB, MIB

RAM = "ram"
RAM_RESERVE_BYTES = 2 * GIB
RAM_RESERVE_SHARE = 10
"""The system keeps a tenth of all RAM, but at least the above."""
GPU_RESERVE_BYTES = 1 * GIB
"""Of a GPU that may have a display; whether it has one is not known."""
DRIVER_CONTEXT_BYTES = 450 * MIB
"""What a driver takes per process beside llama.cpp's buffers (reports: 300–450 MiB)."""


@dataclass(frozen=True)
class UsableGpu:
    """A GPU that layers may go to; `limit_bytes` is what it may hold, whatever its pool has."""

    gpu: Gpu
    pool: str
    limit_bytes: int

    def placed(self, share: float, op_offload_bytes: int) -> PlacedDevice:
        """The device with its overhead: the driver's context, and copies of weights in RAM."""
        if self.pool == RAM:
            return PlacedDevice(name=self.gpu.id, pool=self.pool, share=share)
        return PlacedDevice(
            name=self.gpu.id,
            pool=self.pool,
            share=share,
            overhead_bytes=DRIVER_CONTEXT_BYTES + op_offload_bytes,
            overhead_basis="driver_default+op_offload" if op_offload_bytes else "driver_default",
        )


def budgets(machine: Machine) -> dict[str, int]:
    """Bytes per pool that a model may take now; never below zero."""
    memory = machine.memory
    reserve = max(RAM_RESERVE_BYTES, memory.total_bytes // RAM_RESERVE_SHARE)
    result = {RAM: max(0, memory.available_bytes - reserve)}
    for usable in usable_gpus(machine):
        if usable.pool != RAM:
            result[usable.pool] = usable.limit_bytes
    return result


def usable_gpus(machine: Machine) -> tuple[UsableGpu, ...]:
    """GPUs that the engine is known to use and whose memory is known.

    Discrete ones have a pool each. Unified and integrated ones share RAM, up to their own limit.
    """
    result = []
    for gpu in machine.gpus:
        if gpu.usable_by_engine is not True:
            continue
        shares_ram = gpu.kind is not GpuKind.DISCRETE
        free = gpu.free_bytes if gpu.free_bytes is not None else (gpu.total_bytes or 0)
        if shares_ram:
            limit = free or machine.memory.available_bytes
            result.append(UsableGpu(gpu, RAM, limit))
        elif free > 0:
            limit = max(0, free - GPU_RESERVE_BYTES)
            result.append(UsableGpu(gpu, gpu.id, limit))
    discrete = tuple(usable for usable in result if usable.pool != RAM)
    # llama.cpp leaves an integrated GPU alone where a discrete one is there
    return discrete or tuple(result[:1])


def unused_gpus(machine: Machine) -> tuple[Reason, ...]:
    """Why a GPU that is there gets no layers."""
    reasons = []
    for gpu in machine.gpus:
        data = {"gpu": gpu.name, "why": gpu.reason.code if gpu.reason else None}
        if gpu.usable_by_engine is False:
            reasons.append(Reason("fit_gpu_not_usable", data))
        elif gpu.usable_by_engine is None:
            reasons.append(Reason("fit_gpu_unknown", data))
        elif gpu.kind is GpuKind.DISCRETE and not (gpu.free_bytes or gpu.total_bytes):
            reasons.append(Reason("fit_gpu_memory_unknown", data))
    return tuple(reasons)

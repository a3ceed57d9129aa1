"""The memories of a machine that a model may take: what is free now, less a reserve."""

from __future__ import annotations

from dataclasses import dataclass

from openshelf.fit.memory import PlacedDevice
from openshelf.hardware.facts import Gpu, GpuKind, Machine
from openshelf.hardware.metal import expected_working_set
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

    Discrete ones have a pool each. Unified and integrated ones share RAM, up to their own limit;
    memory that the firmware took out of RAM for good is a pool of its own where it is the larger
    part, and left unused where it is the smaller one.
    """
    usable = [gpu for gpu in machine.gpus if gpu.usable_by_engine is True]
    discrete = tuple(
        UsableGpu(gpu, gpu.id, max(0, free - GPU_RESERVE_BYTES))
        for gpu in usable
        if gpu.kind is GpuKind.DISCRETE and (free := _free(gpu)) > 0
    )
    shared = [gpu for gpu in usable if gpu.kind is not GpuKind.DISCRETE]
    # llama.cpp leaves an integrated GPU alone where a discrete one is there
    return discrete or tuple(_shared(gpu, machine) for gpu in shared[:1])


def _free(gpu: Gpu) -> int:
    return gpu.free_bytes if gpu.free_bytes is not None else (gpu.total_bytes or 0)


def _shared(gpu: Gpu, machine: Machine) -> UsableGpu:
    """Host and device never add up here: what such a GPU may take comes off the same budget."""
    free, lent = _free(gpu), gpu.lent_free_bytes
    if gpu.kind is GpuKind.UNIFIED:
        if gpu.free_bytes is None and gpu.vendor.casefold() == "apple":
            # Without the engine's word: all of RAM is never lent.
            free = expected_working_set(machine.memory.total_bytes)
        return UsableGpu(gpu, RAM, free or machine.memory.available_bytes)
    carve_out = max(0, free - lent) if lent is not None else 0
    if lent is not None and carve_out > lent:
        return UsableGpu(gpu, gpu.id, max(0, carve_out - GPU_RESERVE_BYTES))
    return UsableGpu(gpu, RAM, free or machine.memory.available_bytes)


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

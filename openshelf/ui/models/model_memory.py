"""The parts of a fit, summed over GPUs and RAM, and what a thousand more tokens would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QCoreApplication

from openshelf.fit.memory import DeviceMemory, FitRequest, ModelShape, kv_cache_bytes
from openshelf.fit.pools import RAM, budgets
from openshelf.fit.verdict import Fit
from openshelf.hardware.facts import Machine
from openshelf.units import format_bytes

_K = 1024


@dataclass(frozen=True)
class PoolParts:
    """Bytes in one kind of memory: all GPUs with memory of their own, or RAM."""

    title: str
    weights_bytes: int
    kv_cache_bytes: int
    compute_buffer_bytes: int
    kept_bytes: int
    details: str = ""


def pool_parts(fit: Fit, machine: Machine) -> list[PoolParts]:
    """GPUs first; a memory that nothing lies in is left out."""
    gpu = [device for device in fit.devices if device.pool != RAM]
    ram = [device for device in fit.devices if device.pool == RAM]
    parts = []
    for title, devices in ((_tr("GPU"), gpu), (_tr("RAM"), ram)):
        used = [device for device in devices if device.total_bytes]
        if used:
            parts.append(_sum(title, used, machine))
    return parts


def _sum(title: str, devices: Sequence[DeviceMemory], machine: Machine) -> PoolParts:
    pools = {device.pool for device in devices}
    return PoolParts(
        title=title,
        weights_bytes=sum(device.weights_bytes for device in devices),
        kv_cache_bytes=sum(device.kv_cache_bytes for device in devices),
        compute_buffer_bytes=sum(
            device.compute_buffer_bytes + device.projector_bytes + device.overhead_bytes
            for device in devices
        ),
        kept_bytes=sum(kept_in(machine, pool) for pool in pools),
        details=_each(devices, machine) if len(devices) > 1 else "",
    )


def kept_in(machine: Machine, pool: str) -> int:
    """What of a pool is free and yet not given to models, in bytes."""
    free = {RAM: machine.memory.available_bytes}
    for gpu in machine.gpus:
        if gpu.free_bytes is not None:
            # What is lent comes from RAM and is counted there.
            free[gpu.id] = gpu.free_bytes - (gpu.lent_free_bytes or 0)
    budget = budgets(machine).get(pool, 0)
    return max(0, free.get(pool, budget) - budget)


def _each(devices: Sequence[DeviceMemory], machine: Machine) -> str:
    names = {gpu.id: gpu.name for gpu in machine.gpus}
    return "\n".join(
        f"{names.get(device.pool, device.device)}: {format_bytes(device.total_bytes, binary=True)}"
        for device in devices
    )


def bytes_per_1k(shape: ModelShape, request: FitRequest) -> int:
    """What the next 1,024 tokens of context take, whatever device they lie on."""
    longer = replace(request, context_length=request.context_length + _K)
    layers = range(shape.n_layers)
    return kv_cache_bytes(shape, longer, layers) - kv_cache_bytes(shape, request, layers)


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelMemory", text)

"""Looks for the best place of a model's layers: all on GPU, split, or CPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from openshelf.fit.memory import (
    DeviceMemory,
    FitRequest,
    ModelShape,
    Placement,
    estimate,
    op_offload_bytes,
)
from openshelf.fit.pools import RAM, UsableGpu
from openshelf.hardware.facts import GpuKind


@dataclass(frozen=True)
class Room:
    """Where a model may go: budgets in bytes per pool, and the GPUs in the engine's order."""

    budgets: dict[str, int]
    gpus: tuple[UsableGpu, ...]
    cpu_features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Placed:
    """One way to place a model; `needed` are bytes per pool."""

    request: FitRequest
    n_gpu_layers: int
    tensor_split: tuple[float, ...]
    devices: tuple[DeviceMemory, ...]
    needed: dict[str, int]
    fits: bool
    gpus_fit: bool


class _Held(TypedDict):
    needed: dict[str, int]
    fits: bool
    gpus_fit: bool


def place(shape: ModelShape, request: FitRequest, room: Room) -> Placed:
    """The best placement; one that does not fit has `fits` False and is the nearest there is."""
    if request.gpu_layers is not None:
        return _try(shape, request, room, request.gpu_layers)
    total = shape.placed_layers + 1
    if not room.gpus:
        return _try(shape, request, room, 0)
    whole = _try(shape, request, room, total)
    if whole.fits:
        return whole
    if all(gpu.pool == RAM for gpu in room.gpus):
        # one memory: moving layers within it gains nothing, unless the GPU's own limit is at fault
        on_cpu = _try(shape, request, room, 0)
        return on_cpu if on_cpu.fits else _split(shape, request, room, whole)
    if not request.experts_on_cpu and any(shape.expert_bytes):
        moved = _move_experts(shape, request, room, whole)
        if moved is not None:
            return moved
    return _split(shape, request, room, whole)


def _split(shape: ModelShape, request: FitRequest, room: Room, whole: Placed) -> Placed:
    """As many layers on the GPUs as fit there; what is left must fit in RAM."""

    def attempt(count: int) -> Placed:
        return _try(shape, request, room, count)

    best = _last_that_fits(attempt, whole, shape.placed_layers + 1, room)
    return attempt(0) if best is None else best


def _move_experts(
    shape: ModelShape, request: FitRequest, room: Room, whole: Placed
) -> Placed | None:
    """All layers on the GPUs, and the experts of as few as needed in RAM; None if that fails."""

    def attempt(kept: int) -> Placed:
        moved = dataclasses.replace(request, experts_on_cpu=shape.n_layers - kept)
        return _try(shape, moved, room, shape.placed_layers + 1)

    least = attempt(0)
    if not least.gpus_fit:
        return None
    best = _last_that_fits(attempt, whole, shape.n_layers, room, least) or least
    return best if best.fits else None


def _last_that_fits(
    attempt: Callable[[int], Placed],
    whole: Placed,
    too_many: int,
    room: Room,
    none: Placed | None = None,
) -> Placed | None:
    """The placement of the largest count below `too_many` with which the GPUs hold what they get;
    None where that is 0.

    `whole` is the one with everything on them, `none` that of 0 where it is known. What a GPU holds
    grows nearly in step with the count, so that aiming at the limit takes two or three attempts
    where halving takes six.
    """
    low, high, best = 0, too_many, None
    over_low = _excess(none or whole, room, without_layers=none is None)
    over_high = _excess(whole, room)
    while high - low > 1:
        part = -over_low / (over_high - over_low) if over_high > 0 >= over_low else 0.5
        middle = min(max(low + int((high - low) * part), low + 1), high - 1)
        placed = attempt(middle)
        if placed.gpus_fit:
            low, over_low, best = middle, _excess(placed, room), placed
        else:
            high, over_high = middle, _excess(placed, room)
    return best


def _excess(placed: Placed, room: Room, *, without_layers: bool = False) -> int:
    """Bytes that the fullest GPU lacks; negative where all have room left. `without_layers`: about
    as much as if it held none of them."""
    pairs = zip(placed.devices[1:], room.gpus, strict=True)
    return max(
        (
            device.compute_buffer_bytes + device.overhead_bytes
            if without_layers
            else device.total_bytes
        )
        - gpu.limit_bytes
        for device, gpu in pairs
    )


def _try(shape: ModelShape, request: FitRequest, room: Room, n_gpu_layers: int) -> Placed:
    gpus = room.gpus if n_gpu_layers > 0 else ()
    split = _shares(request, gpus)
    extra = op_offload_bytes(shape, request, n_gpu_layers)
    placement = Placement(
        devices=tuple(gpu.placed(share, extra) for gpu, share in zip(gpus, split, strict=True)),
        n_gpu_layers=n_gpu_layers,
        cpu_features=room.cpu_features,
    )
    devices = estimate(shape, request, placement)
    return Placed(
        request=request,
        n_gpu_layers=min(n_gpu_layers, shape.placed_layers + 1) if gpus else 0,
        tensor_split=split if len(gpus) > 1 else (),
        devices=devices,
        **_held(devices, shape, room),
    )


def with_devices(
    placed: Placed, devices: tuple[DeviceMemory, ...], shape: ModelShape, room: Room
) -> Placed:
    """The same placement with these figures (the CPU's first), held against the budgets anew."""
    return dataclasses.replace(placed, devices=devices, **_held(devices, shape, room))


def _held(devices: tuple[DeviceMemory, ...], shape: ModelShape, room: Room) -> _Held:
    """What the devices hold against the budgets."""
    gpus = room.gpus[: len(devices) - 1]
    needed = dict.fromkeys(room.budgets, 0)
    for device in devices:
        needed[device.pool] += device.total_bytes
    if gpus and shape.tied_output and all(gpu.gpu.kind is GpuKind.UNIFIED for gpu in gpus):
        needed[RAM] -= shape.table_bytes  # one file's pages serve both
    gpus_fit = all(
        device.total_bytes <= gpu.limit_bytes for device, gpu in zip(devices[1:], gpus, strict=True)
    )
    fits = gpus_fit and all(needed[pool] <= budget for pool, budget in room.budgets.items())
    return {"needed": needed, "fits": fits, "gpus_fit": gpus_fit}


def _shares(request: FitRequest, gpus: tuple[UsableGpu, ...]) -> tuple[float, ...]:
    """Parts of the layers per GPU: as asked, else by what each may hold."""
    asked = request.tensor_split[: len(gpus)]
    if len(asked) == len(gpus) and sum(asked) > 0:
        return asked
    return tuple(float(max(gpu.limit_bytes, 1)) for gpu in gpus)

"""One look at the machine after another: what the engine said stays, and what our own model holds
is not taken for missing."""

from __future__ import annotations

from dataclasses import replace

from openshelf.chat.interface import ModelInMemory
from openshelf.hardware.facts import ByHand, Gpu, GpuKind, Machine

_ENGINE_NOTES = ("engine_silent", "engine_plain_multiplication")


def with_engine_of(machine: Machine, known: Machine) -> Machine:
    """`machine`, seen without asking the engine, with what the engine said of `known`."""
    if machine.engine is not None:
        return machine
    before = {gpu.id: gpu for gpu in known.gpus}
    notes = tuple(note for note in known.notes if note.code in _ENGINE_NOTES)
    return replace(
        machine,
        gpus=tuple(_with_engine(gpu, before.get(gpu.id)) for gpu in machine.gpus),
        engine=known.engine,
        notes=(*(note for note in machine.notes if note not in notes), *notes),
    )


def _with_engine(gpu: Gpu, known: Gpu | None) -> Gpu:
    if known is None or known.usable_by_engine is None:
        return gpu
    total, free, by_hand = gpu.total_bytes, gpu.free_bytes, _by_hand(gpu, known)
    if gpu.kind is GpuKind.UNIFIED or total is None:
        # Only the engine tells how much of shared memory it may take.
        total, free, by_hand = known.total_bytes, known.free_bytes, known.by_hand
    return replace(
        gpu,
        total_bytes=total,
        free_bytes=known.free_bytes if free is None else free,
        usable_by_engine=known.usable_by_engine,
        reason=known.reason,
        by_hand=by_hand,
    )


def _by_hand(gpu: Gpu, known: Gpu) -> ByHand:
    """What was found without the engine does not know whether the engine can use it."""
    engine = ("usable_by_engine", "reason")
    own = tuple(entry for entry in gpu.by_hand if entry[0] not in engine)
    return own + tuple(entry for entry in known.by_hand if entry[0] in engine)


def decides_alike(one: Machine, other: Machine | None) -> bool:
    """Whether what fits on both is the same: nothing to work out again."""
    return other is not None and (one.memory, one.gpus) == (other.memory, other.gpus)


def without_our_model(
    machine: Machine, earlier: Machine | None, loaded: ModelInMemory | None
) -> Machine:
    """The machine as the next model finds it: what is loaded is given back before that is loaded.

    While a model of ours is in memory, nothing counts as less free than it was `earlier`.
    """
    if earlier is None or loaded is None:
        return machine
    before = {gpu.id: gpu for gpu in earlier.gpus}
    memory = machine.memory
    if not memory.by_hand and not earlier.memory.by_hand:
        available = max(memory.available_bytes, earlier.memory.available_bytes)
        memory = replace(memory, available_bytes=available)
    gpus = tuple(_as_free_as(gpu, before.get(gpu.id)) for gpu in machine.gpus)
    return replace(machine, memory=memory, gpus=gpus)


def _as_free_as(gpu: Gpu, before: Gpu | None) -> Gpu:
    """What a person says is free is so, whatever is loaded."""
    if before is None or gpu.free_bytes is None or gpu.by_hand or before.by_hand:
        return gpu
    return replace(gpu, free_bytes=max(gpu.free_bytes, before.free_bytes or 0))

"""Values that a person set by hand over what was found: checked, kept in the settings, applied.

A part is `memory`, `cpu` or the id of a GPU (`nvidia-0`); `gpu-1` is the second GPU found.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from openshelf.errors import BadOverride
from openshelf.hardware.facts import Cpu, Gpu, GpuKind, Machine, Memory
from openshelf.reasons import Reason

Value = int | bool
Overrides = Mapping[str, Mapping[str, Any]]
"""Part → field → value; what a later version wrote is kept and passed over."""

MEMORY_FIELDS = ("total_bytes", "available_bytes", "bandwidth_bytes_per_second")
CPU_FIELDS = ("physical_cores", "logical_cores")
GPU_FIELDS = ("total_bytes", "free_bytes", "bandwidth_bytes_per_second", "usable_by_engine")
_MOST_BYTES = 1 << 50
_LEAST_MEMORY = 1 << 26
_MOST_CORES = 4096
_LEAST_RATE = 1_000_000
_UNITS = {
    "": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "g": 1 << 30,
    "gib": 1 << 30, "t": 1 << 40, "tib": 1 << 40, "kb": 10**3, "mb": 10**6, "gb": 10**9,
    "tb": 10**12,
}  # fmt: skip
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([A-Za-z]{0,3})")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Override:
    """One value by hand: bytes, bytes per second, a number of cores, or whether a GPU is used."""

    part: str
    field: str
    value: Value

    @property
    def name(self) -> str:
        return f"{self.part}.{self.field}"


def parse_override(machine: Machine, text: str) -> Override:
    """`gpu-0.free_bytes=6GiB` for this machine. Raises BadOverride."""
    name, equals, value = text.partition("=")
    part, field = split_name(machine, name)
    if not equals or not field:
        raise BadOverride(name=name.strip(), why="no_value")
    return make_override(machine, part, field, value)


def split_name(machine: Machine, name: str) -> tuple[str, str]:
    """(part, field) of `gpu-0.free_bytes`; the field is empty where only a part is named.

    Raises BadOverride for a part or a field that is not there.
    """
    part, _, field = (word.strip() for word in name.partition("."))
    number = re.fullmatch(r"gpu-([0-9]{1,3})", part)
    ids = [gpu.id for gpu in machine.gpus]
    if part not in ids and number and int(number[1]) < len(ids):
        part = ids[int(number[1])]
    if part not in ("memory", "cpu", *ids):
        raise BadOverride(name=part, why="unknown_part", known=("memory", "cpu", *ids))
    fields = fields_of(part)
    if field and field not in fields:
        raise BadOverride(name=f"{part}.{field}", why="unknown_field", known=fields)
    return part, field


def fields_of(part: str) -> tuple[str, ...]:
    return {"memory": MEMORY_FIELDS, "cpu": CPU_FIELDS}.get(part, GPU_FIELDS)


def make_override(machine: Machine, part: str, field: str, text: str) -> Override:
    """The value of a field as a person writes it. Raises BadOverride where it cannot be so."""
    name, words = f"{part}.{field}", text.strip()
    if field == "usable_by_engine":
        flag = _FLAGS.get(words.casefold())
        if flag is None:
            raise BadOverride(name=name, value=words, why="not_a_flag")
        override = Override(part, field, flag)
    else:
        override = Override(part, field, _amount(name, words, field))
    problem = _problem(machine, override)
    if problem is not None:
        raise problem
    return override


def _amount(name: str, words: str, field: str) -> int:
    is_count, is_rate = field.endswith("cores"), field.endswith("per_second")
    match = _AMOUNT.fullmatch(words.removesuffix("/s").strip() if is_rate else words)
    scale = _UNITS.get(match[2].casefold()) if match else None
    if match is None or scale is None or (is_count and (match[2] or "." in match[1])):
        why = "not_a_count" if is_count else "not_a_rate" if is_rate else "not_a_size"
        raise BadOverride(name=name, value=words, why=why)
    return round(float(match[1]) * scale) if "." in match[1] else int(match[1]) * scale


def _problem(machine: Machine, override: Override) -> BadOverride | None:
    """Why a value cannot be so on `machine`, whose values by hand do not count here."""
    value = override.value
    found = without_overrides(machine)
    if isinstance(value, bool):
        refused = any(g.id == override.part and g.usable_by_engine is False for g in found.gpus)
        return _refused(override, "engine_cannot") if value and refused else None
    least, most, why = _bounds(found, override)
    if least <= value <= most:
        return None
    if value < least:
        return _refused(override, "too_small", least)
    return _refused(override, why, most)


def _refused(override: Override, why: str, most: int = 0) -> BadOverride:
    return BadOverride(name=override.name, value=str(override.value), why=why, most=most)


def _bounds(found: Machine, override: Override) -> tuple[int, int, str]:
    """(least, most, what is wrong above it). Memory is never more than what is built in."""
    part, field = override.part, override.field
    if field == "bandwidth_bytes_per_second":
        return _LEAST_RATE, _MOST_BYTES, "too_large"
    if field == "physical_cores":
        return 1, max(1, found.cpu.logical_cores), "above_threads"
    if field == "logical_cores":
        return max(1, found.cpu.physical_cores), _MOST_CORES, "too_large"
    least = 0 if field in ("free_bytes", "available_bytes") else _LEAST_MEMORY
    if part == "memory":
        return least, found.memory.total_bytes or _MOST_BYTES, "above_total"
    gpu = next((gpu for gpu in found.gpus if gpu.id == part), None)
    most = None if gpu is None else gpu.total_bytes
    if gpu is not None and gpu.kind is not GpuKind.DISCRETE:
        # Shared memory: what the driver lends can be changed, up to all there is.
        most = max(most or 0, found.memory.total_bytes) or None
    return least, most or _MOST_BYTES, "above_total"


def changed_overrides(overrides: Overrides, override: Override) -> dict[str, dict[str, Any]]:
    """The overrides with one more, or with another value for it."""
    result = {part: dict(values) for part, values in overrides.items()}
    result.setdefault(override.part, {})[override.field] = override.value
    return result


def reset_overrides(overrides: Overrides, part: str, field: str = "") -> dict[str, dict[str, Any]]:
    """The overrides without one field, or without all of a part."""
    result = {name: dict(values) for name, values in overrides.items()}
    if field:
        result.get(part, {}).pop(field, None)
    return {name: values for name, values in result.items() if values and (field or name != part)}


def with_overrides(machine: Machine, overrides: Overrides) -> Machine:
    """`machine` as the person says it is; what was found stays known in each `by_hand`.

    A value that cannot be so (any more) is left out, with a note that says why.
    """
    machine = without_overrides(machine)
    good: dict[str, dict[str, Value]] = {}
    notes: list[Reason] = []
    for part in ("memory", "cpu", *(gpu.id for gpu in machine.gpus)):
        for field, value in overrides.get(part, {}).items():
            if field not in fields_of(part):
                continue
            problem = _stored_problem(machine, Override(part, field, value))
            if problem is None:
                good.setdefault(part, {})[field] = value
            else:
                notes.append(Reason(f"override_ignored.{problem.why}", problem.data()))
    return dataclasses.replace(
        machine,
        memory=_memory(machine.memory, good.get("memory", {})),
        cpu=_set(machine.cpu, good.get("cpu", {})),
        gpus=tuple(_gpu(gpu, good.get(gpu.id, {})) for gpu in machine.gpus),
        notes=(*machine.notes, *notes),
    )


def _stored_problem(machine: Machine, override: Override) -> BadOverride | None:
    is_flag = override.field == "usable_by_engine"
    if type(override.value) is not (bool if is_flag else int):
        why = "not_a_flag" if is_flag else "not_a_size"
        return _refused(override, why)
    return _problem(machine, override)


def without_overrides(machine: Machine) -> Machine:
    """`machine` as it was found."""
    return dataclasses.replace(
        machine,
        memory=_restored(machine.memory),
        cpu=_restored(machine.cpu),
        gpus=tuple(_restored(gpu) for gpu in machine.gpus),
        notes=tuple(note for note in machine.notes if not note.code.startswith("override_")),
    )


Part = TypeVar("Part", Cpu, Memory, Gpu)


def _restored(part: Part) -> Part:
    return dataclasses.replace(part, **dict(part.by_hand), by_hand=()) if part.by_hand else part


def _set(part: Part, values: Mapping[str, Any]) -> Part:
    if not values:
        return part
    by_hand = tuple((field, getattr(part, field)) for field in values)
    return dataclasses.replace(part, **values, by_hand=by_hand)


def _memory(memory: Memory, values: Mapping[str, Any]) -> Memory:
    changed = _set(memory, values)
    if changed.available_bytes <= changed.total_bytes:
        return changed
    return _kept_below(changed, "available_bytes", changed.total_bytes)


def _gpu(gpu: Gpu, values: Mapping[str, Any]) -> Gpu:
    changed = _set(gpu, values)
    if "usable_by_engine" in values:
        code = "gpu_used_by_hand" if values["usable_by_engine"] else "gpu_left_out_by_hand"
        was = (*changed.by_hand, ("reason", gpu.reason))
        changed = dataclasses.replace(changed, reason=Reason(code), by_hand=was)
    total, free, lent = changed.total_bytes, changed.free_bytes, changed.lent_free_bytes
    if total is not None and free is not None and free > total:
        changed = _kept_below(changed, "free_bytes", total)
        free = total
    if lent is not None and free is not None and lent > free:
        changed = _kept_below(changed, "lent_free_bytes", free)
    return changed


def _kept_below(part: Part, field: str, most: int) -> Part:
    """A value that follows from another one set by hand; what was found is kept the same way."""
    known = dict(part.by_hand)
    known.setdefault(field, getattr(part, field))
    changes: dict[str, Any] = {field: most, "by_hand": tuple(known.items())}
    return dataclasses.replace(part, **changes)

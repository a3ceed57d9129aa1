"""The values of a machine that a person may set by hand, as words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openshelf.hardware.facts import Cpu, Gpu, Machine, Memory
from openshelf.hardware.overrides import (
    Overrides,
    Value,
    changed_overrides,
    fields_of,
    make_override,
)
from openshelf.units import format_bytes


@dataclass(frozen=True)
class EditableValue:
    """`text` is what stands in the field; `found` what a reset brings back, empty if unknown."""

    field: str
    text: str
    found: str
    source: str
    is_by_hand: bool
    is_flag: bool = False


def part_of(machine: Machine, name: str) -> Cpu | Memory | Gpu | None:
    """`memory`, `cpu` or the GPU of this id; None where it is gone."""
    if name == "memory":
        return machine.memory
    if name == "cpu":
        return machine.cpu
    return next((gpu for gpu in machine.gpus if gpu.id == name), None)


def editable_values(machine: Machine, name: str) -> tuple[EditableValue, ...]:
    """All that can be set of a part, in the order shown."""
    part = part_of(machine, name)
    if part is None:
        return ()
    by_hand = dict(part.by_hand)
    values = []
    for field in fields_of(name):
        value = getattr(part, field)
        found = by_hand.get(field, value)
        values.append(
            EditableValue(
                field=field,
                text=value_text(field, value),
                found=value_text(field, found),
                source="" if field == "usable_by_engine" else part.source,
                is_by_hand=field in by_hand,
                is_flag=field == "usable_by_engine",
            )
        )
    return tuple(values)


def entered_overrides(
    machine: Machine, overrides: Overrides, part: str, texts: Mapping[str, str]
) -> Overrides:
    """`overrides` with what was typed for a part. Raises BadOverride for the first that is bad."""
    for field, text in texts.items():
        overrides = changed_overrides(overrides, make_override(machine, part, field, text))
    return overrides


def value_text(field: str, value: Value | None) -> str:
    """As it may be typed: `7.1 GiB`, `256 GB/s`, `8`; empty where nothing is known."""
    if value is None:
        return ""
    if field == "usable_by_engine":
        return "yes" if value else "no"
    if field.endswith("_per_second"):
        return f"{format_bytes(value)}/s"
    return format_bytes(value, binary=True) if field.endswith("_bytes") else str(value)


def is_by_hand(part: Cpu | Memory | Gpu, field: str) -> bool:
    return any(name == field for name, _ in part.by_hand)

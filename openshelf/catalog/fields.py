"""A small check of TOML tables: which fields there must be, which there may be, of what kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Kind = type | list[type] | tuple[str, ...]
"""A type, a list of one type, or the words allowed. Whole numbers must be positive."""


@dataclass(frozen=True)
class Table:
    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]


def read_table(data: Any, table: Table, where: str) -> Mapping[str, Any]:
    """`data` itself when it keeps to `table`. Raises ValueError naming place and field."""
    if not isinstance(data, dict):
        raise ValueError(f"{where} is no table")
    required, optional = table.required, table.optional
    for name, value in data.items():
        kind = required.get(name)
        if kind is None:
            kind = optional.get(name)
        if kind is None:
            raise ValueError(f"{where} has a field {name!r} that is not known")
        if not _is_kind(value, kind):
            raise ValueError(f"{where}.{name} is {value!r}, which is not {_describe(kind)}")
    for name in required:
        if name not in data:
            raise ValueError(f"{where} lacks {name}")
    return data


def _is_kind(value: Any, kind: Kind) -> bool:
    if kind is int:
        return type(value) is int and value > 0
    if isinstance(kind, type):
        return type(value) is kind and value != ""
    if isinstance(kind, tuple):
        return value in kind
    return isinstance(value, list) and all(type(item) is kind[0] and item for item in value)


def _describe(kind: Kind) -> str:
    if kind is int:
        return "a positive whole number"
    if isinstance(kind, tuple):
        return "one of " + ", ".join(kind)
    if isinstance(kind, list):
        return f"a list of {kind[0].__name__}"
    return f"a {kind.__name__}"

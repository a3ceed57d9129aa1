"""Frozen dataclasses to JSON values and back, strictly typed: for the engine's messages."""

from __future__ import annotations

import dataclasses
import types
import typing
from functools import cache
from typing import Any


class ProtocolError(ValueError):
    """A line that is no message of ours."""


def plain_fields(value: Any) -> dict[str, Any]:
    return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return plain_fields(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@cache
def _field_types(cls: Any) -> dict[str, tuple[Any, bool]]:
    """Name → (type, whether it may be missing)."""
    hints = typing.get_type_hints(cls)
    return {
        f.name: (
            hints[f.name],
            f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING,
        )
        for f in dataclasses.fields(cls)
    }


def read_dataclass(cls: Any, document: Any) -> Any:
    if not isinstance(document, dict):
        raise ProtocolError(f"{cls.__name__} is no object")
    values = {}
    for name, (wanted, optional) in _field_types(cls).items():
        if name in document:
            values[name] = _read(wanted, document[name], f"{cls.__name__}.{name}")
        elif not optional:
            raise ProtocolError(f"{cls.__name__} without {name}")
    return cls(**values)


def _read(wanted: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(wanted)
    if origin is types.UnionType:
        inner = [arm for arm in typing.get_args(wanted) if arm is not type(None)]
        return None if value is None else _read(inner[0], value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ProtocolError(f"{where} is no list")
        return tuple(_read(typing.get_args(wanted)[0], item, where) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise ProtocolError(f"{where} is no object")
        inner_type = typing.get_args(wanted)[1]
        return {key: _read(inner_type, item, where) for key, item in value.items()}
    if dataclasses.is_dataclass(wanted):
        return read_dataclass(wanted, value)
    # bool is an int in Python and not on the wire; a whole number is a float as well.
    if wanted is float and type(value) is int:
        return _as_float(value, where)
    if type(value) is not wanted:
        raise ProtocolError(f"{where} is {type(value).__name__}, not {wanted.__name__}")
    return value


def _as_float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ProtocolError(f"{where} is too large") from error

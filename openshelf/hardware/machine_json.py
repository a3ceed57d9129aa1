"""A machine from JSON or TOML that somebody wrote; a field that is wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openshelf.errors import UsageError
from openshelf.hardware.facts import (
    SET_BY_HAND,
    ByHand,
    Cpu,
    Disk,
    EngineBuild,
    EngineDevice,
    Gpu,
    GpuKind,
    Machine,
    Memory,
)
from openshelf.reasons import Reason

_MOST_BYTES = 1 << 50
_MOST_CORES = 1 << 16
_MOST_ENTRIES = 64
_MAY_BE_ZERO = ("free_bytes", "available_bytes")


def machine_from_json(data: Any, name: str = "") -> Machine:
    """A machine from the object that `hardware --json` prints.

    Raises UsageError that names the field. Unknown fields are ignored; figures that no machine
    has are refused, since they would make every verdict nonsense.
    """
    return _machine(_Reader(data, "machine"), default_name=name or "file")


def machine_from_toml(row: Any) -> Machine:
    """The same from a table of machines.toml. Raises UsageError."""
    name = row.get("name") if isinstance(row, dict) else None
    return _machine(_Reader(row, str(name or "")))


def _machine(reader: _Reader, default_name: str = "") -> Machine:
    cpu, memory = reader.table("cpu"), reader.table("memory")
    total = memory.count("total_bytes", _MOST_BYTES)
    available = memory.count("available_bytes", total)
    physical = cpu.count("physical_cores", _MOST_CORES)
    engine = reader.optional_table("engine")
    return Machine(
        name=reader.text("name", default_name),
        os=reader.text("os", ""),
        arch=reader.text("arch", ""),
        cpu=Cpu(
            name=cpu.text("name", ""),
            physical_cores=physical,
            logical_cores=max(physical, cpu.count("logical_cores", _MOST_CORES)),
            features=cpu.texts("features"),
            source=_source(cpu, reader),
            by_hand=_by_hand(cpu, ("physical_cores", "logical_cores")),
        ),
        memory=Memory(
            total,
            available,
            _source(memory, reader),
            memory.optional_count("bandwidth_bytes_per_second"),
            _by_hand(memory, ("total_bytes", "available_bytes", "bandwidth_bytes_per_second")),
        ),
        gpus=_gpus(reader),
        disks=tuple(_disk(row) for row in reader.tables("disks")),
        engine=None if engine is None else _engine(engine),
        notes=tuple(_reason(row) for row in reader.tables("notes")),
    )


def _gpus(reader: _Reader) -> tuple[Gpu, ...]:
    """Each under a name of its own, as their memories are kept apart by it."""
    gpus: list[Gpu] = []
    for index, row in enumerate(reader.tables("gpus")):
        gpu = _gpu(row, index)
        if gpu.id == _RAM or any(gpu.id == other.id for other in gpus):
            raise row.error("id", f"is {gpu.id!r}, which is another memory's name")
        gpus.append(gpu)
    return tuple(gpus)


def _gpu(row: _Reader, index: int) -> Gpu:
    kind = row.text("kind")
    if kind not in list(GpuKind):
        raise row.error("kind", f"is {kind!r}, not one of {', '.join(GpuKind)}")
    total = row.optional_count("total_bytes")
    free = row.optional_count("free_bytes")
    if total is not None and free is not None and free > total:
        raise row.error("free_bytes", "is larger than total_bytes")
    lent = row.optional_count("lent_free_bytes")
    reason = row.optional_table("reason")
    return Gpu(
        id=row.text("id", f"gpu-{index}"),
        name=row.text("name"),
        vendor=row.text("vendor", ""),
        kind=GpuKind(kind),
        total_bytes=total,
        free_bytes=free,
        bandwidth_bytes_per_second=row.optional_count("bandwidth_bytes_per_second"),
        driver=row.text("driver", "") or None,
        source=_source(row, None),
        usable_by_engine=row.optional_flag("usable_by_engine"),
        reason=_reason(reason) if reason else None,
        lent_free_bytes=lent,
        by_hand=_by_hand(row, _GPU_FIGURES),
    )


_RAM = "ram"
"""What fits call the memory beside the GPUs (fit/pools.py)."""
_GPU_FIGURES = (
    "total_bytes", "free_bytes", "lent_free_bytes", "bandwidth_bytes_per_second",
    "usable_by_engine", "reason",
)  # fmt: skip


def _source(row: _Reader, parent: _Reader | None) -> str:
    """The probe's own source, where `source` only says that a value was set by hand."""
    source = row.text("source", parent.text("source", "") if parent else "")
    if source == SET_BY_HAND:
        return row.text("found_source", "")
    return source


def _by_hand(row: _Reader, fields: tuple[str, ...]) -> ByHand:
    found = row.optional_table("found")
    if found is None:
        return ()
    values: list[tuple[str, Any]] = []
    for name in found.data:
        if name not in fields:
            continue
        if name == "reason":
            reason = found.optional_table(name)
            values.append((name, _reason(reason) if reason else None))
        elif name == "usable_by_engine":
            values.append((name, found.optional_flag(name)))
        else:
            values.append((name, found.optional_count(name)))
    return tuple(values)


def _disk(row: _Reader) -> Disk:
    total = row.count("total_bytes", _MOST_BYTES)
    return Disk(row.text("path"), total, row.count("free_bytes", total))


def _engine(row: _Reader) -> EngineBuild:
    devices = tuple(
        EngineDevice(
            name=device.text("name"),
            description=device.text("description", ""),
            type=device.text("type", ""),
            total_bytes=device.count("total_bytes", _MOST_BYTES),
            free_bytes=device.count("free_bytes", _MOST_BYTES),
        )
        for device in row.tables("devices")
    )
    has_extra_buffers = row.optional_flag("extra_buffers")
    return EngineBuild(row.text("version", ""), devices, has_extra_buffers is not False)


def _reason(row: _Reader) -> Reason:
    data = {name: value for name, value in row.data.items() if name != "code"}
    return Reason(row.text("code"), data)


class _Reader:
    """Reads fields of one JSON or TOML object and says which field is wrong."""

    def __init__(self, data: Any, where: str) -> None:
        self._where = where
        if not isinstance(data, dict):
            raise UsageError(f"{where} is not an object")
        self.data: Mapping[str, Any] = data

    def error(self, name: str, detail: str) -> UsageError:
        return UsageError(f"{self._where}.{name} {detail}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self.data.get(name)
        if value is None:
            value = default
        if not isinstance(value, str) or len(value) > 500:
            raise self.error(name, "is not a text" if name in self.data else "is missing")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.data.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(name, "is not a list of texts")
        return tuple(value)

    def count(self, name: str, most: int) -> int:
        value = self.data.get(name)
        if type(value) is not int:
            raise self.error(name, "is not a whole number" if name in self.data else "is missing")
        if not 0 <= value <= most or (value == 0 and name not in _MAY_BE_ZERO):
            raise self.error(name, f"is {value}, which cannot be (0 < {name} ≤ {most})")
        return value

    def optional_count(self, name: str) -> int | None:
        if self.data.get(name) is None:
            return None
        return 0 if self.data[name] == 0 else self.count(name, _MOST_BYTES)

    def optional_flag(self, name: str) -> bool | None:
        value = self.data.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.error(name, "is neither true nor false")
        return value

    def table(self, name: str) -> _Reader:
        if name not in self.data:
            raise self.error(name, "is missing")
        return _Reader(self.data[name], f"{self._where}.{name}")

    def optional_table(self, name: str) -> _Reader | None:
        return None if self.data.get(name) is None else self.table(name)

    def tables(self, name: str) -> list[_Reader]:
        value = self.data.get(name) or []
        if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
            raise self.error(name, "is not a list of objects")
        return [_Reader(item, f"{self._where}.{name}[{index}]") for index, item in enumerate(value)]

"""Machines for the tests of fit: memory in GiB, bandwidth in GB/s."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from openshelf.fit.memory import ModelShape, shape_from_header
from openshelf.gguf.header import read_header
from openshelf.hardware.facts import Cpu, Gpu, GpuKind, Machine, Memory
from openshelf.units import GIB

DATA = Path(__file__).parents[1] / "data"
INDEX = json.loads((DATA / "headers" / "index.json").read_text("utf-8"))


@cache
def shape_of(name: str) -> ModelShape:
    """The shape of one of the real headers."""
    path = DATA / "headers" / f"{name}.gguf.header"
    return shape_from_header(read_header(path, file_bytes=INDEX[name]["file_bytes"]))


def machine(total: float, available: float, *gpus: Gpu, cores: int = 8) -> Machine:
    return Machine(
        os="linux",
        arch="x86_64",
        cpu=Cpu("test", cores, cores * 2),
        memory=Memory(int(total * GIB), int(available * GIB)),
        gpus=gpus,
    )


def nvidia(total: float, free: float | None, *, index: int = 0, usable: bool | None = True) -> Gpu:
    return Gpu(
        id=f"cuda{index}",
        name="GeForce",
        vendor="nvidia",
        kind=GpuKind.DISCRETE,
        total_bytes=int(total * GIB),
        free_bytes=None if free is None else int(free * GIB),
        bandwidth_bytes_per_second=272_000_000_000,
        usable_by_engine=usable,
    )


def unified(free: float, *, kind: GpuKind = GpuKind.UNIFIED) -> Gpu:
    return Gpu(
        id="metal",
        name="M4 Max",
        vendor="apple",
        kind=kind,
        total_bytes=int(free * GIB),
        free_bytes=int(free * GIB),
        bandwidth_bytes_per_second=546_000_000_000,
        usable_by_engine=True,
    )


SMALL = machine(24, 22, cores=2)
LAPTOP = machine(32, 28, nvidia(8, 7.5))
DESKTOP = machine(64, 56, nvidia(24, 23))
TWO_GPUS = machine(64, 56, nvidia(24, 23), nvidia(24, 23, index=1))
MAC = machine(64, 50, unified(48))

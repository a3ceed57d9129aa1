"""GPUs that drivers name poorly: name, kind and bandwidth from resources/hardware/gpus.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from openshelf import paths
from openshelf.errors import CorruptCatalog
from openshelf.hardware.facts import GpuKind


@dataclass(frozen=True)
class KnownGpu:
    """`pci` are "vendor:device" in hexadecimal; unknown figures are None."""

    name: str
    vendor: str
    kind: GpuKind
    pci: tuple[str, ...]
    total_bytes: int | None
    bandwidth_bytes_per_second: int | None
    source: str


@cache
def load_known_gpus(file: Path | None = None) -> tuple[KnownGpu, ...]:
    """The shipped table. Raises CorruptCatalog."""
    file = paths.resources() / "hardware" / "gpus.toml" if file is None else file
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        return tuple(
            KnownGpu(
                name=row["name"],
                vendor=row["vendor"],
                kind=GpuKind(row["kind"]),
                pci=tuple(row.get("pci", ())),
                total_bytes=row.get("total_bytes"),
                bandwidth_bytes_per_second=row.get("bandwidth_bytes_per_second"),
                source=row["source"],
            )
            for row in data["gpus"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptCatalog(path=file.name, detail=str(error)) from error


_EMPTY_WORDS = frozenset(("amd", "intel", "graphics", "r", "tm", "gpu"))


def is_known_integrated(name: str) -> bool:
    """Whether a driver's name, `AMD Radeon(TM) 780M Graphics`, is one of the integrated GPUs."""
    words = _words(name)
    integrated = (gpu for gpu in load_known_gpus() if gpu.kind is GpuKind.INTEGRATED)
    return bool(words) and any(_words(gpu.name) == words for gpu in integrated)


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", name.casefold())) - _EMPTY_WORDS


def find_by_pci(vendor_id: int, device_id: int) -> KnownGpu | None:
    wanted = f"{vendor_id:04x}:{device_id:04x}"
    return next((gpu for gpu in load_known_gpus() if wanted in gpu.pci), None)

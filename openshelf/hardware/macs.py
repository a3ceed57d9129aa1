"""Apple's chips with the RAM they are sold with: for "what if", and what sysctl does not tell."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from openshelf import paths
from openshelf.errors import CorruptCatalog
from openshelf.hardware.facts import Cpu, Gpu, GpuKind, Machine, Memory
from openshelf.hardware.metal import expected_working_set
from openshelf.units import GB, GIB

_SYSTEM_BYTES = 3 * GIB
_SYSTEM_PART = (3, 32)
"""What a freshly started Mac takes: three GiB, or this part of all RAM; our own share."""


@dataclass(frozen=True)
class AppleChip:
    """One chip with one bandwidth; the same name may stand for two of them."""

    name: str
    ram_gib: tuple[int, ...]
    bandwidth_bytes_per_second: int
    cores: int
    features: tuple[str, ...]
    source: str

    def machine(self, ram_gib: int) -> Machine:
        """A Mac with this chip. What Metal lends and what is free are expectations."""
        ram = ram_gib * GIB
        part, whole = _SYSTEM_PART
        full_name = f"Apple {self.name}"
        gpu = Gpu(
            id="apple-0",
            name=full_name,
            vendor="Apple",
            kind=GpuKind.UNIFIED,
            total_bytes=ram,
            free_bytes=expected_working_set(ram),
            bandwidth_bytes_per_second=self.bandwidth_bytes_per_second,
            driver="Metal",
            source=self.source,
            usable_by_engine=True,
        )
        return Machine(
            name=f"{self.name} {ram_gib} GB",
            os="macOS",
            arch="arm64",
            cpu=Cpu(full_name, self.cores, self.cores, self.features, self.source),
            memory=Memory(
                ram, ram - max(_SYSTEM_BYTES, ram * part // whole), self.source,
                self.bandwidth_bytes_per_second,
            ),
            gpus=(gpu,),
        )  # fmt: skip


@cache
def load_chips(file: Path | None = None) -> tuple[AppleChip, ...]:
    """The shipped chips, oldest first. Raises CorruptCatalog."""
    file = paths.resources() / "hardware" / "macs.toml" if file is None else file
    try:
        rows = tomllib.loads(file.read_text(encoding="utf-8"))["chips"]
        return tuple(
            AppleChip(
                name=row["name"],
                ram_gib=tuple(int(size) for size in row["ram_gib"]),
                bandwidth_bytes_per_second=round(row["gb_per_second"] * GB),
                cores=int(row["cores"]),
                features=tuple(row["features"]),
                source=row["source"],
            )
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptCatalog(path=file.name, detail=str(error)) from error


def apple_bandwidth(full_name: str, ram_bytes: int) -> int | None:
    """Bytes per second of `Apple M4 Max` with so much RAM; the smallest where the size is new."""
    named = [
        chip for chip in load_chips() if f"apple {chip.name}".casefold() == full_name.casefold()
    ]
    sized = [chip for chip in named if ram_bytes // GIB in chip.ram_gib]
    found = [chip.bandwidth_bytes_per_second for chip in sized or named]
    return min(found, default=None)

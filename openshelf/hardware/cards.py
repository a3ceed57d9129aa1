"""Graphics cards in a usual PC, for "what if": resources/hardware/cards-*.toml and pcs.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from openshelf import paths
from openshelf.errors import CorruptCatalog
from openshelf.hardware.facts import Cpu, Gpu, GpuKind, Machine, Memory
from openshelf.units import GB, GIB, MIB

MOST_CARDS = 8
_DISPLAY_BYTES = 600 * MIB
"""What a desktop's windows take of a card: our own share, as the others here."""
_DRIVER_PART = 50
_FIRMWARE_PART = 32
_SYSTEM_BYTES = 3 * GIB
_SMALL_RAM = 16 * GIB


@dataclass(frozen=True)
class Pc:
    """What stands around a card; `ram` are pairs of the card's memory and the RAM, in GiB."""

    cpu: Cpu
    bandwidth_bytes_per_second: int
    has_display: bool
    ram: tuple[tuple[int, int], ...]
    source: str

    def usual_ram_gib(self, card_gib: int) -> int:
        fitting = [gib for up_to, gib in self.ram if card_gib <= up_to]
        return fitting[0] if fitting else self.ram[-1][1]


@dataclass(frozen=True)
class CardProfile:
    """A card as sold; the rate in bytes per second is the maker's own figure."""

    name: str
    full_name: str
    vendor: str
    gib: int
    bandwidth_bytes_per_second: int
    reckoned_bytes_per_second: int | None
    """Bits of the bus / 8 × rate per pin, where both are known."""
    keeps_ecc: bool
    pc: Pc
    source: str

    @property
    def title(self) -> str:
        """The name with its memory: `RTX 3090 24 GB`."""
        return self.name if re.search(r"\d GB\b", self.name) else f"{self.name} {self.gib} GB"

    def machine(self, ram_gib: int | None = None, count: int = 1) -> Machine:
        """A PC with this card, or with several. What is free is an expectation."""
        ram_gib = ram_gib or self.pc.usual_ram_gib(self.gib)
        times = f"{count}× " if count > 1 else ""
        ram = ram_gib * GIB
        total = ram - ram // _FIRMWARE_PART
        system = _SYSTEM_BYTES if ram > _SMALL_RAM else 2 * GIB
        return Machine(
            name=f"{times}{self.title} + {ram_gib} GB",
            os="Linux",
            arch="x86_64",
            cpu=self.pc.cpu,
            memory=Memory(
                total, max(total // 2, total - system), self.pc.source,
                self.pc.bandwidth_bytes_per_second,
            ),
            gpus=tuple(self._gpu(index) for index in range(count)),
        )  # fmt: skip

    def _gpu(self, index: int) -> Gpu:
        total = self.gib * GIB
        if self.keeps_ecc:
            total -= total // 16
        # A display hangs on one card only.
        shown = _DISPLAY_BYTES if self.pc.has_display and index == 0 else 0
        return Gpu(
            id=f"{self.vendor.casefold()}-{index}",
            name=self.full_name,
            vendor=self.vendor,
            kind=GpuKind.DISCRETE,
            total_bytes=total,
            free_bytes=total - total // _DRIVER_PART - shown,
            bandwidth_bytes_per_second=self.bandwidth_bytes_per_second,
            source=self.source,
            usable_by_engine=True,
        )


@cache
def load_cards(folder: Path | None = None) -> tuple[CardProfile, ...]:
    """Every shipped card, in the files' order. Raises CorruptCatalog."""
    folder = paths.resources() / "hardware" if folder is None else folder
    name = "pcs.toml"
    try:
        pcs = {row["id"]: _pc(row) for row in _read(folder / name)["pcs"]}
        cards: list[CardProfile] = []
        for name in ("cards-nvidia.toml", "cards-amd.toml", "cards-intel.toml"):
            for family in _read(folder / name)["families"]:
                pc = pcs[family["pc"]]
                cards += [_card(row, family, pc) for row in family["cards"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptCatalog(path=name, detail=str(error)) from error
    return tuple(cards)


def _read(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _pc(row: Mapping[str, Any]) -> Pc:
    source = str(row["source"])
    features = tuple(row["features"])
    return Pc(
        cpu=Cpu(row["cpu"], int(row["cores"]), int(row["threads"]), features, source),
        bandwidth_bytes_per_second=round(row["gb_per_second"] * GB),
        has_display=bool(row["has_display"]),
        ram=tuple((int(step["up_to_gib"]), int(step["gib"])) for step in row["ram"]),
        source=source,
    )


def _card(row: Mapping[str, Any], family: Mapping[str, Any], pc: Pc) -> CardProfile:
    name = str(row["name"])
    has_parts = "bus_bits" in row and "gbit_per_pin" in row
    return CardProfile(
        name=name,
        full_name=f"{family['prefix']}{name}",
        vendor=family["vendor"],
        gib=int(row["gib"]),
        bandwidth_bytes_per_second=round(row["gb_per_second"] * GB),
        reckoned_bytes_per_second=round(row["bus_bits"] * row["gbit_per_pin"] * GB / 8)
        if has_parts
        else None,
        keeps_ecc=bool(family.get("ecc", False)),
        pc=pc,
        source=str(family["source"]).format(name=name),
    )

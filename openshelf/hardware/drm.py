"""Graphics cards as the Linux kernel lists them under /sys/class/drm."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openshelf.hardware.sources import Sources

_CARD = re.compile(r"/card\d+$")


@dataclass(frozen=True)
class Card:
    """One card: `device` is the folder of its PCI device, ids are numbers."""

    device: str
    vendor_id: int
    device_id: int
    driver: str | None


def list_cards(sources: Sources, vendor_id: int) -> list[Card]:
    """The cards of one vendor in the kernel's order; connectors and render nodes are left out."""
    cards = []
    for path in sources.glob("/sys/class/drm/card*"):
        if not _CARD.search(path):
            continue
        device = f"{path}/device"
        if sources.read_int(f"{device}/vendor") != vendor_id:
            continue
        number = sources.read_int(f"{device}/device")
        uevent = sources.read(f"{device}/uevent") or ""
        driver = re.search(r"^DRIVER=(\S+)", uevent, re.MULTILINE)
        cards.append(Card(device, vendor_id, number or 0, driver[1] if driver else None))
    return cards


def largest_bar_bytes(sources: Sources, device: str) -> int | None:
    """Size of the largest memory window of a PCI device (all of VRAM with resizable BAR)."""
    sizes = []
    for line in (sources.read(f"{device}/resource") or "").splitlines():
        fields = line.split()
        try:
            start, end = int(fields[0], 16), int(fields[1], 16)
        except (ValueError, IndexError):
            continue
        if end > start:
            sizes.append(end - start + 1)
    return max(sizes, default=None)

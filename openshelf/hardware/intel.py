"""Intel GPUs on Linux: which one it is; its memory only where a kernel file tells it."""

from __future__ import annotations

from openshelf.hardware.drm import Card, largest_bar_bytes, list_cards
from openshelf.hardware.facts import Gpu, GpuKind
from openshelf.hardware.known_gpus import find_by_pci
from openshelf.hardware.sources import Sources
from openshelf.reasons import Reason
from openshelf.units import GIB

INTEL = 0x8086
_LOCAL_MEMORY_FILES = ("lmem_total_bytes", "device/tile0/physical_vram_size_bytes")
_SMALL_WINDOW = GIB
"""Without resizable BAR the window is 256 MiB and says nothing about the memory behind it."""


def probe_intel(sources: Sources) -> tuple[Gpu, ...]:
    """All Intel GPUs. Free memory is not told by the kernel; the engine's device list knows it."""
    if sources.system != "Linux":
        return ()
    cards = list_cards(sources, INTEL)
    return tuple(_gpu(sources, card, index) for index, card in enumerate(cards))


def _gpu(sources: Sources, card: Card, index: int) -> Gpu:
    known = find_by_pci(INTEL, card.device_id)
    local = _local_memory(sources, card)
    guessed = GpuKind.DISCRETE if local else GpuKind.INTEGRATED
    kind = known.kind if known else guessed
    total = None
    if kind is GpuKind.DISCRETE:
        total = local or (known.total_bytes if known else None)
    code = "gpu_shares_ram" if kind is GpuKind.INTEGRATED else "gpu_free_memory_from_engine"
    return Gpu(
        id=f"intel-{index}",
        name=known.name if known else f"Intel GPU {card.device_id:04x}",
        vendor="Intel",
        kind=kind,
        total_bytes=total,
        free_bytes=None,
        bandwidth_bytes_per_second=known.bandwidth_bytes_per_second if known else None,
        driver=card.driver,
        source="sysfs",
        reason=Reason(code),
    )


def _local_memory(sources: Sources, card: Card) -> int | None:
    folder = card.device.removesuffix("/device")
    for name in _LOCAL_MEMORY_FILES:
        size = sources.read_int(f"{folder}/{name}")
        if size:
            return size
    window = largest_bar_bytes(sources, card.device)
    return window if window is not None and window >= _SMALL_WINDOW else None

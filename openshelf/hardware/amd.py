"""AMD GPUs on Linux: the amdgpu driver tells its memory in sysfs."""

from __future__ import annotations

from openshelf.hardware.drm import Card, list_cards
from openshelf.hardware.facts import Gpu, GpuKind
from openshelf.hardware.known_gpus import find_by_pci
from openshelf.hardware.sources import Sources
from openshelf.reasons import Reason
from openshelf.units import GIB

AMD = 0x1002
_LARGEST_UNKNOWN_CARVE_OUT = 4 * GIB


def probe_amd(sources: Sources) -> tuple[Gpu, ...]:
    """All AMD GPUs. What an integrated one may borrow of RAM is told apart (`lent_free_bytes`)."""
    if sources.system != "Linux":
        return ()
    cards = list_cards(sources, AMD)
    return tuple(_gpu(sources, card, index) for index, card in enumerate(cards))


def _gpu(sources: Sources, card: Card, index: int) -> Gpu:
    known = find_by_pci(AMD, card.device_id)
    kind = known.kind if known else _guess_kind(sources, card)
    total, free, lent = _memory(sources, card, kind)
    name = sources.read(f"{card.device}/product_name") or (known.name if known else "")
    return Gpu(
        id=f"amd-{index}",
        name=name or f"AMD GPU {card.device_id:04x}",
        vendor="AMD",
        kind=kind,
        total_bytes=total,
        free_bytes=free,
        bandwidth_bytes_per_second=known.bandwidth_bytes_per_second if known else None,
        driver=card.driver,
        source="sysfs",
        reason=None if total is not None else Reason("amd_memory_unreadable"),
        lent_free_bytes=lent,
    )


def _guess_kind(sources: Sources, card: Card) -> GpuKind:
    # The kernel names a maker of video memory only where there is some soldered on.
    if sources.read(f"{card.device}/mem_info_vram_vendor"):
        return GpuKind.DISCRETE
    vram = sources.read_int(f"{card.device}/mem_info_vram_total") or 0
    return GpuKind.INTEGRATED if vram <= _LARGEST_UNKNOWN_CARVE_OUT else GpuKind.DISCRETE


def _memory(
    sources: Sources, card: Card, kind: GpuKind
) -> tuple[int | None, int | None, int | None]:
    """(total, free, of that lent). An integrated GPU has its carve-out, and RAM on top."""
    total = sources.read_int(f"{card.device}/mem_info_vram_total")
    if not total:
        return None, None, None
    free = max(0, total - (sources.read_int(f"{card.device}/mem_info_vram_used") or 0))
    if kind is GpuKind.DISCRETE:
        return total, free, None
    lent = sources.read_int(f"{card.device}/mem_info_gtt_total") or 0
    lent_free = max(0, lent - (sources.read_int(f"{card.device}/mem_info_gtt_used") or 0))
    return total + lent, free + lent_free, lent_free

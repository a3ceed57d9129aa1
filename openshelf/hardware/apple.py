"""Apple silicon: one memory for CPU and GPU."""

from __future__ import annotations

from openshelf.hardware.facts import Gpu, GpuKind
from openshelf.hardware.macs import apple_bandwidth
from openshelf.hardware.sources import ProbeFailed, Sources
from openshelf.reasons import Reason


def probe_apple(sources: Sources) -> tuple[Gpu, ...]:
    """The GPU of an Apple chip; empty elsewhere and on Intel Macs.

    How much of the memory Metal will lend is macOS's own decision and changes with settings, so
    `free_bytes` stays unknown until the engine's device list tells it.
    """
    if sources.system != "Darwin" or sources.arch != "arm64":
        return ()
    text = sources.run_command(["/usr/sbin/sysctl", "-i", "hw.memsize", "machdep.cpu.brand_string"])
    pairs = (line.partition(":") for line in text.splitlines())
    values = {name.strip(): value.strip() for name, _, value in pairs}
    size = values.get("hw.memsize", "")
    if not size.isdigit():
        raise ProbeFailed("apple_memory_unknown")
    name = values.get("machdep.cpu.brand_string") or "Apple GPU"
    return (
        Gpu(
            id="apple-0",
            name=name,
            vendor="Apple",
            kind=GpuKind.UNIFIED,
            total_bytes=int(size),
            free_bytes=None,
            bandwidth_bytes_per_second=apple_bandwidth(name, int(size)),
            driver="Metal",
            source="sysctl",
            reason=Reason("gpu_free_memory_from_engine"),
        ),
    )

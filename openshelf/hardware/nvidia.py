"""NVIDIA GPUs through NVML, asked in a child process; nothing is started where no driver is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openshelf.hardware.facts import Gpu, GpuKind
from openshelf.hardware.sources import ProbeFailed, Sources
from openshelf.reasons import Reason

_LINUX_SIGNS = (
    "/proc/driver/nvidia/version",
    "/dev/nvidiactl",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
)
_WINDOWS_LIBRARY = r"System32\nvml.dll"


def has_driver(sources: Sources) -> bool:
    """Whether an NVIDIA driver seems present; cheap, and wrong only on the side of asking."""
    if sources.system == "Linux":
        return any(sources.exists(path) for path in _LINUX_SIGNS)
    if sources.system == "Windows":
        root = sources.environment.get("SYSTEMROOT", r"C:\Windows")
        return sources.exists(f"{root}\\{_WINDOWS_LIBRARY}")
    return False


def probe_nvidia(sources: Sources) -> tuple[Gpu, ...]:
    """All NVIDIA GPUs; empty without a driver.

    A driver that does not answer still yields the GPUs that the kernel names, with unknown memory
    and the reason. Raises ProbeFailed where not even a name is known.
    """
    if not has_driver(sources):
        return ()
    try:
        answer = sources.ask_nvidia()
        if "error" in answer:
            raise ProbeFailed("nvidia_failed", detail=str(answer["error"]))
        return tuple(_gpu(row, answer, index) for index, row in enumerate(_rows(answer)))
    except ProbeFailed as failure:
        named = _from_kernel(sources, failure.reason)
        if not named:
            raise
        return named


def _rows(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = answer.get("gpus")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProbeFailed("nvidia_failed", detail="no list of GPUs in its answer")
    return rows


def _gpu(row: Mapping[str, Any], answer: Mapping[str, Any], index: int) -> Gpu:
    total, free = _count(row.get("total_bytes")), _count(row.get("free_bytes"))
    return Gpu(
        id=f"nvidia-{index}",
        name=str(row.get("name") or "NVIDIA GPU"),
        vendor="NVIDIA",
        kind=GpuKind.DISCRETE if total is not None else GpuKind.UNIFIED,
        total_bytes=total,
        free_bytes=free,
        bandwidth_bytes_per_second=_bandwidth(row),
        driver=str(answer["driver"]) if answer.get("driver") else None,
        source="NVML",
        # Boards that share their memory with the CPU (GB10, Jetson) do not tell it through NVML.
        reason=None if total is not None else Reason("gpu_memory_from_engine"),
    )


def _bandwidth(row: Mapping[str, Any]) -> int | None:
    """Two transfers per clock of the memory, over the width of its bus."""
    clock, width = _count(row.get("memory_clock_hz")), _count(row.get("bus_width_bits"))
    return 2 * clock * width // 8 if clock and width else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _from_kernel(sources: Sources, reason: Reason) -> tuple[Gpu, ...]:
    gpus: list[Gpu] = []
    for path in sources.glob("/proc/driver/nvidia/gpus/*/information"):
        for line in (sources.read(path) or "").splitlines():
            field, _, value = line.partition(":")
            if field.strip() == "Model" and value.strip():
                gpus.append(
                    Gpu(
                        id=f"nvidia-{len(gpus)}",
                        name=value.strip(),
                        vendor="NVIDIA",
                        kind=GpuKind.DISCRETE,
                        total_bytes=None,
                        free_bytes=None,
                        source="/proc/driver/nvidia",
                        reason=reason,
                    )
                )
    return tuple(gpus)

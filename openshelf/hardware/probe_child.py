"""The child that talks to a driver: prints one JSON object and ends, whatever the driver does."""

from __future__ import annotations

import json
import sys
from typing import Any


def run_probe(arguments: list[str]) -> int:
    """Entry of `Door.PROBE`; the one probe so far is `nvidia`."""
    if arguments != ["nvidia"]:
        sys.stdout.write(json.dumps({"error": "no such probe"}) + "\n")
        return 2
    sys.stdout.write(json.dumps(read_nvml()) + "\n")
    sys.stdout.flush()
    return 0


def read_nvml() -> dict[str, Any]:
    """`{"driver", "gpus": [{"name", "total_bytes", "free_bytes", …}]}` or `{"error"}`."""
    try:
        import pynvml
    except ImportError:
        return {"error": "nvidia-ml-py is not installed"}
    try:
        pynvml.nvmlInit()
        driver = pynvml.nvmlSystemGetDriverVersion()
        count = pynvml.nvmlDeviceGetCount()
        gpus = [_read_gpu(pynvml, index) for index in range(count)]
    except pynvml.NVMLError as error:
        return {"error": str(error)}
    return {"driver": _text(driver), "gpus": gpus}


def _read_gpu(pynvml: Any, index: int) -> dict[str, Any]:
    """Each value on its own: what one board does not support must not hide the rest."""
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)

    def ask(function: Any, *arguments: Any) -> Any:
        try:
            return function(handle, *arguments)
        except pynvml.NVMLError:
            return None

    memory = ask(pynvml.nvmlDeviceGetMemoryInfo)
    clock = ask(pynvml.nvmlDeviceGetMaxClockInfo, pynvml.NVML_CLOCK_MEM)
    return {
        "name": _text(ask(pynvml.nvmlDeviceGetName)),
        "uuid": _text(ask(pynvml.nvmlDeviceGetUUID)),
        "total_bytes": int(memory.total) if memory else None,
        "free_bytes": int(memory.free) if memory else None,
        "memory_clock_hz": int(clock) * 1_000_000 if clock else None,
        "bus_width_bits": ask(pynvml.nvmlDeviceGetMemoryBusWidth),
    }


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)

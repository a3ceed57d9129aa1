"""Sentences for hardware: what could not be found out, and why."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "cpu_unknown": "The number of processor cores could not be read.",
    "disk_unknown": "The free space of the disk could not be read: {detail}",
    "command_failed": "The command {command} gave no answer: {detail}",
    "probe_failed": "Looking for {probe} failed: {detail}",
    "probe_too_slow": "Looking for {probe} took longer than {seconds:duration}, so its result is unknown.",
    "nvidia_timeout": "Memory unknown: the NVIDIA driver did not answer within {seconds:duration}.",
    "nvidia_failed": "Memory unknown: the NVIDIA driver does not answer ({detail}). Reinstalling the driver and restarting usually helps.",
    "amd_memory_unreadable": "Memory unknown: the amdgpu driver does not tell it. The driver may be another one or too old.",
    "apple_memory_unknown": "macOS did not tell the size of the memory.",
    "dxgi_failed": "Windows did not list its graphics adapters: {detail}",
    "gpu_memory_from_engine": "Memory unknown: the driver does not tell it; the engine's device list will.",
    "gpu_free_memory_from_engine": "How much of it is free is known once the engine has listed its devices.",
    "gpu_shares_ram": "Shares the RAM; how much it may use is known once the engine has listed its devices.",
    "probe_nvidia": "Asking the NVIDIA driver",
    "probe_cpu": "Reading the processor",
    "probe_memory": "Reading the memory",
    "probe_disk": "Reading the disks",
    "probe_amd": "Looking for AMD GPUs",
    "probe_intel": "Looking for Intel GPUs",
    "probe_apple": "Looking for an Apple GPU",
    "probe_windows": "Looking for graphics adapters",
}

"""Joins what the hardware probes found with what this engine build can use."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from openshelf.engine.protocol import Device, Devices
from openshelf.hardware.facts import EngineBuild, EngineDevice, Gpu, GpuKind, Machine
from openshelf.reasons import Reason

# The backends that reach a vendor's GPUs, the usual one first.
_BACKENDS = {
    "nvidia": ("CUDA", "Vulkan"),
    "amd": ("ROCm", "Vulkan"),
    "intel": ("SYCL", "Vulkan"),
    "apple": ("Metal",),
}
# Names of ggml's devices as they begin (CUDA0, Vulkan1, MTL0, HIP0).
_DEVICE_BACKENDS = {
    "cuda": "CUDA", "rocm": "ROCm", "hip": "ROCm", "vulkan": "Vulkan", "metal": "Metal",
    "mtl": "Metal", "sycl": "SYCL", "musa": "MUSA", "opencl": "OpenCL", "cann": "CANN",
}  # fmt: skip
_EMPTY_WORDS = frozenset(
    ("nvidia", "amd", "ati", "intel", "apple", "corporation", "inc", "gpu", "graphics", "r", "tm",
     "geforce", "radeon", "advanced", "micro", "devices", "radv", "mesa", "llvm")
)  # fmt: skip


def join_devices(machine: Machine, devices: Devices) -> Machine:
    """`machine` with its engine, and for every GPU whether the engine can use it and why not.

    Each of the engine's GPUs goes to one of the machine's. A GPU that shares the CPU's memory
    takes its size from the engine (Apple's recommended working set).
    """
    gpu_devices = [device for device in devices.devices if device.type in ("gpu", "igpu")]
    backends = tuple(dict.fromkeys(_backend_of(device) for device in gpu_devices))
    left = list(gpu_devices)
    matches = _matches(machine.gpus, left)
    gpus = [_joined(gpu, matches.get(gpu.id), left, backends) for gpu in machine.gpus]
    notes = () if devices.has_extra_buffers else (Reason("engine_plain_multiplication"),)
    return replace(
        machine,
        gpus=tuple(gpus),
        notes=(*machine.notes, *notes),
        engine=EngineBuild(
            version=devices.engine_version,
            devices=tuple(
                EngineDevice(d.name, d.description, d.type, d.total_bytes, d.free_bytes)
                for d in devices.devices
            ),
            has_extra_buffers=devices.has_extra_buffers,
            network_fault=devices.network_fault,
        ),
    )


def _matches(gpus: tuple[Gpu, ...], left: list[Device]) -> dict[str, Device]:
    """The device of each GPU, by its id; they are taken out of `left`."""
    matches: dict[str, Device] = {}
    # Names first: what they leave over is told by maker and kind.
    for find in (_best_match, partial(_only_one_of_its_kind, gpus)):
        for gpu in gpus:
            match = None if gpu.id in matches else find(gpu, left)
            if match is not None:
                left.remove(match)
                matches[gpu.id] = match
    return matches


def _joined(gpu: Gpu, match: Device | None, left: list[Device], backends: tuple[str, ...]) -> Gpu:
    if match is not None:
        total, free = gpu.total_bytes, gpu.free_bytes
        if match.total_bytes and (gpu.kind is GpuKind.UNIFIED or total is None):
            total, free = match.total_bytes, match.free_bytes
        return replace(
            gpu,
            total_bytes=total,
            free_bytes=match.free_bytes if free is None and match.total_bytes else free,
            usable_by_engine=True,
            reason=Reason("gpu_used_through", {"backend": _backend_of(match), "name": match.name}),
        )
    wanted = _BACKENDS.get(gpu.vendor.lower(), ())
    data: dict[str, object] = {"name": gpu.name, "wanted": list(wanted), "backends": list(backends)}
    if not backends:
        return _not_usable(gpu, "engine_without_gpu", data)
    if wanted and not set(wanted) & set(backends):
        return _not_usable(gpu, "engine_without_backend", data)
    if left:
        # The engine lists a GPU under a name that says nothing to us: it may be this one.
        data["listed"] = [device.description for device in left]
        return replace(gpu, usable_by_engine=None, reason=Reason("gpu_not_recognized", data))
    return _not_usable(gpu, "gpu_not_listed", data)


def _not_usable(gpu: Gpu, code: str, data: dict[str, object]) -> Gpu:
    return replace(gpu, usable_by_engine=False, reason=Reason(code, data))


def _best_match(gpu: Gpu, devices: list[Device]) -> Device | None:
    """The device that shares the most telling words with the GPU's name, if any does."""
    words = _words(gpu.name)
    best, best_score = None, (False, 0)
    for device in devices:
        theirs = _words(device.description)
        score = (theirs == words, len(words & theirs))
        if (words <= theirs or theirs <= words) and score[1] and score > best_score:
            best, best_score = device, score
    if best is not None:
        return best
    if gpu.vendor.lower() == "apple" and len(devices) == 1 and _backend_of(devices[0]) == "Metal":
        return devices[0]
    return None


_MAKERS = {"nvidia": "nvidia|geforce", "amd": "amd|radeon", "intel": "intel", "apple": "apple"}


def _only_one_of_its_kind(gpus: tuple[Gpu, ...], gpu: Gpu, devices: list[Device]) -> Device | None:
    """The one device of this maker and kind, where the machine has one such GPU too.

    A kernel's name may say nothing (`Radeon Graphics`), or the table does not know the chip.
    """
    maker = _MAKERS.get(gpu.vendor.lower())
    alike = [one for one in gpus if (one.vendor, one.kind) == (gpu.vendor, gpu.kind)]
    device_type = "gpu" if gpu.kind is GpuKind.DISCRETE else "igpu"
    found = [
        device
        for device in devices
        if device.type == device_type and maker and re.search(maker, device.description.lower())
    ]
    return found[0] if len(alike) == len(found) == 1 else None


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", name.lower())) - _EMPTY_WORDS


def _backend_of(device: Device) -> str:
    prefix = re.match(r"[A-Za-z]+", device.name)
    return _DEVICE_BACKENDS.get(prefix[0].lower(), prefix[0]) if prefix else device.name

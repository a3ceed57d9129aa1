"""Which GPUs the engine can use, and what is said about the others."""

from __future__ import annotations

import pytest

from openshelf import wording
from openshelf.engine.devices import join_devices
from openshelf.engine.protocol import Device, Devices
from openshelf.hardware.facts import Cpu, Gpu, GpuKind, Machine, Memory

GIB = 1 << 30
CPU = Device("CPU", "AMD Ryzen", "cpu", 32 * GIB, 32 * GIB)


def machine_with(*gpus: Gpu) -> Machine:
    return Machine("linux", "x86_64", Cpu("c", 8, 16), Memory(32 * GIB, 20 * GIB), gpus)


def gpu(name: str, vendor: str, kind: GpuKind = GpuKind.DISCRETE, number: int = 0) -> Gpu:
    return Gpu(f"gpu:{number}", name, vendor, kind, 8 * GIB, 7 * GIB)


def engine_with(*devices: Device) -> Devices:
    return Devices(1, "llama.cpp 1", (*devices, CPU))


def test_a_cpu_build_says_which_backends_are_missing() -> None:
    machine = join_devices(
        machine_with(gpu("NVIDIA GeForce RTX 4070", "nvidia"), gpu("Apple M2", "apple")),
        engine_with(),
    )
    nvidia, apple = machine.gpus
    assert (nvidia.usable_by_engine, apple.usable_by_engine) == (False, False)
    assert nvidia.reason is not None
    assert "CUDA" in wording.sentence(nvidia.reason)
    assert apple.reason is not None
    assert "Metal" in wording.sentence(apple.reason)
    assert machine.engine is not None
    assert machine.engine.version == "llama.cpp 1"
    assert [device.name for device in machine.engine.devices] == ["CPU"]


@pytest.mark.parametrize(
    ("name", "vendor", "device"),
    [
        (
            "NVIDIA GeForce RTX 4070",
            "nvidia",
            Device("CUDA0", "NVIDIA GeForce RTX 4070", "gpu", 12 * GIB, 11 * GIB),
        ),
        (
            "Radeon RX 7900 XTX",
            "AMD",
            Device("Vulkan0", "AMD Radeon RX 7900 XTX (RADV NAVI31)", "gpu", 24 * GIB, 23 * GIB),
        ),
        ("Apple M2 Pro", "apple", Device("MTL0", "Apple M2 Pro", "gpu", 22 * GIB, 21 * GIB)),
        ("M2 GPU", "apple", Device("Metal", "Apple M2", "gpu", 22 * GIB, 21 * GIB)),
    ],
)
def test_a_listed_gpu_is_usable(name: str, vendor: str, device: Device) -> None:
    joined = join_devices(machine_with(gpu(name, vendor)), engine_with(device)).gpus[0]
    assert joined.usable_by_engine is True
    assert joined.total_bytes == 8 * GIB


def test_unified_memory_takes_the_recommended_working_set() -> None:
    unified = gpu("Apple M2 Pro", "apple", GpuKind.UNIFIED)
    device = Device("MTL0", "Apple M2 Pro", "gpu", 22 * GIB, 21 * GIB)
    joined = join_devices(machine_with(unified), engine_with(device)).gpus[0]
    assert (joined.total_bytes, joined.free_bytes) == (22 * GIB, 21 * GIB)


def test_two_equal_gpus_need_two_devices() -> None:
    name = "NVIDIA GeForce RTX 3090"
    two = machine_with(gpu(name, "nvidia"), gpu(name, "nvidia", number=1))
    first = Device("CUDA0", name, "gpu", GIB, GIB)
    second = Device("CUDA1", name, "gpu", GIB, GIB)
    assert [g.usable_by_engine for g in join_devices(two, engine_with(first, second)).gpus] == [
        True,
        True,
    ]
    only_one = join_devices(two, engine_with(first)).gpus
    assert [g.usable_by_engine for g in only_one] == [True, False]
    assert only_one[1].reason is not None
    assert only_one[1].reason.code == "gpu_not_listed"


def test_another_vendors_backend_does_not_help() -> None:
    joined = join_devices(
        machine_with(gpu("Radeon RX 580", "amd")),
        engine_with(Device("CUDA0", "NVIDIA GeForce RTX 4070", "gpu", GIB, GIB)),
    ).gpus[0]
    assert joined.usable_by_engine is False
    assert joined.reason is not None
    assert joined.reason.code == "engine_without_backend"


def test_a_name_we_do_not_recognize_stays_unknown() -> None:
    joined = join_devices(
        machine_with(gpu("Radeon Vega 8", "amd", GpuKind.INTEGRATED)),
        engine_with(Device("Vulkan0", "RAVEN (gfx902)", "igpu", GIB, GIB)),
    ).gpus[0]
    assert joined.usable_by_engine is None
    assert joined.reason is not None
    assert joined.reason.code == "gpu_not_recognized"
    assert "RAVEN" in wording.sentence(joined.reason)


def test_the_only_one_of_its_maker_and_kind_needs_no_name() -> None:
    device = Device("Vulkan0", "AMD Radeon Graphics (RADV RAPHAEL_MENDOCINO)", "igpu", GIB, GIB)
    integrated = gpu("Radeon Graphics", "AMD", GpuKind.INTEGRATED)
    card = gpu("Radeon RX 7600", "AMD", number=1)
    joined = join_devices(machine_with(card, integrated), engine_with(device)).gpus
    assert [one.usable_by_engine for one in joined] == [False, True]
    two = machine_with(integrated, gpu("AMD GPU fff1", "AMD", GpuKind.INTEGRATED, 1))
    joined = join_devices(two, engine_with(device)).gpus
    assert [one.usable_by_engine for one in joined] == [None, None]


def test_the_3060_is_not_the_3060_ti() -> None:
    """The longer name wins where both are there."""
    both = machine_with(
        gpu("NVIDIA GeForce RTX 3060 Ti", "nvidia"),
        gpu("NVIDIA GeForce RTX 3060", "nvidia", number=1),
    )
    joined = join_devices(
        both,
        engine_with(
            Device("CUDA0", "NVIDIA GeForce RTX 3060", "gpu", GIB, GIB),
            Device("CUDA1", "NVIDIA GeForce RTX 3060 Ti", "gpu", GIB, GIB),
        ),
    ).gpus
    names = [g.reason.data["name"] for g in joined if g.reason is not None]
    assert names == ["CUDA1", "CUDA0"]

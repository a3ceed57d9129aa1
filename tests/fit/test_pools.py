"""What a model may take of each memory, on recorded machines: nothing counted twice or left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from openshelf.engine.devices import join_devices
from openshelf.engine.protocol import Device, Devices
from openshelf.fit.memory import FitRequest
from openshelf.fit.pools import (
    GPU_RESERVE_BYTES,
    RAM,
    RAM_RESERVE_BYTES,
    budgets,
    unused_gpus,
    usable_gpus,
)
from openshelf.fit.verdict import FitVerdict, fit_on
from openshelf.hardware.detect import detect_machine
from openshelf.hardware.facts import GpuKind, Machine
from openshelf.hardware.metal import expected_working_set
from openshelf.hardware.profiles import find_machine
from openshelf.tasks import CancelToken
from openshelf.units import GIB
from tests.fit.machines import MAC, machine, nvidia, shape_of, unified
from tests.hardware.replay import load_recording, replay


def replayed(name: str, tmp_path: Path, *devices: Device) -> Machine:
    """A recorded machine, joined with what an engine would list on it."""
    sources = replay(load_recording(name), tmp_path / name)
    found = detect_machine(CancelToken(), sources=sources, folders=(tmp_path,))
    return join_devices(found, Devices(1, "test", devices))


def listed(name: str, kind: str = "gpu", total: int = 0, free: int = 0, number: int = 0) -> Device:
    return Device(f"Vulkan{number}", name, kind, total, free)


def reserve(of: Machine) -> int:
    return max(RAM_RESERVE_BYTES, of.memory.total_bytes // 10)


def test_an_apu_with_512_mb_carve_out_is_neither_512_mb_nor_all_of_ram(tmp_path: Path) -> None:
    apu = replayed("ryzen-apu", tmp_path, listed("AMD GPU fff1", "igpu"))
    assert set(budgets(apu)) == {RAM}
    left = budgets(apu)[RAM]
    assert left == apu.memory.available_bytes - reserve(apu)
    (gpu,) = usable_gpus(apu)
    assert gpu.pool == RAM
    assert 512 << 20 < gpu.limit_bytes < apu.memory.total_bytes
    # The 500 MB outside RAM are not added to what RAM has.
    assert left < gpu.limit_bytes <= apu.memory.available_bytes + (512 << 20)


def test_strix_halo_uses_one_memory_up_to_what_the_driver_lends(tmp_path: Path) -> None:
    halo = replayed("strix-halo", tmp_path, listed("Radeon 8060S Graphics (RADV GFX1151)", "igpu"))
    assert budgets(halo) == {RAM: halo.memory.available_bytes - reserve(halo)}
    (gpu,) = usable_gpus(halo)
    assert (gpu.pool, gpu.limit_bytes) == (RAM, 107_148_661_504)
    result = fit_on(shape_of("llama3.1-8b"), halo, FitRequest())
    assert result.verdict is FitVerdict.FITS_GPU
    assert sum(pool.needed_bytes for pool in result.pools) == result.total_bytes


def test_memory_that_the_firmware_took_is_not_looked_for_in_ram(tmp_path: Path) -> None:
    """96 of 128 GB set aside: what is left of RAM says nothing about the GPU's own part."""
    halo = replayed(
        "strix-halo-carve-out", tmp_path, listed("Radeon 8060S Graphics (RADV GFX1151)", "igpu")
    )
    own = 103_079_215_104 - 500_000_000
    assert budgets(halo) == {
        RAM: halo.memory.available_bytes - reserve(halo),
        "amd-0": own - GPU_RESERVE_BYTES,
    }
    result = fit_on(shape_of("llama3.3-70b"), halo, FitRequest())
    assert result.verdict is FitVerdict.FITS_GPU
    needed = {pool.id: pool.needed_bytes for pool in result.pools}
    assert needed["amd-0"] > 40 * GIB > needed[RAM]


@pytest.mark.parametrize(
    ("name", "chip", "working_set", "taken"),
    [
        ("mac-m1-8gb", "Apple M1", 5461, 0),
        ("mac-m4-max", "Apple M4 Max", 49_152, 4096),
        ("mac-m3-ultra-512gb", "Apple M3 Ultra", 475_136, 100),
    ],
)
def test_a_mac_lends_its_working_set_less_what_is_allocated_and_ram_keeps_its_reserve(
    tmp_path: Path, name: str, chip: str, working_set: int, taken: int
) -> None:
    metal = Device("MTL0", chip, "gpu", working_set << 20, (working_set - taken) << 20)
    mac = replayed(name, tmp_path, metal)
    (gpu,) = usable_gpus(mac)
    assert (gpu.pool, gpu.limit_bytes) == (RAM, (working_set - taken) << 20)
    assert budgets(mac) == {RAM: max(0, mac.memory.available_bytes - reserve(mac))}


def test_a_mac_that_was_not_asked_is_not_expected_to_lend_all_of_its_ram() -> None:
    silent = dataclasses.replace(unified(48), free_bytes=None)
    mac = dataclasses.replace(MAC, gpus=(silent,))
    assert usable_gpus(mac)[0].limit_bytes == expected_working_set(64 * GIB) < 52 * GIB


@pytest.mark.parametrize("model", ["llama3.1-8b", "gemma3-4b"])
def test_mapped_weights_of_unified_memory_count_once(model: str) -> None:
    shape = shape_of(model)
    result = fit_on(shape, MAC, FitRequest())
    assert result.verdict is FitVerdict.FITS_GPU
    (pool,) = result.pools
    weights = sum(device.weights_bytes for device in result.devices)
    rest = result.total_bytes - weights
    once = weights - (shape.embedding_bytes if shape.tied_output else 0)
    assert pool.needed_bytes == once + rest
    assert once <= shape.weights_bytes * 1.001


def test_two_nvidia_cards_of_different_size_share_by_what_each_has_free() -> None:
    pair = machine(64, 56, nvidia(24, 23), nvidia(12, 11.5, index=1))
    assert budgets(pair)["cuda0"] == 22 * GIB
    assert budgets(pair)["cuda1"] == int(10.5 * GIB)
    result = fit_on(shape_of("llama3.1-8b"), pair, FitRequest())
    first, second = result.devices[1:]
    assert first.weights_bytes > second.weights_bytes > 0
    assert result.plan is not None
    assert result.plan.tensor_split == (22.0 * GIB, 10.5 * GIB)


def test_two_cards_and_an_integrated_gpu_leave_that_one_alone(tmp_path: Path) -> None:
    desktop = replayed(
        "desktop-two-nvidia", tmp_path, listed("NVIDIA GeForce RTX 3090"),
        listed("NVIDIA GeForce RTX 3090", number=1), listed("AMD Radeon Graphics", "igpu"),
    )  # fmt: skip
    assert [gpu.usable_by_engine for gpu in desktop.gpus] == [True, True, True]
    assert [usable.pool for usable in usable_gpus(desktop)] == ["nvidia-0", "nvidia-1"]
    assert budgets(desktop)[RAM] == desktop.memory.available_bytes - reserve(desktop)


def test_an_8_gb_card_with_3_gb_in_use_has_what_is_free() -> None:
    busy = machine(32, 24, nvidia(8, 5))
    assert budgets(busy)["cuda0"] == 4 * GIB
    result = fit_on(shape_of("llama3.1-8b"), busy, FitRequest())
    assert result.verdict is FitVerdict.FITS_SPLIT
    idle = machine(32, 24, nvidia(8, 7.7))
    assert fit_on(shape_of("llama3.1-8b"), idle, FitRequest()).verdict is (FitVerdict.FITS_GPU)


@pytest.mark.parametrize("name", ["server-cgroup-v1", "server-cgroup-v2"])
def test_a_cgroup_limit_bounds_ram(tmp_path: Path, name: str) -> None:
    server = replayed(name, tmp_path)
    limit = server.memory.total_bytes
    assert limit <= 8 * GIB
    assert budgets(server) == {RAM: max(0, server.memory.available_bytes - 2 * GIB)}
    assert budgets(server)[RAM] < limit


def test_a_gpu_that_the_engine_cannot_use_leaves_ram_and_the_reason(tmp_path: Path) -> None:
    laptop = replayed("laptop-nvidia", tmp_path)
    assert usable_gpus(laptop) == ()
    assert set(budgets(laptop)) == {RAM}
    assert [reason.code for reason in unused_gpus(laptop)] == ["fit_gpu_not_usable"] * 2
    assert unused_gpus(laptop)[0].data["why"] == "engine_without_gpu"
    result = fit_on(shape_of("llama3.1-8b"), laptop, FitRequest())
    assert result.verdict is FitVerdict.FITS_CPU
    assert "fit_gpu_not_usable" in [reason.code for reason in result.reasons]


def test_a_broken_driver_leaves_its_gpu_out(tmp_path: Path) -> None:
    broken = replayed("broken-nvml", tmp_path, listed("NVIDIA GeForce RTX 3090"))
    assert broken.gpus[0].free_bytes is None or broken.gpus[0].free_bytes == 0
    assert [reason.code for reason in unused_gpus(broken)] == ["fit_gpu_memory_unknown"]
    assert set(budgets(broken)) == {RAM}


def test_an_apu_on_windows_is_not_taken_for_a_card(tmp_path: Path) -> None:
    lists = listed("AMD Radeon(TM) 780M Graphics", "igpu", 19_219_967_296, 17_000_000_000)
    apu = replayed("windows-apu", tmp_path, lists)
    (gpu,) = usable_gpus(apu)
    assert (gpu.gpu.kind, gpu.pool) == (GpuKind.INTEGRATED, RAM)
    assert set(budgets(apu)) == {RAM}


@pytest.mark.parametrize("name", ["RTX 3090", "2x RTX 4090 + 128 GB", "M3 Ultra 512 GB", "MI300X"])
def test_profiles_leave_their_reserves(name: str) -> None:
    profile = find_machine(name)
    left = budgets(profile)
    assert left[RAM] == profile.memory.available_bytes - reserve(profile)
    for gpu in profile.gpus:
        if gpu.kind is GpuKind.DISCRETE:
            assert left[gpu.id] == (gpu.free_bytes or 0) - GPU_RESERVE_BYTES

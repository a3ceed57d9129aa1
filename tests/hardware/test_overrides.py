"""Values by hand: refused where the machine cannot have them, applied alike before and after."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from openshelf import wording
from openshelf.engine.devices import join_devices
from openshelf.engine.protocol import Device, Devices
from openshelf.errors import BadOverride
from openshelf.fit.pools import RAM, budgets, usable_gpus
from openshelf.hardware.facts import SET_BY_HAND, Cpu, Gpu, GpuKind, Machine, Memory
from openshelf.hardware.machine_json import machine_from_json
from openshelf.hardware.overrides import (
    changed_overrides,
    make_override,
    parse_override,
    reset_overrides,
    split_name,
    with_overrides,
    without_overrides,
)
from openshelf.units import GIB

CARD = Gpu("nvidia-0", "NVIDIA GeForce RTX 4070", "NVIDIA", GpuKind.DISCRETE, 12 * GIB, 11 * GIB,
           504_000_000_000, source="NVML", usable_by_engine=True)  # fmt: skip
SECOND = dataclasses.replace(CARD, id="nvidia-1")
MACHINE = Machine(
    "Linux", "x86_64", Cpu("c", 8, 16, source="/proc/cpuinfo"),
    Memory(32 * GIB, 24 * GIB, "/proc/meminfo"), (CARD, SECOND),
)  # fmt: skip


def after(*texts: str, machine: Machine = MACHINE) -> Machine:
    overrides: dict[str, dict[str, Any]] = {}
    for text in texts:
        overrides = changed_overrides(overrides, parse_override(machine, text))
    return with_overrides(machine, overrides)


@pytest.mark.parametrize(
    ("text", "part", "field", "value"),
    [
        ("gpu-0.free_bytes=6GiB", "nvidia-0", "free_bytes", 6 * GIB),
        ("gpu-1.free_bytes = 6 gib", "nvidia-1", "free_bytes", 6 * GIB),
        ("nvidia-1.free_bytes=6.5GB", "nvidia-1", "free_bytes", 6_500_000_000),
        ("nvidia-0.total_bytes=8589934592", "nvidia-0", "total_bytes", 8 * GIB),
        ("gpu-0.free_bytes=0", "nvidia-0", "free_bytes", 0),
        ("gpu-0.bandwidth_bytes_per_second=9.9 TB/s", "nvidia-0", "bandwidth_bytes_per_second",
         9_900_000_000_000),
        ("gpu-0.usable_by_engine=no", "nvidia-0", "usable_by_engine", False),
        ("memory.total_bytes=16g", "memory", "total_bytes", 16 * GIB),
        ("memory.bandwidth_bytes_per_second=89.6GB/s", "memory", "bandwidth_bytes_per_second",
         89_600_000_000),
        ("cpu.physical_cores=6", "cpu", "physical_cores", 6),
        ("cpu.logical_cores=32", "cpu", "logical_cores", 32),
    ],
)  # fmt: skip
def test_a_value_as_a_person_writes_it(text: str, part: str, field: str, value: int) -> None:
    override = parse_override(MACHINE, text)
    assert (override.part, override.field, override.value) == (part, field, value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gpu-0.free_bytes", "no_value"),
        ("gpu-0=6GiB", "no_value"),
        ("gpu-2.free_bytes=6GiB", "unknown_part"),
        ("gpu-99999.free_bytes=6GiB", "unknown_part"),
        ("=6", "unknown_part"),
        ("disk.free_bytes=6GiB", "unknown_part"),
        ("gpu-0.name=x", "unknown_field"),
        ("memory.free_bytes=6GiB", "unknown_field"),
        ("gpu-0.free_bytes=", "not_a_size"),
        ("gpu-0.free_bytes=much", "not_a_size"),
        ("gpu-0.free_bytes=-1", "not_a_size"),
        ("gpu-0.free_bytes=6 GiB/s", "not_a_size"),
        ("gpu-0.free_bytes=6 XiB", "not_a_size"),
        ("gpu-0.free_bytes=\u0663", "not_a_size"),
        ("gpu-0.free_bytes=9999999999999999999999", "not_a_size"),
        ("gpu-0.bandwidth_bytes_per_second=fast", "not_a_rate"),
        ("gpu-0.bandwidth_bytes_per_second=1kB/s", "too_small"),
        ("gpu-0.bandwidth_bytes_per_second=9999TB/s", "too_large"),
        ("cpu.physical_cores=2.5", "not_a_count"),
        ("cpu.physical_cores=4GiB", "not_a_count"),
        ("cpu.physical_cores=0", "too_small"),
        ("cpu.physical_cores=17", "above_threads"),
        ("cpu.logical_cores=100000", "too_large"),
        ("gpu-0.total_bytes=12.1GiB", "above_total"),
        ("gpu-0.free_bytes=13GiB", "above_total"),
        ("gpu-0.total_bytes=1MiB", "too_small"),
        ("memory.total_bytes=64GiB", "above_total"),
        ("memory.available_bytes=33GiB", "above_total"),
        ("gpu-0.usable_by_engine=maybe", "not_a_flag"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(text: str, why: str) -> None:
    with pytest.raises(BadOverride) as failure:
        parse_override(MACHINE, text)
    assert failure.value.why == why
    assert f"BadOverride.{why}" in wording.TEMPLATES
    assert "?" not in wording.error_sentence(failure.value)


def test_memory_above_what_is_built_in_names_the_bound() -> None:
    with pytest.raises(BadOverride) as failure:
        make_override(MACHINE, "nvidia-0", "total_bytes", "24 GiB")
    assert wording.error_sentence(failure.value).startswith("There are only 12.0 GiB built in")
    # A limit that was set before is not what is built in.
    limited = after("gpu-0.total_bytes=4GiB")
    assert make_override(limited, "nvidia-0", "total_bytes", "10 GiB").value == 10 * GIB


def test_values_are_in_force_and_what_was_found_stays_known() -> None:
    machine = after("gpu-0.free_bytes=6GiB", "gpu-0.bandwidth_bytes_per_second=600GB/s",
                    "memory.total_bytes=16GiB", "cpu.physical_cores=6")  # fmt: skip
    first, second = machine.gpus
    assert (first.free_bytes, first.bandwidth_bytes_per_second) == (6 * GIB, 600_000_000_000)
    assert second == SECOND
    assert (machine.memory.total_bytes, machine.memory.available_bytes) == (16 * GIB, 16 * GIB)
    assert machine.cpu.physical_cores == 6
    assert without_overrides(machine) == MACHINE


def test_json_tells_the_source_of_each_value() -> None:
    machine = after("gpu-0.free_bytes=6GiB")
    first, second = machine.as_json()["gpus"]
    assert first["source"] == SET_BY_HAND
    assert first["sources"]["free_bytes"] == SET_BY_HAND
    assert first["sources"]["total_bytes"] == "NVML"
    assert first["found"] == {"free_bytes": 11 * GIB}
    assert (second["source"], second["found"]) == ("NVML", {})
    assert machine.as_json()["memory"]["sources"]["total_bytes"] == "/proc/meminfo"


def test_json_of_such_a_machine_reads_back_to_the_same() -> None:
    machine = after("gpu-0.free_bytes=6GiB", "gpu-1.usable_by_engine=no", "memory.total_bytes=8GiB",
                    "memory.bandwidth_bytes_per_second=80GB/s", "cpu.physical_cores=2")  # fmt: skip
    assert machine_from_json(machine.as_json()) == machine


def test_a_gpu_left_out_gets_no_layers() -> None:
    machine = after("gpu-0.usable_by_engine=no")
    assert [usable.gpu.id for usable in usable_gpus(machine)] == ["nvidia-1"]
    assert set(budgets(machine)) == {RAM, "nvidia-1"}
    reason = machine.gpus[0].reason
    assert reason is not None
    assert "by hand" in wording.sentence(reason)


def test_a_gpu_that_the_engine_refused_is_not_made_usable() -> None:
    refused = dataclasses.replace(CARD, usable_by_engine=False)
    machine = dataclasses.replace(MACHINE, gpus=(refused,))
    with pytest.raises(BadOverride) as failure:
        parse_override(machine, "gpu-0.usable_by_engine=yes")
    assert failure.value.why == "engine_cannot"
    unknown = dataclasses.replace(CARD, usable_by_engine=None)
    machine = dataclasses.replace(MACHINE, gpus=(unknown,))
    assert after("gpu-0.usable_by_engine=yes", machine=machine).gpus[0].usable_by_engine


def test_memory_that_no_driver_tells_can_be_said() -> None:
    silent = dataclasses.replace(CARD, total_bytes=None, free_bytes=None)
    machine = dataclasses.replace(MACHINE, gpus=(silent,))
    said = after("gpu-0.total_bytes=24GiB", "gpu-0.free_bytes=23GiB", machine=machine)
    assert budgets(said)["nvidia-0"] == 22 * GIB


def test_shared_memory_may_be_lent_up_to_all_ram() -> None:
    apu = dataclasses.replace(CARD, id="amd-0", kind=GpuKind.INTEGRATED, total_bytes=16 * GIB,
                              free_bytes=15 * GIB, lent_free_bytes=14 * GIB)  # fmt: skip
    machine = dataclasses.replace(MACHINE, gpus=(apu,))
    assert after("gpu-0.total_bytes=30GiB", machine=machine).gpus[0].total_bytes == 30 * GIB
    with pytest.raises(BadOverride):
        parse_override(machine, "gpu-0.total_bytes=40GiB")
    less = after("gpu-0.free_bytes=3GiB", machine=machine).gpus[0]
    assert (less.free_bytes, less.lent_free_bytes) == (3 * GIB, 3 * GIB)


def test_applying_twice_is_applying_once() -> None:
    overrides = {"nvidia-0": {"total_bytes": 8 * GIB, "free_bytes": 7 * GIB}}
    once = with_overrides(MACHINE, overrides)
    assert with_overrides(once, overrides) == once
    assert with_overrides(once, {}) == MACHINE


def test_what_the_file_says_wrongly_is_passed_over_with_a_note() -> None:
    machine = with_overrides(
        MACHINE,
        {
            "nvidia-0": {"total_bytes": 99 * GIB, "free_bytes": "6GiB", "usable_by_engine": 0},
            "cpu": {"physical_cores": True},
            "nvidia-7": {"free_bytes": 1},
            "memory": {"color": "red"},
        },
    )
    assert [note.code for note in machine.notes] == [
        "override_ignored.not_a_size", "override_ignored.above_total",
        "override_ignored.not_a_size", "override_ignored.not_a_flag",
    ]  # fmt: skip
    assert all("?" not in wording.sentence(note) for note in machine.notes)
    assert without_overrides(machine) == MACHINE


def test_reset_of_one_value_and_of_a_part() -> None:
    overrides = {"nvidia-0": {"free_bytes": 1, "total_bytes": 2}, "cpu": {"physical_cores": 3}}
    assert reset_overrides(overrides, "nvidia-0", "free_bytes") == {
        "nvidia-0": {"total_bytes": 2}, "cpu": {"physical_cores": 3},
    }  # fmt: skip
    assert reset_overrides(overrides, "cpu", "physical_cores") == {
        "nvidia-0": {"free_bytes": 1, "total_bytes": 2}
    }
    assert reset_overrides(overrides, "nvidia-0") == {"cpu": {"physical_cores": 3}}
    assert reset_overrides(overrides, "memory", "total_bytes") == overrides
    assert split_name(MACHINE, "gpu-1") == ("nvidia-1", "")


def test_the_engines_own_figure_of_shared_memory_is_not_lost() -> None:
    metal = Gpu("apple-0", "Apple M4 Max", "Apple", GpuKind.UNIFIED, 64 * GIB, None)
    machine = dataclasses.replace(MACHINE, memory=Memory(64 * GIB, 50 * GIB), gpus=(metal,))
    devices = Devices(1, "1", (Device("MTL0", "Apple M4 Max", "gpu", 48 * GIB, 47 * GIB),))
    overrides = {"apple-0": {"free_bytes": 40 * GIB}}
    before = with_overrides(machine, overrides)
    joined = join_devices(without_overrides(before), devices)
    (gpu,) = with_overrides(joined, overrides).gpus
    assert (gpu.total_bytes, gpu.free_bytes) == (48 * GIB, 40 * GIB)
    (found,) = without_overrides(with_overrides(joined, overrides)).gpus
    assert found.free_bytes == 47 * GIB

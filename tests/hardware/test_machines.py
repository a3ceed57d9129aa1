"""Whole machines, replayed: what is found, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf import wording
from openshelf.hardware.detect import detect_machine
from openshelf.hardware.facts import Machine
from openshelf.hardware.profiles import machine_from_json
from openshelf.tasks import CancelToken
from tests.hardware.replay import load_recording, machine_names, replay


def detected(name: str, tmp_path: Path) -> Machine:
    sources = replay(load_recording(name), tmp_path / "root")
    return detect_machine(CancelToken(), sources=sources, folders=(tmp_path,))


@pytest.mark.parametrize("name", machine_names())
def test_machine_is_found_as_recorded(name: str, tmp_path: Path) -> None:
    expected = load_recording(name)["expect"]
    machine = detected(name, tmp_path)
    found = {
        "cpu_name": machine.cpu.name,
        "physical_cores": machine.cpu.physical_cores,
        "logical_cores": machine.cpu.logical_cores,
        "features": list(machine.cpu.features),
        "memory_total": machine.memory.total_bytes,
        "memory_available": machine.memory.available_bytes,
        "notes": [note.code for note in machine.notes],
    }
    gpus = expected.pop("gpus")
    assert {key: found[key] for key in expected} == expected
    assert len(machine.gpus) == len(gpus)
    for gpu, wanted in zip(machine.as_json()["gpus"], gpus, strict=True):
        reason = gpu.pop("reason")
        assert (reason["code"] if reason else None) == wanted.pop("reason", None)
        assert {key: gpu[key] for key in wanted} == wanted
        for figure in ("total_bytes", "free_bytes"):
            assert gpu[figure] == wanted.get(figure), figure


@pytest.mark.parametrize("name", machine_names())
def test_every_recording_names_its_source(name: str) -> None:
    recording = load_recording(name)
    assert isinstance(recording["synthetic"], bool)
    assert len(recording["source"]) > 20


@pytest.mark.parametrize("name", machine_names())
def test_every_reason_has_a_sentence(name: str, tmp_path: Path) -> None:
    machine = detected(name, tmp_path)
    reasons = [*machine.notes, *(gpu.reason for gpu in machine.gpus if gpu.reason)]
    for reason in reasons:
        assert reason.code in wording.TEMPLATES
        assert "?" not in wording.sentence(reason)


@pytest.mark.parametrize("name", machine_names())
def test_json_of_a_machine_reads_back_to_the_same_machine(name: str, tmp_path: Path) -> None:
    machine = detected(name, tmp_path)
    assert machine_from_json(machine.as_json()) == machine


def test_integrated_gpu_is_neither_its_carve_out_nor_all_of_ram(tmp_path: Path) -> None:
    machine = detected("ryzen-apu", tmp_path)
    free = machine.gpus[0].free_bytes
    assert free is not None
    assert 536_870_912 < free < machine.memory.total_bytes


NEEDED = {
    "laptop-nvidia", "desktop-two-nvidia", "radeon-discrete", "ryzen-apu", "strix-halo",
    "intel-arc", "intel-igpu", "mac-m1-8gb", "mac-m4-max", "mac-m3-ultra-512gb",
    "server-cgroup-v2", "wsl", "broken-nvml", "no-gpu",
}  # fmt: skip


def test_the_machines_that_differ_most_are_all_there() -> None:
    assert set(machine_names()) >= NEEDED


def test_the_lowest_limit_and_the_least_that_is_left_may_stand_in_two_places(
    tmp_path: Path,
) -> None:
    recording = load_recording("server-cgroup-v1")
    recording["files"] |= {
        "/sys/fs/cgroup/memory/batch/job7/memory.limit_in_bytes": str(2 << 30),
        "/sys/fs/cgroup/memory/batch/memory.usage_in_bytes": str((4 << 30) - 1_000_000),
    }
    sources = replay(recording, tmp_path / "root")
    memory = detect_machine(CancelToken(), sources=sources, folders=(tmp_path,)).memory
    assert (memory.total_bytes, memory.available_bytes) == (2 << 30, 1_000_000)
    assert memory.source.endswith("job7/memory.limit_in_bytes")

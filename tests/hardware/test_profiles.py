"""Machines for "what if": the shipped ones, and JSON that somebody wrote."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.errors import CorruptCatalog, NotFound, UsageError
from openshelf.hardware.facts import GpuKind
from openshelf.hardware.profiles import find_machine, load_profiles, machine_from_json

WANTED = {
    "RTX 4060 8 GB + 32 GB", "RTX 5090 32 GB + 64 GB", "M4 Max 64 GB", "CPU only 16 GB",
    "Strix Halo 128 GB",
}  # fmt: skip


def test_the_named_profiles_are_there_and_make_sense() -> None:
    profiles = load_profiles()
    assert {machine.name for machine in profiles} >= WANTED
    for machine in profiles:
        assert machine.memory.source
        assert machine.memory.available_bytes < machine.memory.total_bytes
        assert machine.memory.bandwidth_bytes_per_second
        for gpu in machine.gpus:
            assert gpu.free_bytes is not None
            assert gpu.total_bytes is not None
            assert gpu.free_bytes < gpu.total_bytes
            assert gpu.bandwidth_bytes_per_second
            assert gpu.usable_by_engine


def test_find_by_part_of_the_name() -> None:
    assert find_machine("m4 MAX 64").gpus[0].kind is GpuKind.UNIFIED
    assert find_machine("Strix Halo 128 GB").gpus[0].kind is GpuKind.INTEGRATED


@pytest.mark.parametrize("name", ["", "Cray", "GB"])
def test_a_name_that_says_nothing_or_too_little(name: str) -> None:
    with pytest.raises(NotFound) as failure:
        find_machine(name)
    assert failure.value.what == "machine"
    assert set(failure.value.candidates) <= {machine.name for machine in load_profiles()}
    assert 1 < len(failure.value.candidates) <= 12


def test_profiles_read_back_from_their_json() -> None:
    for machine in load_profiles():
        assert machine_from_json(machine.as_json()) == machine


def test_least_that_is_needed() -> None:
    machine = machine_from_json(
        {
            "cpu": {"physical_cores": 4, "logical_cores": 8},
            "memory": {"total_bytes": 1 << 34, "available_bytes": 1 << 33},
        },
        name="office",
    )
    assert (machine.name, machine.gpus, machine.engine) == ("office", (), None)


def changed(path: str, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(load_profiles()[0].as_json())
    *folders, last = path.split(".")
    place: Any = data
    for name in folders:
        place = place[int(name) if name.isdigit() else name]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("memory", KeyError, "machine.memory is missing"),
        ("memory", 5, "machine.memory is not an object"),
        ("memory.total_bytes", "16 GB", "machine.memory.total_bytes is not a whole number"),
        ("memory.total_bytes", -1, "machine.memory.total_bytes is -1"),
        ("memory.total_bytes", 1 << 60, "machine.memory.total_bytes"),
        ("memory.total_bytes", True, "machine.memory.total_bytes is not a whole number"),
        ("memory.available_bytes", 1 << 45, "machine.memory.available_bytes"),
        ("cpu.physical_cores", 0, "machine.cpu.physical_cores is 0"),
        ("cpu.features", "AVX2", "machine.cpu.features is not a list"),
        ("gpus", {}, None),
        ("gpus", "one", "machine.gpus is not a list"),
        ("gpus", [{}] * 100, "machine.gpus is not a list"),
        ("gpus.0.kind", "quantum", "machine.gpus[0].kind is 'quantum'"),
        ("gpus.0.name", KeyError, "machine.gpus[0].name is missing"),
        ("gpus.0.id", "ram", "machine.gpus[0].id is 'ram', which is another memory's name"),
        ("gpus", [{"id": "a", "name": "A", "kind": "discrete"}] * 2, "machine.gpus[1].id is 'a'"),
        ("gpus.0.free_bytes", 1 << 40, "machine.gpus[0].free_bytes is larger"),
        ("gpus.0.usable_by_engine", "yes", "machine.gpus[0].usable_by_engine"),
        ("disks", [{"path": "/"}], "machine.disks[0].total_bytes is missing"),
        ("name", 7, "machine.name is not a text"),
        ("name", "x" * 1000, "machine.name is not a text"),
        ("notes", [{"text": "?"}], "machine.notes[0].code is missing"),
    ],
)
def test_wrong_fields_are_named(path: str, value: Any, named: str | None) -> None:
    data = changed(path, value)
    if named is None:
        assert machine_from_json(data).gpus == ()
        return
    with pytest.raises(UsageError) as failure:
        machine_from_json(data)
    assert named in failure.value.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cpu", "memory", "gpus", "kind", "name", "total_bytes", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_a_machine_or_a_usage_error(data: Any) -> None:
    with contextlib.suppress(UsageError):
        assert machine_from_json(data).memory.total_bytes > 0


def test_a_broken_profile_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "machines.toml"
    file.write_text("[[machines]]\nname = 'x'\n", encoding="utf-8")
    with pytest.raises(CorruptCatalog) as failure:
        load_profiles(file)
    assert failure.value.path == "machines.toml"

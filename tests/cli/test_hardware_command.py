"""`openshelf hardware`: profiles, and values by hand that other commands then reckon with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openshelf.cli.main import run_command
from openshelf.paths import find_paths
from openshelf.settings import SettingsStore


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = run_command(["hardware", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def stored() -> dict[str, dict[str, Any]]:
    return SettingsStore(find_paths().settings_file).current.hardware


def test_every_profile_is_listed_and_is_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    status, answer = run(capsys, "--profiles")
    assert status == 0
    profiles = answer["profiles"]
    gpus = [gpu for machine in profiles for gpu in machine["gpus"]]
    assert len({gpu["name"] for gpu in gpus if gpu["kind"] == "discrete"}) >= 60
    assert sum(gpu["kind"] == "unified" for gpu in gpus) >= 20
    assert all(gpu["source"] and gpu["bandwidth_bytes_per_second"] for gpu in gpus)


def test_a_value_by_hand_is_kept_shown_and_reset(capsys: pytest.CaptureFixture[str]) -> None:
    status, answer = run(
        capsys, "--set", "memory.total_bytes=4GiB", "--set", "cpu.physical_cores=1"
    )
    assert status == 0
    assert answer["memory"]["total_bytes"] == 4 << 30
    assert answer["memory"]["source"] == "set by hand"
    assert stored()["memory"] == {"total_bytes": 4 << 30}

    _, again = run(capsys)
    assert again["memory"]["sources"]["total_bytes"] == "set by hand"
    assert again["cpu"]["physical_cores"] == 1

    _, reset = run(capsys, "--unset", "memory.total_bytes")
    assert reset["memory"]["total_bytes"] > 4 << 30
    assert reset["memory"]["found"] == {}
    assert stored() == {"cpu": {"physical_cores": 1}}
    run(capsys, "--unset", "all")
    assert stored() == {}


def test_people_read_what_was_found_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["hardware", "--set", "cpu.physical_cores=1"]) == 0
    text = capsys.readouterr().out
    assert "by hand" in text
    assert "cpu.physical_cores = 1 (found: " in text


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "memory.total_bytes=999TiB"),
        ("--set", "gpu-9.free_bytes=6GiB"),
        ("--set", "memory.total_bytes"),
        ("--unset", "gpu-9"),
        ("--set", "cpu.physical_cores=1", "--set", "memory.total_bytes=much"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    status, answer = run(capsys, *words)
    assert status == 2
    assert answer["error"]["code"] == "usage"
    assert answer["error"]["why"]
    assert stored() == {}


def test_the_shelf_and_a_fit_reckon_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "--set", "memory.available_bytes=3GiB")
    assert run_command(["shelf", "--json"]) == 0
    families = json.loads(capsys.readouterr().out)["families"]
    pools = [
        pool["budget_bytes"]
        for family in families
        for variant in (family["recommended"] or family["nearest"],)
        if variant
        for pool in variant["fit"]["pools"]
        if pool["id"] == "ram"
    ]
    assert pools
    assert all(budget < 1 << 30 for budget in pools)


def test_a_machine_file_without_bottom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "machine.json"
    path.write_text("[" * 200_000, "utf-8")
    assert run_command(["fit", "any.gguf", "--machine", str(path), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"

"""Detection as a whole: it never raises, never waits for long, and says what it does not know."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from pathlib import Path

import pytest

from openshelf.errors import CancelledByUser
from openshelf.hardware import detect
from openshelf.hardware.detect import detect_machine
from openshelf.hardware.sources import ProbeFailed, RawAdapter, Sources
from openshelf.tasks import CancelToken, Progress
from tests.hardware.replay import load_recording, replay


def test_this_machine(tmp_path: Path) -> None:
    machine = detect_machine(CancelToken(), folders=(tmp_path,))
    assert machine.cpu.logical_cores >= machine.cpu.physical_cores >= 1
    assert 0 < machine.memory.available_bytes <= machine.memory.total_bytes
    assert machine.disks[0].path == str(tmp_path)
    assert machine.name == "this"


def test_default_folders_are_the_models_folder_and_home(home: Path) -> None:
    machine = detect_machine(CancelToken())
    assert machine.disks[0].path == str(home / "models")


def test_progress_counts_every_probe(tmp_path: Path) -> None:
    seen: list[Progress] = []
    detect_machine(CancelToken(), seen.append, folders=(tmp_path,))
    assert [progress.done for progress in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].fraction == 1.0


def test_cancelled_before_it_began(tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledByUser):
        detect_machine(cancel, folders=(tmp_path,))


def test_a_probe_that_hangs_costs_its_deadline_and_no_more(tmp_path: Path) -> None:
    recording = load_recording("laptop-nvidia")
    release = threading.Event()

    def hang() -> dict[str, object]:
        release.wait(30)
        return {}

    sources = dataclasses.replace(replay(recording, tmp_path / "root"), ask_nvidia=hang)
    started = time.monotonic()
    machine = detect_machine(
        CancelToken(), sources=sources, folders=(tmp_path,), deadline_seconds=0.2
    )
    elapsed = time.monotonic() - started
    release.set()
    assert elapsed < 5
    assert [note.as_json() for note in machine.notes] == [
        {"code": "probe_too_slow", "probe": "nvidia", "seconds": 0.2}
    ]
    assert machine.cpu.physical_cores == 8
    assert [gpu.vendor for gpu in machine.gpus] == ["AMD"]


def test_a_probe_with_a_bug_becomes_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(sources: Sources) -> None:
        raise ZeroDivisionError("nothing there")

    monkeypatch.setattr(detect, "probe_cpu", broken)
    with caplog.at_level(logging.CRITICAL, logger="openshelf.hardware.detect"):
        machine = detect_machine(CancelToken(), folders=(tmp_path,))
    assert machine.notes[0].code == "probe_failed"
    assert machine.notes[0].data["detail"] == "ZeroDivisionError: nothing there"
    assert machine.cpu.physical_cores == 1
    assert machine.memory.total_bytes > 0


def test_nothing_can_be_read_at_all(tmp_path: Path) -> None:
    def no_memory() -> tuple[int, int]:
        raise ProbeFailed("memory_unknown")

    def no_disk(path: Path) -> tuple[int, int]:
        raise PermissionError("closed")

    sources = Sources(
        system="Linux",
        arch="riscv64",
        root=tmp_path / "empty",
        virtual_memory=no_memory,
        core_counts=lambda: (None, None),
        disk_usage=no_disk,
    )
    machine = detect_machine(CancelToken(), sources=sources, folders=(tmp_path,))
    assert [note.code for note in machine.notes] == [
        "cpu_unknown", "memory_unknown", "disk_unknown",
    ]  # fmt: skip
    assert machine.gpus == ()


def test_nvml_wins_over_dxgi_only_where_it_answers(tmp_path: Path) -> None:
    recording = load_recording("windows-laptop")
    recording["nvidia"] = {"error": "Unknown Error"}
    sources = replay(recording, tmp_path / "root")
    machine = detect_machine(CancelToken(), sources=sources, folders=(tmp_path,))
    assert [gpu.source for gpu in machine.gpus] == ["DXGI", "DXGI"]
    assert [note.code for note in machine.notes] == ["nvidia_failed"]


def test_windows_without_dxgi(tmp_path: Path) -> None:
    def fails() -> list[RawAdapter]:
        raise ProbeFailed("dxgi_failed", detail="status 0x887a0004")

    recording = load_recording("windows-laptop")
    sources = dataclasses.replace(replay(recording, tmp_path / "root"), dxgi_adapters=fails)
    machine = detect_machine(CancelToken(), sources=sources, folders=(tmp_path,))
    assert [gpu.id for gpu in machine.gpus] == ["nvidia-0"]
    assert [note.code for note in machine.notes] == ["dxgi_failed"]

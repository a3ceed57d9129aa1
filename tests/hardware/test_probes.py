"""Single probes on the edges of what a system can say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from openshelf import children
from openshelf.errors import CorruptCatalog
from openshelf.hardware import probe_child, sources, windows
from openshelf.hardware.amd import probe_amd
from openshelf.hardware.apple import probe_apple
from openshelf.hardware.cpu import probe_cpu
from openshelf.hardware.disk import probe_disks
from openshelf.hardware.facts import GpuKind
from openshelf.hardware.intel import probe_intel
from openshelf.hardware.known_gpus import find_by_pci, load_known_gpus
from openshelf.hardware.memory import probe_memory
from openshelf.hardware.nvidia import probe_nvidia
from openshelf.hardware.sources import ProbeFailed, Sources


def linux(root: Path, files: dict[str, str], **changes: object) -> Sources:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Sources(system="Linux", arch="x86_64", root=root, **changes)  # type: ignore[arg-type]


def test_hyperthreads_of_two_sockets_are_told_apart(tmp_path: Path) -> None:
    block = "processor: {}\nphysical id: {}\ncore id: {}\nmodel name: X   Y\nflags: avx\n"
    text = "\n".join(
        block.format(number, socket, core)
        for number, (socket, core) in enumerate([(0, 0), (0, 0), (0, 1), (1, 0), (1, 0), (1, 1)])
    )
    cpu = probe_cpu(linux(tmp_path, {"/proc/cpuinfo": text}))
    assert (cpu.physical_cores, cpu.logical_cores, cpu.name) == (4, 6, "X Y")


@pytest.mark.parametrize("text", ["", "nonsense", "flags: avx\n\nbroken"])
def test_unreadable_cpuinfo_falls_back_to_counting(tmp_path: Path, text: str) -> None:
    found = linux(tmp_path, {"/proc/cpuinfo": text}, core_counts=lambda: (3, 6))
    cpu = probe_cpu(found)
    assert (cpu.physical_cores, cpu.logical_cores, cpu.source) == (3, 6, "psutil")


def test_no_memavailable_falls_back(tmp_path: Path) -> None:
    found = linux(tmp_path, {"/proc/meminfo": "MemTotal: 5 kB\n"}, virtual_memory=lambda: (100, 60))
    memory = probe_memory(found)
    assert (memory.total_bytes, memory.available_bytes, memory.source) == (100, 60, "psutil")


@pytest.mark.parametrize("limit", ["max", "9223372036854771712", "", "-1x"])
def test_a_limit_that_is_none_changes_nothing(tmp_path: Path, limit: str) -> None:
    files = {
        "/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 500 kB\n",
        "/proc/self/cgroup": "0::/a/b\n",
        "/sys/fs/cgroup/a/b/memory.max": limit,
        "/sys/fs/cgroup/a/memory.max": limit,
    }
    memory = probe_memory(linux(tmp_path, files))
    assert (memory.total_bytes, memory.available_bytes) == (1_024_000, 512_000)


def test_a_limit_in_use_to_the_full_leaves_nothing(tmp_path: Path) -> None:
    files = {
        "/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 500 kB\n",
        "/proc/self/cgroup": "0::/a\n",
        "/sys/fs/cgroup/a/memory.max": "4096",
        "/sys/fs/cgroup/a/memory.current": "9999",
    }
    memory = probe_memory(linux(tmp_path, files))
    assert (memory.total_bytes, memory.available_bytes) == (4096, 0)


def test_one_volume_is_listed_once_and_a_missing_folder_stands_for_its_parent(
    tmp_path: Path,
) -> None:
    disks = probe_disks(Sources(), (tmp_path / "a" / "b", tmp_path))
    assert [disk.path for disk in disks] == [str(tmp_path / "a" / "b")]
    assert disks[0].total_bytes > disks[0].free_bytes > 0


def test_no_driver_means_no_child(tmp_path: Path) -> None:
    def never() -> dict[str, object]:
        raise AssertionError("asked")

    assert probe_nvidia(linux(tmp_path, {}, ask_nvidia=never)) == ()


@pytest.mark.parametrize("answer", [{}, {"gpus": 5}, {"gpus": ["x"]}, {"gpus": None}])
def test_nonsense_from_the_driver_is_a_failed_probe(
    tmp_path: Path, answer: dict[str, object]
) -> None:
    found = linux(tmp_path, {"/dev/nvidiactl": ""}, ask_nvidia=lambda: answer)
    with pytest.raises(ProbeFailed) as failure:
        probe_nvidia(found)
    assert failure.value.reason.code == "nvidia_failed"


def test_a_board_without_memory_figures_is_unified(tmp_path: Path) -> None:
    answer = {"driver": "580", "gpus": [{"name": "NVIDIA GB10", "total_bytes": None}]}
    found = linux(tmp_path, {"/dev/nvidiactl": ""}, ask_nvidia=lambda: answer)
    (gpu,) = probe_nvidia(found)
    assert gpu.kind is GpuKind.UNIFIED
    assert gpu.total_bytes is None
    assert gpu.reason is not None
    assert gpu.reason.code == "gpu_memory_from_engine"


def test_the_real_child_answers_with_one_object() -> None:
    done = subprocess.run(
        children.child_command(children.Door.PROBE, "nvidia"),
        capture_output=True, text=True, timeout=60, check=False,
        env=children.child_environment(),
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert ("gpus" in answer) != ("error" in answer)


def test_an_unknown_probe_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe_child.run_probe(["nothing"]) == 2
    assert json.loads(capsys.readouterr().out) == {"error": "no such probe"}


class _NvmlError(Exception):
    pass


def fake_nvml(**changes: object) -> SimpleNamespace:
    def unsupported(*arguments: object) -> object:
        raise _NvmlError("Not Supported")

    functions = {
        "NVMLError": _NvmlError,
        "NVML_CLOCK_MEM": 2,
        "nvmlInit": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: b"580.1",
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: "NVIDIA RTX",
        "nvmlDeviceGetUUID": lambda handle: b"GPU-1",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=8, free=5),
        "nvmlDeviceGetMaxClockInfo": unsupported,
        "nvmlDeviceGetMemoryBusWidth": lambda handle: 128,
    }
    return SimpleNamespace(**{**functions, **changes})


def test_what_one_board_does_not_support_hides_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    answer = probe_child.read_nvml()
    assert answer["driver"] == "580.1"
    assert answer["gpus"] == [
        {
            "name": "NVIDIA RTX", "uuid": "GPU-1", "total_bytes": 8, "free_bytes": 5,
            "memory_clock_hz": None, "bus_width_bits": 128,
        }
    ]  # fmt: skip


def test_a_driver_that_does_not_start_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise _NvmlError("Driver/library version mismatch")

    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(nvmlInit=fails))
    assert probe_child.read_nvml() == {"error": "Driver/library version mismatch"}


@pytest.mark.skipif(os.name == "nt", reason="DXGI is there")
def test_dxgi_elsewhere_than_on_windows_is_a_failed_probe() -> None:
    with pytest.raises(ProbeFailed) as failure:
        windows.list_adapters()
    assert failure.value.reason.code == "dxgi_failed"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import time; time.sleep(60)", "nvidia_timeout"),
        ("print('{')", "nvidia_failed"),
        ("print([1])", "nvidia_failed"),
        ("import os; os.abort()", "nvidia_failed"),
    ],
)
def test_a_child_that_misbehaves_is_a_failed_probe(
    monkeypatch: pytest.MonkeyPatch, script: str, code: str
) -> None:
    monkeypatch.setattr(sources, "NVIDIA_DEADLINE_SECONDS", 0.5 if "sleep" in script else 30)
    monkeypatch.setattr(
        sources.children, "child_command", lambda *words: [sys.executable, "-c", script]
    )
    with pytest.raises(ProbeFailed) as failure:
        Sources().ask_nvidia()
    assert failure.value.reason.code == code


def test_known_gpus_are_found_by_id() -> None:
    known = find_by_pci(0x1002, 0x1586)
    assert known is not None
    assert known.name == "Radeon 8060S"
    assert find_by_pci(0x1002, 0xFFFF) is None


def test_known_gpus_keep_to_their_form() -> None:
    ids = [pci for gpu in load_known_gpus() for pci in gpu.pci]
    assert len(ids) == len(set(ids))
    assert all(gpu.source for gpu in load_known_gpus())


def test_an_amd_card_under_another_driver_has_unknown_memory(tmp_path: Path) -> None:
    files = {
        "/sys/class/drm/card0/device/vendor": "0x1002",
        "/sys/class/drm/card0/device/device": "0x73bf",
    }
    (gpu,) = probe_amd(linux(tmp_path, files))
    assert (gpu.total_bytes, gpu.free_bytes, gpu.driver) == (None, None, None)
    assert gpu.reason is not None
    assert gpu.reason.code == "amd_memory_unreadable"


def test_a_large_card_that_nobody_knows_is_discrete(tmp_path: Path) -> None:
    files = {
        "/sys/class/drm/card0/device/vendor": "0x1002",
        "/sys/class/drm/card0/device/device": "0xfff2",
        "/sys/class/drm/card0/device/mem_info_vram_total": "8000000000",
    }
    (gpu,) = probe_amd(linux(tmp_path, files))
    assert (gpu.kind, gpu.free_bytes) == (GpuKind.DISCRETE, 8_000_000_000)


def test_an_arc_card_tells_its_memory_itself_where_the_driver_does(tmp_path: Path) -> None:
    files = {
        "/sys/class/drm/card1/device/vendor": "0x8086",
        "/sys/class/drm/card1/device/device": "0xfff3",
        "/sys/class/drm/card1/lmem_total_bytes": "6000000000",
    }
    (gpu,) = probe_intel(linux(tmp_path, files))
    assert (gpu.kind, gpu.total_bytes) == (GpuKind.DISCRETE, 6_000_000_000)


def test_a_mac_that_does_not_tell_its_memory(tmp_path: Path) -> None:
    silent = Sources(system="Darwin", arch="arm64", root=tmp_path, run_command=lambda words: "")
    with pytest.raises(ProbeFailed) as failure:
        probe_apple(silent)
    assert failure.value.reason.code == "apple_memory_unknown"
    assert probe_apple(Sources(system="Darwin", arch="x86_64", root=tmp_path)) == ()


def test_a_mac_without_sysctl_still_counts_cores(tmp_path: Path) -> None:
    def fails(words: object) -> str:
        raise ProbeFailed("command_failed", command="sysctl", detail="gone")

    mac = Sources(
        system="Darwin", arch="arm64", root=tmp_path, run_command=fails, core_counts=lambda: (8, 8)
    )
    assert probe_cpu(mac).logical_cores == 8


def test_a_command_that_is_missing_or_fails_is_a_failed_probe() -> None:
    assert Sources().run_command([sys.executable, "-c", "print(7)"]) == "7\n"
    for words in (["/no/such/command"], [sys.executable, "-c", "raise SystemExit(3)"]):
        with pytest.raises(ProbeFailed) as failure:
            Sources().run_command(words)
        assert failure.value.reason.code == "command_failed"


def test_the_default_readers_see_this_machine(tmp_path: Path) -> None:
    elsewhere = Sources(system="Plan9", arch="x86_64", root=tmp_path)
    assert probe_cpu(elsewhere).logical_cores >= 1
    memory = probe_memory(elsewhere)
    assert 0 < memory.available_bytes <= memory.total_bytes


def test_without_the_binding_the_probe_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert probe_child.read_nvml() == {"error": "nvidia-ml-py is not installed"}


def test_a_broken_table_of_gpus_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gpus.toml"
    file.write_text("[[gpus]]\nname = 'x'\nkind = 'discrete'\n", encoding="utf-8")
    with pytest.raises(CorruptCatalog):
        load_known_gpus(file)

"""Plays a recorded (or written) machine back to the probes: files, driver answers, DXGI."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openshelf.hardware.sources import ProbeFailed, RawAdapter, Sources

MACHINES = Path(__file__).parent / "machines"


def machine_names() -> list[str]:
    return sorted(path.stem for path in MACHINES.glob("*.toml"))


def load_recording(name: str) -> dict[str, Any]:
    return tomllib.loads((MACHINES / f"{name}.toml").read_text(encoding="utf-8"))


def replay(recording: Mapping[str, Any], root: Path) -> Sources:
    """Sources that see this machine and nothing of the one that runs the tests."""
    files = dict(recording.get("files", {}))
    if "cpu" in recording:
        files["/proc/cpuinfo"] = _cpuinfo(recording["cpu"])
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    counts = recording.get("core_counts", (None, None))
    return Sources(
        system=recording["system"],
        arch=recording["arch"],
        root=root,
        environment={"SYSTEMROOT": "C:\\Windows"},
        run_command=lambda words: _sysctl(recording, words),
        ask_nvidia=lambda: _nvidia(recording),
        virtual_memory=lambda: tuple(recording["virtual_memory"]),
        core_counts=lambda: (counts[0], counts[1]),
        disk_usage=lambda path: (500_000_000_000, 200_000_000_000),
        dxgi_adapters=lambda: [RawAdapter(**row) for row in recording.get("dxgi", ())],
    )


def _cpuinfo(cpu: Mapping[str, Any]) -> str:
    """One block per thread, as the kernel writes it."""
    blocks = []
    for number in range(cpu["logical"]):
        lines = [f"processor\t: {number}"]
        if cpu.get("arm"):
            lines.append(f"Features\t: {cpu['flags']}")
        else:
            lines += [
                f"model name\t: {cpu['name']}",
                "physical id\t: 0",
                f"core id\t\t: {number % cpu['physical']}",
                f"flags\t\t: {cpu['flags']}",
            ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _sysctl(recording: Mapping[str, Any], words: Sequence[str]) -> str:
    if "sysctl" not in recording:
        raise ProbeFailed("command_failed", command=words[0], detail="not here")
    wanted = set(words)
    lines = recording["sysctl"].strip().splitlines()
    return "\n".join(line for line in lines if line.partition(":")[0] in wanted)


def _nvidia(recording: Mapping[str, Any]) -> Mapping[str, Any]:
    answer = recording.get("nvidia")
    if answer is None:
        raise AssertionError("the NVIDIA driver was asked on a machine that has none")
    if answer.get("hangs"):
        raise ProbeFailed("nvidia_timeout", seconds=3.0)
    return answer

"""Where probes look: this machine by default, a folder of recorded files in tests.

A probe never touches the system but through `Sources`, so that a fixture replays a whole machine.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openshelf import children
from openshelf.reasons import Reason

NVIDIA_DEADLINE_SECONDS = 3.0
COMMAND_DEADLINE_SECONDS = 1.0


class ProbeFailed(Exception):
    """A probe could not find out; `reason` says why, for the hardware page."""

    def __init__(self, code: str, **data: Any) -> None:
        super().__init__(code)
        self.reason = Reason(code, data)


@dataclass(frozen=True)
class RawAdapter:
    """A graphics adapter as DXGI describes it; sizes in bytes."""

    name: str
    vendor_id: int
    dedicated_bytes: int
    shared_bytes: int
    is_software: bool = False


def _run_command(words: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            list(words), capture_output=True, text=True, timeout=COMMAND_DEADLINE_SECONDS,
            stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise ProbeFailed("command_failed", command=words[0], detail=str(error)) from error
    return done.stdout


def _ask_nvidia() -> Mapping[str, Any]:
    """What the driver says, asked in a child with a deadline: a broken driver may hang or crash."""
    words = children.child_command(children.Door.PROBE, "nvidia")
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=NVIDIA_DEADLINE_SECONDS,
            stdin=subprocess.DEVNULL, env=children.child_environment(), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ProbeFailed("nvidia_timeout", seconds=NVIDIA_DEADLINE_SECONDS) from error
    except OSError as error:
        raise ProbeFailed("nvidia_failed", detail=str(error)) from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        detail = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ProbeFailed("nvidia_failed", detail=detail[:200]) from error
    if not isinstance(answer, dict):
        raise ProbeFailed("nvidia_failed", detail="no object in its answer")
    return answer


def _virtual_memory() -> tuple[int, int]:
    import psutil

    memory = psutil.virtual_memory()
    return int(memory.total), int(memory.available)


def _core_counts() -> tuple[int | None, int | None]:
    import psutil

    return psutil.cpu_count(logical=False), psutil.cpu_count(logical=True)


def _disk_usage(path: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(path)
    return usage.total, usage.free


def _dxgi_adapters() -> list[RawAdapter]:
    from openshelf.hardware.windows import list_adapters

    return list_adapters()


@dataclass(frozen=True)
class Sources:
    """`system` is Linux, Darwin or Windows; `root` stands before every path that a probe reads."""

    system: str = field(default_factory=platform.system)
    arch: str = field(default_factory=platform.machine)
    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    run_command: Callable[[Sequence[str]], str] = _run_command
    ask_nvidia: Callable[[], Mapping[str, Any]] = _ask_nvidia
    virtual_memory: Callable[[], tuple[int, int]] = _virtual_memory
    core_counts: Callable[[], tuple[int | None, int | None]] = _core_counts
    disk_usage: Callable[[Path], tuple[int, int]] = _disk_usage
    dxgi_adapters: Callable[[], list[RawAdapter]] = _dxgi_adapters

    def read(self, path: str | Path) -> str | None:
        """A small text file below `root`, stripped; None where it cannot be read."""
        try:
            return self._locate(path).read_text("utf-8", "replace").strip("\0\n ")
        except OSError:
            return None

    def read_int(self, path: str | Path) -> int | None:
        """A file that holds one number, decimal or 0x…"""
        text = self.read(path)
        if text is None:
            return None
        try:
            return int(text, 0)
        except ValueError:
            return None

    def exists(self, path: str) -> bool:
        return self._locate(path).exists()

    def _locate(self, path: str | Path) -> Path:
        words = str(path).replace("\\", "/")
        if self.system == "Windows" and words[1:2] == ":":
            # A recorded machine has no drives; the real one is asked under its own name.
            if self.root == Path("/"):
                return Path(words)
            words = words[2:]
        return self.root / words.lstrip("/")

    def glob(self, pattern: str) -> list[str]:
        """Paths below `root` that match, as absolute names in order."""
        found = sorted(self.root.glob(pattern.lstrip("/")))
        return ["/" + path.relative_to(self.root).as_posix() for path in found]

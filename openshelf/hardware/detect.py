"""Assembles the machine from the probes: in parallel, each with a deadline, and never raising."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from openshelf import paths
from openshelf.hardware.amd import probe_amd
from openshelf.hardware.apple import probe_apple
from openshelf.hardware.cpu import probe_cpu
from openshelf.hardware.disk import probe_disks
from openshelf.hardware.facts import Cpu, Disk, Gpu, Machine, Memory
from openshelf.hardware.intel import probe_intel
from openshelf.hardware.memory import probe_memory
from openshelf.hardware.nvidia import probe_nvidia
from openshelf.hardware.sources import NVIDIA_DEADLINE_SECONDS, ProbeFailed, Sources
from openshelf.hardware.windows import probe_windows
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken, Progress, Report, no_report

log = logging.getLogger(__name__)

DEADLINE_SECONDS = NVIDIA_DEADLINE_SECONDS + 0.5
_OS_NAMES = {"Darwin": "macOS"}
_UNKNOWN_CPU = Cpu("", 1, 1, source="unknown")
_UNKNOWN_MEMORY = Memory(0, 0, source="unknown")


@dataclasses.dataclass(frozen=True)
class _Answer:
    """What a probe found, or why it found nothing."""

    value: Any = None
    reason: Reason | None = None


def detect_machine(
    cancel: CancelToken,
    report: Report = no_report,
    *,
    sources: Sources | None = None,
    folders: tuple[Path, ...] | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Machine:
    """This machine without the engine's view; what cannot be found out stands in `notes`.

    Raises nothing but CancelledByUser. `folders` are those whose disks matter.
    """
    cancel.raise_if_cancelled()
    sources = Sources() if sources is None else sources
    if folders is None:
        folders = (paths.find_paths().models, Path.home())
    answers = _run_probes(_probes(sources, folders), report, deadline_seconds)
    cancel.raise_if_cancelled()
    memory: Memory = answers["memory"].value or _UNKNOWN_MEMORY
    disks: tuple[Disk, ...] = answers["disk"].value or ()
    return Machine(
        os=_OS_NAMES.get(sources.system, sources.system),
        arch=sources.arch,
        cpu=answers["cpu"].value or _UNKNOWN_CPU,
        memory=memory,
        gpus=_gpus(answers, memory),
        disks=disks,
        notes=tuple(answer.reason for answer in answers.values() if answer.reason),
    )


def _probes(sources: Sources, folders: tuple[Path, ...]) -> dict[str, Callable[[], Any]]:
    return {
        "nvidia": lambda: probe_nvidia(sources),  # the slow one goes first
        "cpu": lambda: probe_cpu(sources),
        "memory": lambda: probe_memory(sources),
        "disk": lambda: probe_disks(sources, folders),
        "amd": lambda: probe_amd(sources),
        "intel": lambda: probe_intel(sources),
        "apple": lambda: probe_apple(sources),
        "windows": lambda: probe_windows(sources),
    }


def _gpus(answers: Mapping[str, _Answer], memory: Memory) -> tuple[Gpu, ...]:
    found: list[Gpu] = []
    for name in ("nvidia", "amd", "intel", "apple", "windows"):
        found += answers[name].value or ()
    if any(gpu.source == "NVML" for gpu in found):
        # DXGI lists NVIDIA's adapters too, and knows less of them.
        found = [gpu for gpu in found if (gpu.vendor, gpu.source) != ("NVIDIA", "DXGI")]
    return tuple(_capped(gpu, memory) for gpu in found)


def _capped(gpu: Gpu, memory: Memory) -> Gpu:
    """An integrated GPU borrows no more of RAM than is available now."""
    lent, free = gpu.lent_free_bytes, gpu.free_bytes
    if lent is None or free is None or not memory.total_bytes:
        return gpu
    left = min(lent, memory.available_bytes)
    return dataclasses.replace(gpu, free_bytes=free - lent + left, lent_free_bytes=left)


def _run_probes(
    probes: Mapping[str, Callable[[], Any]], report: Report, deadline_seconds: float
) -> dict[str, _Answer]:
    """Every probe on a thread of its own, since a read from a sleeping device can hang for good."""
    answers: dict[str, _Answer] = {}

    def run(name: str, probe: Callable[[], Any]) -> None:
        answers[name] = _answer(name, probe)

    threads = {
        name: threading.Thread(
            target=run, args=(name, probe), name=f"openshelf-probe-{name}", daemon=True
        )
        for name, probe in probes.items()
    }
    for thread in threads.values():
        thread.start()
    end = time.monotonic() + deadline_seconds
    for done, (name, thread) in enumerate(threads.items(), start=1):
        thread.join(max(0.0, end - time.monotonic()))
        report(Progress(done, len(threads), f"probe_{name}"))
    return {name: answers.get(name) or _too_slow(name, deadline_seconds) for name in probes}


def _too_slow(name: str, seconds: float) -> _Answer:
    return _Answer(reason=Reason("probe_too_slow", {"probe": name, "seconds": seconds}))


def _answer(name: str, probe: Callable[[], Any]) -> _Answer:
    try:
        return _Answer(value=probe())
    except ProbeFailed as failure:
        return _Answer(reason=failure.reason)
    except Exception as error:
        log.exception("the probe %s failed", name)
        detail = f"{type(error).__name__}: {error}"
        return _Answer(reason=Reason("probe_failed", {"probe": name, "detail": detail}))

"""A fit whose figures are the engine's own: it lays the model out without loading its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from openshelf.engine.protocol import DeviceBytes, DryRunResult, Plan
from openshelf.errors import CorruptModel, EngineDied, EngineFailed, UnsupportedArchitecture
from openshelf.fit.explanation import FitVerdict
from openshelf.fit.memory import DeviceMemory
from openshelf.fit.placing import Placed, with_devices
from openshelf.fit.verdict import (
    Fit,
    Question,
    answer,
    best_placement,
    generation_threads,
    plan_of,
)
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken

_HOST = "CPU"
_ABOUT_THE_MODEL = (
    "load_failed", "hung", "bad_plan", "unreadable", "unexpected", "out_of_memory", "driver",
)  # fmt: skip
"""Of EngineFailed.why; the others tell of the engine."""


class LaysOut(Protocol):
    """engine/process.py and engine/dry_runs.py say what it raises."""

    def dry_run(
        self, path: Path, plan: Plan, cancel: CancelToken | None = None
    ) -> DryRunResult: ...


def dry_run(
    question: Question, shadow: Path, engine: LaysOut, cancel: CancelToken | None = None
) -> Fit:
    """The fit as the engine reckons it for `shadow` (gguf/shadow.py, or the model's own file).

    A refusal, a death or a hang is an answer: no plan, and the reason first. Where the engine has
    not the machine's GPUs the estimate stands, with a note. Raises UsageError, EngineFailed where
    the engine cannot start at all, CancelledByUser.
    """
    placed = best_placement(question)
    names = _gpu_names(question, placed)
    if names is None:
        return _with_note(answer(question, placed), "fit_dry_run_elsewhere")
    plan = plan_of(placed, generation_threads(question.machine), question)
    try:
        result = engine.dry_run(shadow, plan, cancel)
    except (CorruptModel, UnsupportedArchitecture, EngineDied, EngineFailed) as error:
        return _refused(answer(question, placed), error)
    if not _covers(result, placed, names):
        return _with_note(answer(question, placed), "fit_dry_run_elsewhere")
    devices = _with_figures(placed.devices, result, names)
    exact = with_devices(placed, devices, question.shape, question.room)
    return _with_note(answer(question, exact, is_dry_run=True), "fit_confirmed")


def not_in_engine(fit: Fit) -> Fit:
    """The fit of something that the engine has no architecture for: it cannot be loaded."""
    return _refused(fit, UnsupportedArchitecture(fit.architecture or "?"))


def without_header(fit: Fit) -> Fit:
    """The estimate of something whose header is not at hand, said to be one."""
    return _with_note(fit, "fit_dry_run_needs_header")


def _with_note(fit: Fit, code: str) -> Fit:
    return dataclasses.replace(fit, reasons=(*fit.reasons, Reason(code)))


def _gpu_names(question: Question, placed: Placed) -> list[str] | None:
    """What the engine calls the GPUs that layers go to; None where it has no such GPU."""
    used = question.room.gpus[: len(placed.devices) - 1]
    names = [usable.gpu.engine_name for usable in used]
    return names if all(names) else None


def _covers(result: DryRunResult, placed: Placed, names: Sequence[str]) -> bool:
    """Whether the engine put something on exactly the GPUs that were meant."""
    found = {device.device for device in result.devices} - {_HOST}
    meant = zip(placed.devices[1:], names, strict=True)
    return found <= set(names) and all(
        name in found for device, name in meant if device.weights_bytes
    )


def _with_figures(
    estimated: tuple[DeviceMemory, ...], result: DryRunResult, names: Sequence[str]
) -> tuple[DeviceMemory, ...]:
    """Where the engine told no weights, those of the tensor infos stand, which are exact; its sum
    of all caches is parted as the layers are."""
    found = {device.device: device for device in result.devices}
    caches = sum(device.kv_cache_bytes for device in estimated)
    figures = []
    for device, name in zip(estimated, (_HOST, *names), strict=True):
        nothing = None if result.source == "log" else 0
        told = found.get(name, DeviceBytes(name, nothing, nothing, 0))
        cache = told.kv_cache_bytes
        if cache is None:
            cache = result.kv_cache_bytes * device.kv_cache_bytes // max(caches, 1)
        figures.append(
            dataclasses.replace(
                device,
                weights_bytes=device.weights_bytes
                if told.weights_bytes is None
                else told.weights_bytes,
                kv_cache_bytes=cache,
                compute_buffer_bytes=told.compute_buffer_bytes,
            )
        )
    return tuple(figures)


def _refused(
    fit: Fit, error: CorruptModel | UnsupportedArchitecture | EngineDied | EngineFailed
) -> Fit:
    """No placement can be loaded, whatever there is room for; the figures stay as estimated."""
    match error:
        case UnsupportedArchitecture():
            reason = Reason("fit_engine_lacks_architecture", {"architecture": error.architecture})
        case EngineDied():
            reason = Reason("fit_engine_died", {"signal": error.signal or str(error.exit_status)})
        case EngineFailed() if error.why == "hung":
            reason = Reason("fit_engine_hung")
        case EngineFailed() if error.why not in _ABOUT_THE_MODEL:
            raise error
        case _:
            reason = Reason("fit_engine_refuses", {"detail": error.detail or error.why})
    return dataclasses.replace(
        fit,
        verdict=FitVerdict.UNKNOWN,
        plan=None,
        speed=None,
        remedies=(),
        reasons=(reason, *fit.reasons[1:]),  # the first is the verdict's, which is void
    )

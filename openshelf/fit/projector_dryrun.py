"""A projector's figures from the engine, which lays it out without its weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Protocol

from openshelf.engine.protocol import ProjectorLaidOut
from openshelf.errors import CorruptModel, EngineDied, EngineFailed
from openshelf.fit.projector import Projector
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken

_ABOUT_THE_PROJECTOR = ("load_failed", "unreadable", "unexpected", "out_of_memory", "driver")
"""Of EngineFailed.why; the others tell of the engine."""


class LaysProjectorsOut(Protocol):
    """engine/process.py and engine/dry_runs.py say what it raises."""

    def projector_dry_run(
        self, path: Path, *, use_gpu: bool = False, cancel: CancelToken | None = None
    ) -> ProjectorLaidOut: ...


def measured_projector(
    projector: Projector,
    shadow: Path,
    engine: LaysProjectorsOut,
    *,
    use_gpu: bool = False,
    cancel: CancelToken | None = None,
) -> tuple[Projector, Reason | None]:
    """`projector` with the engine's own work buffer, or as it was, with the reason why.

    `shadow` is the projector's file, or its header and a hole (gguf/shadow.py). What the engine
    sets aside on the host beside a GPU counts as the GPU's. Raises EngineFailed where the engine
    cannot start at all, CancelledByUser.
    """
    try:
        answer = engine.projector_dry_run(shadow, use_gpu=use_gpu, cancel=cancel)
    except (CorruptModel, EngineDied, EngineFailed) as error:
        return projector, _refusal(error)
    compute = sum(device.compute_buffer_bytes for device in answer.devices)
    return dataclasses.replace(projector, compute_bytes=compute, basis="engine"), None


def _refusal(error: CorruptModel | EngineDied | EngineFailed) -> Reason:
    match error:
        case EngineDied():
            return Reason("fit_projector_died", {"signal": error.signal or str(error.exit_status)})
        case EngineFailed() if error.why == "hung":
            return Reason("fit_projector_hung")
        case EngineFailed() if error.why == "not_measurable":
            return Reason("fit_projector_not_measured")
        case EngineFailed() if error.why not in _ABOUT_THE_PROJECTOR:
            raise error
        case _:
            return Reason("fit_projector_refused", {"detail": error.detail or error.why})

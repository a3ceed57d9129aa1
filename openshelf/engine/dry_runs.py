"""Dry runs that never disturb a model in memory: in the usual worker, or in one beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from openshelf.engine.process import Engine
from openshelf.engine.protocol import Architectures, DryRunResult, Plan, ProjectorLaidOut
from openshelf.errors import EngineFailed
from openshelf.tasks import CancelToken

R = TypeVar("R")

IDLE_SECONDS = 30.0
"""A second worker holds a driver's context on the GPU, so that it does not stay for long."""


class DryRuns:
    """Lays models out through `main` while nothing is loaded there, else through a second engine,
    which ends when it was not needed for `idle_seconds`. Thread-safe."""

    def __init__(
        self,
        main: Engine,
        make_engine: Callable[[], Engine] = Engine,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._main = main
        self._make_engine = make_engine
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._second: Engine | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    def dry_run(self, path: Path, plan: Plan, cancel: CancelToken | None = None) -> DryRunResult:
        """What a load would take. Raises what `Engine.dry_run` does, save busy."""
        return self._run(lambda engine: engine.dry_run(path, plan, cancel))

    def projector_dry_run(
        self, path: Path, *, use_gpu: bool = False, cancel: CancelToken | None = None
    ) -> ProjectorLaidOut:
        """What a projector would take. Raises what `Engine.projector_dry_run` does, save busy."""
        return self._run(
            lambda engine: engine.projector_dry_run(path, use_gpu=use_gpu, cancel=cancel)
        )

    def architectures(self, names: Sequence[str]) -> Architectures:
        """Which architectures can be loaded. Raises what `Engine.architectures` does, save busy."""
        return self._run(lambda engine: engine.architectures(names))

    def close(self) -> None:
        """End the second worker; there is none from then on."""
        self._closed = True
        second = self._second
        if second is not None:
            second.close()  # ends a dry run under way, which holds the lock
        with self._lock:
            self._end_second()

    def _run(self, ask: Callable[[Engine], R]) -> R:
        try:
            return ask(self._main)
        except EngineFailed as error:
            if error.why != "busy":
                raise
        with self._lock:
            try:
                return ask(self._beside())
            finally:
                self._end_later()

    def _beside(self) -> Engine:
        if self._closed:
            raise EngineFailed("closed")
        if self._timer is not None:
            self._timer.cancel()
        if self._second is None:
            self._second = self._make_engine()
        return self._second

    def _end_later(self) -> None:
        if self._closed:
            return
        self._timer = threading.Timer(self._idle_seconds, self._end_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _end_if_idle(self) -> None:
        with self._lock:
            if self._timer is threading.current_thread():
                self._end_second()

    def _end_second(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._second is not None:
            self._second.close()
        self._timer = self._second = None

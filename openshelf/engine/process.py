"""The engine as its users see it: load, chat, devices, unload; a worker process underneath.

Thread-safe, one job at a time. A worker that died is replaced by the next call.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from openshelf.children import Door, child_command, child_environment
from openshelf.engine.connection import Call, Connection
from openshelf.engine.interface import LoadOrder, OnTokens, Probed
from openshelf.engine.probing import check_file, probe_file
from openshelf.engine.protocol import (
    Architectures,
    Bench,
    Benched,
    BenchProgress,
    Chat,
    ChatMessage,
    Counted,
    CountTokens,
    Devices,
    Done,
    DryRun,
    DryRunResult,
    Event,
    ListArchitectures,
    ListDevices,
    Load,
    Loaded,
    LoadProgress,
    Ping,
    Plan,
    Pong,
    ProjectorDryRun,
    ProjectorLaidOut,
    PromptProgress,
    Refused,
    Request,
    Sampling,
    Tokens,
    Unload,
    Unloaded,
)
from openshelf.engine.refusals import error_of
from openshelf.engine.waiting import Waiting
from openshelf.errors import (
    CancelledByUser,
    EngineDied,
    EngineFailed,
)
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Progress, Report, no_report

E = TypeVar("E", bound=Event)
log = logging.getLogger(__name__)

_PING_SECONDS = 5.0
_DEVICES_SECONDS = 60.0
_UNLOAD_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
DRY_RUN_SECONDS = 10.0
_SHORT_JOBS = ("devices", "unload", "dry_run", "architectures")


class Engine:
    """llama.cpp in a child process. Every method may be called from any thread."""

    def __init__(
        self,
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = list(command or child_command(Door.ENGINE_WORKER))
        self._environment = (
            child_environment({"GGML_NO_BACKTRACE": "1"}) if environment is None else environment
        )
        self._turn = threading.Lock()
        self._connecting = threading.Lock()
        self._connection: Connection | None = None
        self._loaded: tuple[Connection, Loaded] | None = None
        self._devices: Devices | None = None
        self._current: Call | None = None
        self._doing = ""
        self._closed = False

    @property
    def is_running(self) -> bool:
        connection = self._connection
        return connection is not None and connection.is_alive

    @property
    def pid(self) -> int:
        """Of the worker, 0 where there is none."""
        connection = self._connection
        return connection.pid if connection is not None and connection.is_alive else 0

    @property
    def loaded(self) -> Loaded | None:
        """What is in memory now; None after a death as well."""
        loaded = self._loaded
        if loaded is None or loaded[0] is not self._connection or not loaded[0].is_alive:
            return None
        return loaded[1]

    def start(self) -> None:
        """Have a worker running. Raises EngineFailed or EngineDied."""
        self._connected()

    def load(
        self,
        clearance: Clearance,
        order: LoadOrder,
        cancel: CancelToken,
        report: Report = no_report,
    ) -> Loaded:
        """Load exactly `order.plan`, if `clearance` covers every file.

        Raises ClearanceRefused, NotFound, CorruptModel, UnsupportedArchitecture, OutOfMemory,
        EngineFailed, EngineDied, CancelledByUser.
        """
        projector = (order.projector,) if order.projector is not None else ()
        for file in (*order.files, *projector):
            check_file(file, clearance, order.policy_sha256)
        location = str(Path(order.files[0].location).absolute())
        sees_by = str(Path(projector[0].location).absolute()) if projector else ""

        def on_event(event: Event) -> None:
            if isinstance(event, LoadProgress):
                report(Progress(round(event.fraction * 1000), 1000, "loading"))

        with self._job("load", location) as connection:
            self._loaded = None
            loaded = self._run(
                connection,
                lambda number: Load(number, location, order.plan, sees_by),
                Loaded,
                cancel=cancel,
                on_event=on_event,
            )
            self._loaded = (connection, loaded)
            return loaded

    def chat(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        cancel: CancelToken,
        on_tokens: OnTokens,
        report: Report = no_report,
    ) -> Done:
        """Answer; `on_tokens(text, count)` is called in this thread, batch by batch.

        A cancelled answer returns a Done whose `finish_reason` is cancelled. Raises EngineFailed
        (no_model, context_too_long, template_failed, busy…), EngineDied; CancelledByUser only
        where the worker had to be ended to stop it.
        """

        def on_event(event: Event) -> None:
            if isinstance(event, Tokens):
                on_tokens(event.text, event.count)
            elif isinstance(event, PromptProgress):
                report(Progress(event.done_tokens, event.total_tokens, "prompt"))

        with self._job("chat") as connection:
            return self._run(
                connection,
                lambda number: Chat(number, tuple(messages), sampling),
                Done,
                cancel=cancel,
                on_event=on_event,
            )

    def probe(self, order: LoadOrder, cancel: CancelToken) -> Probed:
        """What the header of the first file tells. Raises NotFound, CorruptModel."""
        cancel.raise_if_cancelled()
        return probe_file(order.files[0])

    def count_tokens(self, messages: Sequence[ChatMessage], cancel: CancelToken) -> int:
        """Of the prompt that these messages make. Raises EngineFailed (no_model, busy,
        template_failed), EngineDied, CancelledByUser."""
        with self._job("count") as connection:
            counted = self._run(
                connection,
                lambda number: CountTokens(number, tuple(messages)),
                Counted,
                cancel=cancel,
                seconds=_DEVICES_SECONDS,
            )
            return counted.tokens

    def bench(
        self,
        prompt_tokens: int,
        answer_tokens: int,
        repetitions: int,
        *,
        cancel: CancelToken,
        report: Report = no_report,
    ) -> Benched:
        """Time what is loaded; the context is empty afterwards. Raises EngineFailed (no_model,
        busy, decode_failed), EngineDied, CancelledByUser."""

        def on_event(event: Event) -> None:
            if isinstance(event, BenchProgress):
                report(Progress(event.done, event.total, "bench"))

        with self._job("bench") as connection:
            return self._run(
                connection,
                lambda number: Bench(number, prompt_tokens, answer_tokens, repetitions),
                Benched,
                cancel=cancel,
                on_event=on_event,
            )

    def devices(self) -> Devices:
        """What the engine build can use. While it is busy, what it said before."""
        if self._turn.locked() and self._devices is not None:
            return self._devices
        with self._job("devices", wait=True) as connection:
            self._devices = self._run(connection, ListDevices, Devices, seconds=_DEVICES_SECONDS)
            return self._devices

    def architectures(self, names: Sequence[str]) -> Architectures:
        """Which of `names` (of `general.architecture`) this engine build can load.

        Never beside a loaded model. Raises EngineFailed (busy, not_told where this build does
        not tell), EngineDied.
        """
        with self._job("architectures") as connection:
            if self.loaded is not None:
                raise EngineFailed("busy")
            return self._run(
                connection,
                lambda number: ListArchitectures(number, tuple(names)),
                Architectures,
                seconds=_DEVICES_SECONDS,
            )

    def dry_run(
        self,
        path: Path,
        plan: Plan,
        cancel: CancelToken | None = None,
        *,
        from_log: bool = False,
    ) -> DryRunResult:
        """What loading the model at `path` by `plan` would take, without its weights.

        Never beside a loaded model: the worker may die of it (EngineFailed, busy). Raises also
        CorruptModel, UnsupportedArchitecture, OutOfMemory, EngineFailed (hung after
        DRY_RUN_SECONDS), EngineDied, CancelledByUser.
        """
        location = str(path.absolute())
        with self._job("dry_run", location) as connection:
            if self.loaded is not None:
                raise EngineFailed("busy")
            return self._run(
                connection,
                lambda number: DryRun(number, location, plan, from_log),
                DryRunResult,
                cancel=cancel,
                seconds=DRY_RUN_SECONDS,
            )

    def projector_dry_run(
        self, path: Path, *, use_gpu: bool = False, cancel: CancelToken | None = None
    ) -> ProjectorLaidOut:
        """What loading the projector at `path` would take, without its weights.

        Never beside a loaded model. Raises what `dry_run` does; EngineFailed (not_measurable)
        where this engine build does not tell.
        """
        location = str(path.absolute())
        with self._job("dry_run", location) as connection:
            if self.loaded is not None:
                raise EngineFailed("busy")
            return self._run(
                connection,
                lambda number: ProjectorDryRun(number, location, use_gpu),
                ProjectorLaidOut,
                cancel=cancel,
                seconds=DRY_RUN_SECONDS,
            )

    def ping(self) -> float:
        """Seconds to an answer, also while it works. Raises EngineDied, EngineFailed (hung)."""
        started = time.monotonic()
        self._run(self._connected(), Ping, Pong, seconds=_PING_SECONDS)
        return time.monotonic() - started

    def unload(self) -> None:
        """Give the model's memory back. Nothing to do where none is loaded.

        A worker that dies or hangs over it is ended, which gives it back as well. Raises
        EngineFailed (busy).
        """
        if self.loaded is None:
            return
        try:
            with self._job("unload") as connection:
                self._loaded = None
                self._run(connection, Unload, Unloaded, seconds=_UNLOAD_SECONDS)
        except EngineDied as death:
            log.info("the engine died while it unloaded: %s", death)
        except EngineFailed as failure:
            if failure.why != "hung":
                raise
            log.info("the engine hung while it unloaded, and was ended")

    def close(self) -> None:
        """End the worker, down the stop ladder; nothing can be started afterwards."""
        self._closed = True
        # A worker that is being started at this moment dies with our end of its stdin.
        if self._connecting.acquire(timeout=_CLOSE_SECONDS):
            self._connecting.release()
        if self._connection is not None:
            self._connection.end(self._current)
        self._loaded = None

    # --- one job --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _job(self, during: str, name: str = "", *, wait: bool = False) -> Iterator[Connection]:
        """The only job at a time; a refusal knows which file it was about."""
        # These are over in a moment; a load or an answer is not.
        wait = wait or self._doing in _SHORT_JOBS
        if not self._turn.acquire(timeout=_DEVICES_SECONDS if wait else 0):
            raise EngineFailed("busy")
        self._doing = during
        try:
            connection = self._connected()
            connection.during = during
            try:
                yield connection
            finally:
                connection.during = ""
        except _RefusedByWorker as refused:
            raise error_of(refused.event, name) from None
        except EngineDied as death:
            if self._closed:
                raise CancelledByUser from death
            raise
        finally:
            self._current = None
            self._doing = ""
            self._turn.release()

    def _connected(self) -> Connection:
        with self._connecting:
            if self._closed:
                raise EngineFailed("closed")
            if self._connection is None or not self._connection.is_alive:
                if self._connection is not None:
                    self._connection.end()
                self._connection = Connection(self._command, self._environment)
            return self._connection

    def _run(
        self,
        connection: Connection,
        make: Callable[[int], Request],
        end: type[E],
        *,
        cancel: CancelToken | None = None,
        on_event: Callable[[Event], None] | None = None,
        seconds: float | None = None,
    ) -> E:
        """Send, pass events on, return the last one."""
        call = connection.request(make)
        waiting = Waiting(connection, call, cancel, seconds)
        if cancel is not None:
            self._current = call
        try:
            while True:
                event = waiting.next()
                if isinstance(event, end):
                    return event
                if isinstance(event, Refused):
                    raise _RefusedByWorker(event)
                if on_event is not None:
                    on_event(event)
        finally:
            connection.finish(call)


class _RefusedByWorker(Exception):
    def __init__(self, event: Refused) -> None:
        super().__init__(event.why)
        self.event = event

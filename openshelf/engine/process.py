"""The engine as its users see it: load, chat, devices, unload; a worker process underneath.

Thread-safe, one job at a time. A worker that died is replaced by the next call.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from openshelf.children import Door, child_command
from openshelf.engine.connection import Connection, worker_environment
from openshelf.engine.interface import LoadOrder, OnTokens, Probed
from openshelf.engine.jobs import WAIT_SECONDS, Jobs, Starter
from openshelf.engine.load_watch import LoadWatch
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
    Sampling,
    Tokens,
    Unload,
    Unloaded,
)
from openshelf.engine.waiting import Limits
from openshelf.errors import (
    EngineDied,
    EngineFailed,
)
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Progress, Report, no_report

log = logging.getLogger(__name__)

_PING_SECONDS = 5.0
TEMPLATE_SECONDS = 7.5
"""The worker gives up sooner, unless it is caught in a single step that it cannot end."""
_UNLOAD_SECONDS = 10.0
DRY_RUN_SECONDS = 10.0


class PlainStarter:
    """Workers of the build that is installed, or of any program that a test names."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = list(command), dict(environment)

    def start(self) -> Connection:
        return Connection(self._command, self._environment)

    def is_current(self, connection: Connection) -> bool:
        return True


class Engine:
    """llama.cpp in a child process. Every method may be called from any thread."""

    def __init__(
        self,
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        starter: Starter | None = None,
    ) -> None:
        """Without `starter` (builds.py has one), all workers are the same command."""
        self._jobs = Jobs(
            starter
            or PlainStarter(
                command or child_command(Door.ENGINE_WORKER),
                worker_environment() if environment is None else environment,
            )
        )
        self._loaded: tuple[Connection, Loaded] | None = None
        self._devices: Devices | None = None
        self._file: tuple[str, int] = ("", 0)
        self._hung_templates: set[tuple[str, int]] = set()
        """Files by location and time of change (nanoseconds since 1970)."""

    @property
    def is_running(self) -> bool:
        return self._jobs.connection is not None

    @property
    def pid(self) -> int:
        """Of the worker, 0 where there is none."""
        connection = self._jobs.connection
        return connection.pid if connection is not None else 0

    @property
    def loaded(self) -> Loaded | None:
        """What is in memory now; None after a death as well."""
        loaded = self._loaded
        if loaded is None or loaded[0] is not self._jobs.connection:
            return None
        return loaded[1]

    def start(self) -> None:
        """Have a worker running. Raises EngineFailed or EngineDied."""
        self._jobs.connected()

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
        changed_at = 0
        for file in (*order.files, *projector):
            changed_at = max(changed_at, check_file(file, clearance, order.policy_sha256))
        location = str(Path(order.files[0].location).absolute())
        sees_by = str(Path(projector[0].location).absolute()) if projector else ""

        def on_event(event: Event) -> None:
            if isinstance(event, LoadProgress):
                report(Progress(round(event.fraction * 1000), 1000, "loading"))

        with self._jobs.job("load", location, renew=True) as connection:
            self._loaded = None
            loaded = self._jobs.run(
                connection,
                lambda number: Load(number, location, order.plan, sees_by),
                Loaded,
                cancel=cancel,
                on_event=on_event,
                limits=Limits(look=LoadWatch(connection.pid, order).look),
            )
            self._loaded, self._file = (connection, loaded), (location, changed_at)
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
        (no_model, template_failed, busy…), ContextFull, EngineDied; CancelledByUser only
        where the worker had to be ended to stop it.
        """

        def on_event(event: Event) -> None:
            if isinstance(event, Tokens):
                on_tokens(event.text, event.count)
            elif isinstance(event, PromptProgress):
                report(Progress(event.done_tokens, event.total_tokens, "prompt"))

        limits = Limits(first_seconds=TEMPLATE_SECONDS, first_why="template_hung")
        with self._template() as own, self._jobs.job("chat", self._file[0]) as connection:
            return self._jobs.run(
                connection,
                lambda number: Chat(number, tuple(messages), sampling, own),
                Done,
                cancel=cancel,
                on_event=on_event,
                limits=limits,
            )

    @contextlib.contextmanager
    def _template(self) -> Iterator[bool]:
        """Whether the model's own may be used: one that hung is not tried again."""
        file = self._file
        try:
            yield file not in self._hung_templates
        except EngineFailed as failure:
            if failure.why == "template_hung":
                # Its worker is gone, and with it the memory of that.
                self._hung_templates.add(file)
            raise

    def probe(self, order: LoadOrder, cancel: CancelToken) -> Probed:
        """What the header of the first file tells. Raises NotFound, CorruptModel."""
        cancel.raise_if_cancelled()
        return probe_file(order.files[0])

    def count_tokens(self, messages: Sequence[ChatMessage], cancel: CancelToken) -> int:
        """Of the prompt that these messages make. Raises EngineFailed (no_model, busy,
        template_failed, template_hung), EngineDied, CancelledByUser.

        A cancel waits for the end of what is being cut into tokens, a second for a whole book:
        nothing can interrupt that, and to end the worker would cost the model in memory.
        """
        limits = Limits(WAIT_SECONDS, TEMPLATE_SECONDS, "template_hung")
        cancel.raise_if_cancelled()
        with self._template() as own, self._jobs.job("count", self._file[0]) as connection:
            counted = self._jobs.run(
                connection,
                lambda number: CountTokens(number, tuple(messages), own),
                Counted,
                limits=limits,
            )
        cancel.raise_if_cancelled()
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

        with self._jobs.job("bench", self._file[0]) as connection:
            return self._jobs.run(
                connection,
                lambda number: Bench(number, prompt_tokens, answer_tokens, repetitions),
                Benched,
                cancel=cancel,
                on_event=on_event,
            )

    def devices(self) -> Devices:
        """What the engine build can use. While it is busy, what it said before."""
        if self._jobs.is_busy and self._devices is not None:
            return self._devices
        with self._jobs.job("devices", wait=True, renew=self.loaded is None) as connection:
            limits = Limits(WAIT_SECONDS)
            self._devices = self._jobs.run(connection, ListDevices, Devices, limits=limits)
            return self._devices

    def architectures(self, names: Sequence[str]) -> Architectures:
        """Which of `names` (of `general.architecture`) this engine build can load.

        Never beside a loaded model. Raises EngineFailed (busy, not_told where this build does
        not tell), EngineDied.
        """
        with self._jobs.job("architectures", renew=self.loaded is None) as connection:
            if self.loaded is not None:
                raise EngineFailed("busy")
            return self._jobs.run(
                connection,
                lambda number: ListArchitectures(number, tuple(names)),
                Architectures,
                limits=Limits(WAIT_SECONDS),
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
        with self._jobs.job("dry_run", location, renew=self.loaded is None) as connection:
            if self.loaded is not None:
                raise EngineFailed("busy")
            return self._jobs.run(
                connection,
                lambda number: DryRun(number, location, plan, from_log),
                DryRunResult,
                cancel=cancel,
                limits=Limits(DRY_RUN_SECONDS),
            )

    def projector_dry_run(
        self, path: Path, *, use_gpu: bool = False, cancel: CancelToken | None = None
    ) -> ProjectorLaidOut:
        """What loading the projector at `path` would take, without its weights.

        Never beside a loaded model. Raises what `dry_run` does; EngineFailed (not_measurable)
        where this engine build does not tell.
        """
        location = str(path.absolute())
        with self._jobs.job("dry_run", location, renew=self.loaded is None) as connection:
            if self.loaded is not None:
                raise EngineFailed("busy")
            return self._jobs.run(
                connection,
                lambda number: ProjectorDryRun(number, location, use_gpu),
                ProjectorLaidOut,
                cancel=cancel,
                limits=Limits(DRY_RUN_SECONDS),
            )

    def ping(self) -> float:
        """Seconds to an answer, also while it works. Raises EngineDied, EngineFailed (hung)."""
        started = time.monotonic()
        self._jobs.run(self._jobs.connected(), Ping, Pong, limits=Limits(_PING_SECONDS))
        return time.monotonic() - started

    def unload(self) -> None:
        """Give the model's memory back. Nothing to do where none is loaded.

        A worker that dies or hangs over it is ended, which gives it back as well. Raises
        EngineFailed (busy).
        """
        if self.loaded is None:
            return
        try:
            with self._jobs.job("unload") as connection:
                self._loaded = None
                self._jobs.run(connection, Unload, Unloaded, limits=Limits(_UNLOAD_SECONDS))
        except EngineDied as death:
            log.info("the engine died while it unloaded: %s", death)
        except EngineFailed as failure:
            if failure.why != "hung":
                raise
            log.info("the engine hung while it unloaded, and was ended")

    def close(self) -> None:
        """End the worker, down the stop ladder; nothing can be started afterwards."""
        self._jobs.close()
        self._loaded = None

"""Verifies installed files by a schedule: in the background, one at a time, only while nothing else
is going on, at the lowest priority that the system gives a thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.low_priority import lower_priority
from openshelf.library.store import Library
from openshelf.library.verifying import FileState
from openshelf.tasks import Announcer, CancelToken, Progress

log = logging.getLogger(__name__)

DAYS = {"weekly": 7, "monthly": 30}
_LOOK_SECONDS = 60.0
_QUIET_SECONDS = 5.0
_STOPPED_FOR = timedelta(hours=24)
"""So long a person who stopped it is left alone."""
_LONG_AGO = "0000"


@dataclass(frozen=True)
class UpkeepState:
    """What is being verified (`model_name` "" where nothing is), and what this run has found.

    `waits`: it has a file half read and waits for something else to end.
    """

    model_name: str = ""
    path: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    waits: bool = False
    verified: int = 0
    damaged: tuple[str, ...] = ()
    """Names of models."""

    @property
    def is_running(self) -> bool:
        return bool(self.model_name)


def due_files(
    models: Sequence[InstalledModel], schedule: str, now: datetime
) -> tuple[tuple[InstalledModel, InstalledFile], ...]:
    """Files whose last verification is longer ago than the schedule wants, the oldest first.

    What is known to be damaged or is not here is left out; nothing is due where it is off.
    """
    days = DAYS.get(schedule)
    if days is None:
        return ()
    before = (now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    due = [
        (file.verified_at or _LONG_AGO, model, file)
        for model in models
        if model.is_usable
        for file in model.files
        if (file.verified_at or _LONG_AGO) <= before
    ]
    due.sort(key=lambda entry: (entry[0], entry[1].id, entry[2].path))
    return tuple((model, file) for _, model, file in due)


class Upkeep:
    """`start` gives it a thread of its own; `look` is one round, in the caller's thread."""

    def __init__(
        self,
        library: Library,
        schedule: Callable[[], str],
        is_busy: Callable[[], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.announcer: Announcer[UpkeepState] = Announcer()
        self._library = library
        self._schedule = schedule
        self._is_busy = is_busy
        self._now = now
        self._state = UpkeepState()
        self._cancel = CancelToken()
        self._ended = CancelToken()
        self._stopped_until: datetime | None = None
        self._tried: dict[tuple[str, str], datetime] = {}
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def state(self) -> UpkeepState:
        return self._state

    def start(self) -> None:
        """Look once a minute until `close`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="openshelf-upkeep", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End what runs now, and leave it for a day."""
        self._stopped_until = self._now() + _STOPPED_FOR
        with self._lock:
            self._cancel.cancel()

    def close(self) -> None:
        """Returns as soon as the file that is being read is let go."""
        self._ended.cancel()
        with self._lock:
            self._cancel.cancel()
        if self._thread is not None:
            self._thread.join(2.0)

    def look(self) -> int:
        """Verify what is due, file by file; the number of files that were read. Never raises."""
        with self._lock:
            self._cancel = CancelToken()
            if self._ended.is_cancelled:
                return 0
        self._state = UpkeepState()
        count = 0
        try:
            while (found := self._next()) is not None:
                self._verify(*found)
                count += 1
        except CancelledByUser:
            log.info("upkeep: stopped after %d files", count)
        except OpenshelfError as error:
            log.warning("upkeep: installed files cannot be verified now: %s", error)
        if count or self._state.is_running:
            self._tell(replace(self._state, model_name="", path="", waits=False))
        return count

    def _run(self) -> None:
        lower_priority()
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()

    def _next(self) -> tuple[InstalledModel, InstalledFile] | None:
        """What to read next; None while something else is going on."""
        self._cancel.raise_if_cancelled()
        now = self._now()
        if self._schedule() not in DAYS or self._is_busy():
            return None
        if self._stopped_until is not None and now < self._stopped_until:
            return None
        # What cannot be read stays due, and is tried once a day.
        self._tried = {key: at for key, at in self._tried.items() if now - at < _STOPPED_FOR}
        for model, file in due_files(self._library.installed(), self._schedule(), now):
            if (model.id, file.path) not in self._tried:
                return model, file
        return None

    def _verify(self, model: InstalledModel, file: InstalledFile) -> None:
        cancel = self._cancel

        def report(progress: Progress) -> None:
            self._step_aside(cancel)
            done = self._state.done_bytes
            if progress.done < done or progress.done - done >= 64_000_000:
                self._tell(replace(self._state, done_bytes=progress.done))

        self._tell(
            replace(
                self._state, model_name=model.name, path=file.path, done_bytes=0,
                total_bytes=file.size_bytes,
            )
        )  # fmt: skip
        self._tried[(model.id, file.path)] = self._now()
        check = self._library.verify_file(model.id, file.path, cancel, report)
        damaged = self._state.damaged
        if check.state is FileState.DAMAGED and model.name not in damaged:
            damaged = (*damaged, model.name)
        verified = self._state.verified + (check.state is FileState.INTACT)
        self._state = replace(self._state, verified=verified, damaged=damaged)

    def _step_aside(self, cancel: CancelToken) -> None:
        """Wait as long as something else is going on, with the file half read."""
        if not self._is_busy():
            return
        self._tell(replace(self._state, waits=True))
        while self._is_busy() and not cancel.wait(_QUIET_SECONDS):
            pass
        cancel.raise_if_cancelled()
        self._tell(replace(self._state, waits=False))

    def _tell(self, state: UpkeepState) -> None:
        self._state = state
        self.announcer.announce(state)

"""Work off the GUI thread: progress, cancelling, one outcome per task. Qt-free.

`work(cancel, report) -> result` is a plain function given to a `TaskRunner`; the window's
`ui/task_bridge.py` carries progress and outcome to its own thread.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_futures
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.reasons import Reason

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """How far a task is. `total` None means unknown; `rate_per_second` is in units of `done`.

    `reason` says why nothing moves, where that is so.
    """

    done: int
    total: int | None
    phase: str
    rate_per_second: float | None = None
    reason: Reason | None = None

    @property
    def seconds_left(self) -> float | None:
        if self.total is None or not self.rate_per_second:
            return None
        return max(0, self.total - self.done) / self.rate_per_second

    @property
    def fraction(self) -> float | None:
        return None if not self.total else min(1.0, self.done / self.total)


Report = Callable[[Progress], None]


def no_report(progress: Progress) -> None:
    """For callers that do not watch."""


class CancelToken:
    """Set once by whoever wants the work to stop; the work looks at it or waits on it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def cancel(self) -> None:
        with self._lock:
            already = self._event.is_set()
            self._event.set()
            callbacks = [] if already else list(self._callbacks)
        for callback in callbacks:
            callback()

    @property
    def is_cancelled(self) -> bool:
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        if self._event.is_set():
            raise CancelledByUser

    def wait(self, seconds: float) -> bool:
        """True as soon as cancelled, False when the time is over."""
        return self._event.wait(seconds)

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when cancelled, at once if that has happened already."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()


@dataclass(frozen=True)
class Succeeded(Generic[T]):
    value: T


@dataclass(frozen=True)
class Failed:
    """`error` is an OpenshelfError, or anything else where the failure was not expected."""

    error: BaseException


@dataclass(frozen=True)
class Cancelled:
    pass


Outcome = Succeeded[T] | Failed | Cancelled
Work = Callable[[CancelToken, Report], T]


def run_to_outcome(work: Work[T], cancel: CancelToken, report: Report) -> Outcome[T]:
    """Run `work` here and now; every end becomes exactly one outcome."""
    try:
        cancel.raise_if_cancelled()
        return Succeeded(work(cancel, report))
    except CancelledByUser:
        return Cancelled()
    except OpenshelfError as error:
        return Failed(error)
    except Exception as error:
        log.exception("unexpected failure in a task")
        return Failed(error)


@dataclass(frozen=True)
class Task:
    """A handle: what was started, and how to stop it."""

    id: int
    name: str
    cancel_token: CancelToken

    def cancel(self) -> None:
        self.cancel_token.cancel()


class TaskRunner(Protocol):
    def submit(
        self,
        name: str,
        work: Work[Any],
        *,
        on_progress: Callable[[Task, Progress], None] | None = None,
        on_outcome: Callable[[Task, Outcome[Any]], None] | None = None,
    ) -> Task:
        """Start `work`; the callbacks may come from another thread."""
        ...

    def close(self, seconds: float = 2.0) -> None:
        """Take nothing more, cancel everything, wait that long for it to end."""
        ...


class PoolTaskRunner:
    """Runs tasks on threads."""

    def __init__(self, workers: int = 8) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="openshelf-task")
        self._ids = itertools.count(1)
        self._live: dict[int, tuple[Task, Future[None]]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def submit(
        self,
        name: str,
        work: Work[Any],
        *,
        on_progress: Callable[[Task, Progress], None] | None = None,
        on_outcome: Callable[[Task, Outcome[Any]], None] | None = None,
    ) -> Task:
        task = Task(next(self._ids), name, CancelToken())

        def report(progress: Progress) -> None:
            if on_progress is not None:
                on_progress(task, progress)

        def run() -> None:
            outcome = run_to_outcome(work, task.cancel_token, report)
            with self._lock:
                self._live.pop(task.id, None)
            if on_outcome is not None:
                on_outcome(task, outcome)

        with self._lock:
            if self._closed:
                task.cancel()
                return task
            self._live[task.id] = (task, self._pool.submit(run))
        return task

    def close(self, seconds: float = 2.0) -> None:
        with self._lock:
            self._closed = True
            live = list(self._live.values())
        for task, _ in live:
            task.cancel()
        deadline = time.monotonic() + seconds
        wait_for_futures([future for _, future in live], max(0.0, deadline - time.monotonic()))
        self._pool.shutdown(wait=False, cancel_futures=True)


class InlineTaskRunner:
    """Runs each task at once in the caller's thread: for tests and the command line."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)

    def submit(
        self,
        name: str,
        work: Work[Any],
        *,
        on_progress: Callable[[Task, Progress], None] | None = None,
        on_outcome: Callable[[Task, Outcome[Any]], None] | None = None,
    ) -> Task:
        task = Task(next(self._ids), name, CancelToken())

        def report(progress: Progress) -> None:
            if on_progress is not None:
                on_progress(task, progress)

        outcome = run_to_outcome(work, task.cancel_token, report)
        if on_outcome is not None:
            on_outcome(task, outcome)
        return task

    def close(self, seconds: float = 2.0) -> None:
        """Nothing outlives `submit` here."""


class Announcer(Generic[T]):
    """Tells listeners a frozen snapshot; they may be called from any thread."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[T], None]] = []
        self._lock = threading.Lock()

    def subscribe(self, listener: Callable[[T], None]) -> Callable[[], None]:
        """Returns the function that ends the subscription."""
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return unsubscribe

    def announce(self, snapshot: T) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(snapshot)

"""One job at a time on a worker process, which is replaced after its death. Thread-safe."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from openshelf.engine.connection import Call, Connection
from openshelf.engine.protocol import Event, Refused, Request
from openshelf.engine.refusals import error_of
from openshelf.engine.waiting import NO_LIMITS, Limits, Waiting
from openshelf.errors import CancelledByUser, EngineDied, EngineFailed
from openshelf.tasks import CancelToken

E = TypeVar("E", bound=Event)

WAIT_SECONDS = 60.0
_CLOSE_SECONDS = 2.0
_SHORT_JOBS = ("devices", "unload", "dry_run", "architectures", "count")


class Starter(Protocol):
    """Where workers come from."""

    def start(self) -> Connection:
        """Raises EngineFailed, EngineDied."""
        ...

    def is_current(self, connection: Connection) -> bool:
        """Whether a worker that is started now would be one of the same kind."""
        ...


class Jobs:
    """The worker's life, from its start to the stop ladder, and whose turn it is."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._turn = threading.Lock()
        self._connecting = threading.Lock()
        self._connection: Connection | None = None
        self._current: Call | None = None
        self._doing = ""
        self._closed = False

    @property
    def connection(self) -> Connection | None:
        """The worker's; None where there is none, or a dead one."""
        connection = self._connection
        return connection if connection is not None and connection.is_alive else None

    @property
    def is_busy(self) -> bool:
        return self._turn.locked()

    def close(self) -> None:
        """End the worker, down the stop ladder; nothing can be started afterwards."""
        self._closed = True
        # A worker that is being started at this moment dies with our end of its stdin.
        if self._connecting.acquire(timeout=_CLOSE_SECONDS):
            self._connecting.release()
        if self._connection is not None:
            self._connection.end(self._current)

    @contextlib.contextmanager
    def job(
        self, during: str, name: str = "", *, wait: bool = False, renew: bool = False
    ) -> Iterator[Connection]:
        """The only job at a time; a refusal knows which file it was about.

        With `renew` a worker of another engine build than the one chosen now is replaced.
        """
        # These are over in a moment; a load or an answer is not.
        wait = wait or self._doing in _SHORT_JOBS
        if not self._turn.acquire(timeout=WAIT_SECONDS if wait else 0):
            raise EngineFailed("busy")
        self._doing = during
        try:
            connection = self.connected(renew=renew)
            connection.begin(during, name)
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

    def connected(self, *, renew: bool = False) -> Connection:
        with self._connecting:
            if self._closed:
                raise EngineFailed("closed")
            before = self._connection
            if before is not None:
                if before.is_alive and not (renew and not self._starter.is_current(before)):
                    return before
                before.end()
            self._connection = connection = self._starter.start()
            if self._closed:
                connection.end()
                raise EngineFailed("closed")
            return connection

    def run(
        self,
        connection: Connection,
        make: Callable[[int], Request],
        end: type[E],
        *,
        cancel: CancelToken | None = None,
        on_event: Callable[[Event], None] | None = None,
        limits: Limits = NO_LIMITS,
    ) -> E:
        """Send, pass events on, return the last one. Raises CancelledByUser."""
        if cancel is not None:
            cancel.raise_if_cancelled()
        call = connection.request(make)
        waiting = Waiting(connection, call, cancel, limits)
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

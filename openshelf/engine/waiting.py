"""Waits for one call of a worker: its events, a cancel, a worker that hangs, a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from openshelf.engine.connection import PING_AFTER_SECONDS, STOP_SECONDS, Call, Connection
from openshelf.engine.protocol import Event
from openshelf.errors import CancelledByUser, EngineDied, EngineFailed
from openshelf.tasks import CancelToken

Look = Callable[[Event | None], EngineFailed | None]


@dataclass(frozen=True)
class Limits:
    """`seconds` is all that a call may take, `first_seconds` the time to its first event, after
    which it fails as `first_why`. `look` is asked after every event and each `look_seconds`."""

    seconds: float | None = None
    first_seconds: float | None = None
    first_why: str = "hung"
    look: Look | None = None
    look_seconds: float = 0.25


NO_LIMITS = Limits()


class Waiting:
    """Notices a cancel at once, a worker that hangs, and one that goes beyond its limits."""

    def __init__(
        self,
        connection: Connection,
        call: Call,
        cancel: CancelToken | None,
        limits: Limits,
    ) -> None:
        self._connection = connection
        self._call = call
        self._cancel = cancel
        self._started = time.monotonic()
        self._limits = limits
        self._has_begun = False
        self._deadline = None if limits.seconds is None else self._started + limits.seconds
        self._stopped_at: float | None = None
        if cancel is not None:
            # Only wakes: whoever cancels may be the window, and a pipe to a hung worker blocks.
            cancel.on_cancel(lambda: call.events.put(None))

    def next(self) -> Event:
        """The next event. Raises EngineDied, EngineFailed (hung), CancelledByUser (had to be
        ended by force)."""
        while True:
            self._stop_if_cancelled()
            try:
                event = self._connection.wait(self._call, self._patience())
            except EngineDied as death:
                if self._stopped_at is not None:
                    raise CancelledByUser from death
                raise
            self._kill_if_beyond(event)
            if event is not None:
                self._has_begun = True
                return event
            self._end_if_overdue()
            self._connection.look_after(self._started)

    def _stop_if_cancelled(self) -> None:
        if self._stopped_at is None and self._cancel is not None and self._cancel.is_cancelled:
            self._stopped_at = time.monotonic()
            self._connection.stop(self._call)

    def _patience(self) -> float:
        now = time.monotonic()
        patience = PING_AFTER_SECONDS
        if self._deadline is not None:
            patience = min(patience, self._deadline - now)
        if self._limits.look is not None:
            patience = min(patience, self._limits.look_seconds)
        if self._first_deadline is not None:
            patience = min(patience, self._first_deadline - now)
        if self._stopped_at is not None:
            patience = min(patience, self._stopped_at + STOP_SECONDS - now)
        return patience

    @property
    def _first_deadline(self) -> float | None:
        first = self._limits.first_seconds
        return None if first is None or self._has_begun else self._started + first

    def _kill_if_beyond(self, event: Event | None) -> None:
        fault = self._limits.look(event) if self._limits.look is not None else None
        if fault is not None:
            self._connection.kill()
            fault.tail = self._connection.tail()
            raise fault

    def _end_if_overdue(self) -> None:
        now = time.monotonic()
        if self._first_deadline is not None and now >= self._first_deadline:
            self._connection.kill()
            raise EngineFailed(self._limits.first_why, tail=self._connection.tail())
        if self._stopped_at is not None and now >= self._stopped_at + STOP_SECONDS:
            self._connection.end()
            raise CancelledByUser
        if self._deadline is not None and now >= self._deadline:
            self._connection.end()
            raise EngineFailed("hung", tail=self._connection.tail())

"""Waits for one call of a worker: its events, a cancel, a worker that hangs, a deadline."""

from __future__ import annotations

import time

from openshelf.engine.connection import PING_AFTER_SECONDS, STOP_SECONDS, Call, Connection
from openshelf.engine.protocol import Event
from openshelf.errors import CancelledByUser, EngineDied, EngineFailed
from openshelf.tasks import CancelToken


class Waiting:
    """Notices a cancel at once, and a worker that hangs; `seconds` is all that a call may take."""

    def __init__(
        self,
        connection: Connection,
        call: Call,
        cancel: CancelToken | None,
        seconds: float | None,
    ) -> None:
        self._connection = connection
        self._call = call
        self._cancel = cancel
        self._started = time.monotonic()
        self._deadline = None if seconds is None else self._started + seconds
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
            if event is not None:
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
        if self._stopped_at is not None:
            patience = min(patience, self._stopped_at + STOP_SECONDS - now)
        return patience

    def _end_if_overdue(self) -> None:
        now = time.monotonic()
        if self._stopped_at is not None and now >= self._stopped_at + STOP_SECONDS:
            self._connection.end()
            raise CancelledByUser
        if self._deadline is not None and now >= self._deadline:
            self._connection.end()
            raise EngineFailed("hung", tail=self._connection.tail())

"""Carries progress, outcomes and announcements from any thread to the window's thread.

One QObject with one signal: pool threads put envelopes into a locked list and wake the window.
Progress is kept as the latest per task and delivered at most ten times a second; outcomes and
announcements are never lost, and nothing reaches a widget that no longer exists.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from openshelf.tasks import Announcer, Outcome, Progress, Task, TaskRunner, Work

T = TypeVar("T")
PROGRESS_INTERVAL_SECONDS = 0.1


@dataclass(frozen=True)
class _Envelope:
    """`key` None: deliver always and in order. Otherwise only the latest per key, when it is time;
    `ends` is the key whose waiting progress this one makes pointless."""

    slot: Callable[[Any], None]
    payload: Any
    key: Hashable | None = None
    ends: Hashable | None = None


def _is_gone(slot: Callable[[Any], None]) -> bool:
    owner = getattr(slot, "__self__", None)
    return isinstance(owner, QObject) and not shiboken6.isValid(owner)


class TaskBridge(QObject):
    """Create it in the window's thread, give it to the pages, close it before the services.

    Slots are called in the window's thread, after `submit` or `listen` has returned, with any
    runner. Give bound methods of QObjects: they are left alone once their object is deleted.
    """

    _woken = Signal(object)

    def __init__(self, runner: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._lock = threading.Lock()
        self._waiting: list[_Envelope] = []
        self._latest: dict[Hashable, _Envelope] = {}
        self._is_woken = False
        self._is_closed = False
        self._unsubscribes: list[Callable[[], None]] = []
        self._last_flush = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timeout)
        self._woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        name: str,
        work: Work[T],
        *,
        on_outcome: Callable[[Outcome[T]], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Task:
        """Run `work` on the runner. `on_outcome` is called exactly once unless the bridge or its
        receiver is gone; `on_progress` at most ten times a second, and never after the outcome."""

        def progressed(task: Task, progress: Progress) -> None:
            if on_progress is not None:
                self._post(_Envelope(on_progress, progress, key=("task", task.id)))

        def ended(task: Task, outcome: Outcome[T]) -> None:
            if on_outcome is not None:
                self._post(_Envelope(on_outcome, outcome, ends=("task", task.id)))

        return self._runner.submit(name, work, on_progress=progressed, on_outcome=ended)

    def listen(
        self,
        announcer: Announcer[T],
        slot: Callable[[T], None],
        *,
        latest_by: Callable[[T], Hashable] | None = None,
    ) -> Callable[[], None]:
        """Deliver each snapshot to `slot`; returns the function that ends it.

        With `latest_by`, only the latest snapshot per key is delivered, at most ten times a second
        (`latest_by=lambda download: download.id`); the last one always arrives.
        """

        def heard(snapshot: T) -> None:
            key = None if latest_by is None else (id(slot_owner), latest_by(snapshot))
            self._post(_Envelope(slot, snapshot, key=key))

        slot_owner = heard
        unsubscribe = announcer.subscribe(heard)
        self._unsubscribes.append(unsubscribe)
        return unsubscribe

    def call_soon(self, slot: Callable[[Any], None], payload: Any) -> None:
        """Call `slot(payload)` in the window's thread; may be used from any thread."""
        self._post(_Envelope(slot, payload))

    def close(self) -> None:
        """Deliver nothing more."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            self._latest.clear()
        for unsubscribe in self._unsubscribes:
            unsubscribe()
        self._unsubscribes.clear()
        self._timer.stop()

    def _post(self, envelope: _Envelope) -> None:
        with self._lock:
            if self._is_closed:
                return
            if envelope.key is None:
                self._waiting.append(envelope)
                if envelope.ends is not None:
                    self._latest.pop(envelope.ends, None)
            else:
                self._latest[envelope.key] = envelope
            wake = not self._is_woken
            self._is_woken = True
        if wake:
            self._wake()

    def _wake(self) -> None:
        # A typed method beside the signal: its payload is always this object's own marker.
        self._woken.emit(None)

    @Slot(object)
    def _on_woken(self, _: None) -> None:
        with self._lock:
            self._is_woken = False
            waiting, self._waiting = self._waiting, []
            has_latest = bool(self._latest)
        for envelope in waiting:
            self._deliver(envelope)
        if has_latest and not self._timer.isActive():
            rest = self._last_flush + PROGRESS_INTERVAL_SECONDS - time.monotonic()
            if rest <= 0:
                self._on_timeout()
            else:
                self._timer.start(round(rest * 1000) + 1)

    @Slot()
    def _on_timeout(self) -> None:
        with self._lock:
            latest, self._latest = self._latest, {}
        self._last_flush = time.monotonic()
        for envelope in latest.values():
            self._deliver(envelope)

    def _deliver(self, envelope: _Envelope) -> None:
        if not self._is_closed and not _is_gone(envelope.slot):
            envelope.slot(envelope.payload)

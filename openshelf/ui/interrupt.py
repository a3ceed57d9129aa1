"""Ctrl+C and SIGTERM end the window properly, though Qt's loop never runs Python by itself."""

from __future__ import annotations

import os
import signal
import sys

from PySide6.QtCore import QObject, QSocketNotifier, QTimer, Signal

_WINDOWS_POLL_MILLISECONDS = 500


class InterruptWatch(QObject):
    """`interrupted` after SIGINT or SIGTERM. Wakes the loop by a pipe, without polling."""

    interrupted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._old = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        self._pipe: tuple[int, int] | None = None
        if sys.platform == "win32":
            # A pipe cannot be waited on there: give Python its turn now and then.
            timer = QTimer(self)
            timer.timeout.connect(self._on_tick)
            timer.start(_WINDOWS_POLL_MILLISECONDS)
        else:
            self._pipe = os.pipe()
            for end in self._pipe:
                os.set_blocking(end, False)
            signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            self._notifier = QSocketNotifier(self._pipe[0], QSocketNotifier.Type.Read, self)
            self._notifier.activated.connect(self._on_woken)

    def close(self) -> None:
        """Put the old handlers back."""
        for number, handler in self._old.items():
            signal.signal(number, handler)
        if self._pipe is not None:
            self._notifier.setEnabled(False)
            signal.set_wakeup_fd(-1)
            for end in self._pipe:
                os.close(end)
            self._pipe = None

    def _on_signal(self, number: int, frame: object) -> None:
        self.interrupted.emit()

    def _on_woken(self) -> None:
        if self._pipe is not None:
            os.read(self._pipe[0], 64)

    def _on_tick(self) -> None:
        """Returning to Python is all that is needed."""

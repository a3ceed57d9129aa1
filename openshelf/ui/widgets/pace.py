"""Doing something at most so often, and always once more after the last time it was asked for."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer


class Pace(QObject):
    """`ask` acts at once where the pause is over, else when it is."""

    def __init__(self, milliseconds: int, act: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._act = act
        self._is_asked = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(milliseconds)
        self._pause.timeout.connect(self._on_pause_over)

    def ask(self) -> None:
        if self._pause.isActive():
            self._is_asked = True
            return
        self._is_asked = False
        self._pause.start()
        self._act()

    def forget(self) -> None:
        """What was asked for last is not done any more; the next is done at once."""
        self._is_asked = False
        self._pause.stop()

    def _on_pause_over(self) -> None:
        if self._is_asked:
            self.ask()

"""Changes of the kept chats, made away from the window's thread."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from openshelf.tasks import CancelToken, Failed, Outcome, Report
from openshelf.ui.task_bridge import TaskBridge


class ChatDoing(QObject):
    """`changed` when conversations are to be read again, `failed` with an error."""

    changed = Signal()
    failed = Signal(object)

    def __init__(self, parent: QObject, bridge: TaskBridge) -> None:
        super().__init__(parent)
        self._bridge = bridge

    def _do(self, name: str, act: Callable[[], object]) -> None:
        def work(cancel: CancelToken, report: Report) -> None:
            act()

        self._bridge.submit(name, work, on_outcome=self._on_done)

    def _on_done(self, outcome: Outcome[None]) -> None:
        if isinstance(outcome, Failed):
            self.failed.emit(outcome.error)
        self.changed.emit()

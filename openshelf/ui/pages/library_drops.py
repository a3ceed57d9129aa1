"""What is dropped onto the library page: a file, or a folder to look through."""

from __future__ import annotations

import os

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from openshelf.tasks import CancelToken, Outcome, Report, Succeeded
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.drops import PathDrops


class LibraryDrops(QObject):
    """Which of both it is, a network drive may take minutes to say; the latest drop counts."""

    file_dropped = Signal(str)
    folder_dropped = Signal(str)

    def __init__(self, page: QWidget, bridge: TaskBridge) -> None:
        super().__init__(page)
        self._bridge = bridge
        self._latest = ""
        self.paths = PathDrops(page)
        self.paths.dropped.connect(self.look)

    def look(self, path: str) -> None:
        """What cannot be looked at counts as a file, and opening it says why."""
        self._latest = path

        def work(cancel: CancelToken, report: Report) -> tuple[str, bool]:
            return path, os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises

        self._bridge.submit("what was dropped", work, on_outcome=self._on_known)

    def _on_known(self, outcome: Outcome[tuple[str, bool]]) -> None:
        if not isinstance(outcome, Succeeded):
            return
        path, is_folder = outcome.value
        if path == self._latest:
            self._latest = ""
            (self.folder_dropped if is_folder else self.file_dropped).emit(path)

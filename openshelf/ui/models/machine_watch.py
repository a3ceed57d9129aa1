"""Looks at the machine again when what is free on it may have changed, and not more often."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication

from openshelf.hardware.facts import Machine
from openshelf.library.downloads import Download, DownloadState
from openshelf.services import Services
from openshelf.tasks import Failed, Outcome, Succeeded
from openshelf.ui.models.machine_facts import with_engine_of
from openshelf.ui.task_bridge import TaskBridge

log = logging.getLogger(__name__)

ACTIVE_INTERVAL_SECONDS = 10.0
"""A window that becomes active more often than this does not look each time."""


class MachineWatch(QObject):
    """`found` carries the Machine. Nothing happens before there is a first one (`note`).

    Looks when a download is done, when the library changed and when the app becomes active.
    """

    found = Signal(object)

    def __init__(
        self,
        services: Services,
        bridge: TaskBridge,
        parent: QObject,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._services, self._bridge, self._clock = services, bridge, clock
        self._machine: Machine | None = None
        self._looked_at = 0.0
        self._is_looking = False
        self._is_wanted = False
        self._done: set[str] = {
            download.id
            for download in services.downloads.snapshots()
            if download.state is DownloadState.DONE
        }
        bridge.listen(services.downloads.announcer, self._on_download, latest_by=_id_of)
        bridge.listen(services.library.announcer, self._on_library)
        app = QGuiApplication.instance()
        if isinstance(app, QGuiApplication):
            app.applicationStateChanged.connect(self._on_state_changed)

    def note(self, machine: Machine) -> None:
        """This is known now, whoever found it."""
        self._machine = machine
        self._looked_at = self._clock()

    def _on_state_changed(self, state: Qt.ApplicationState) -> None:
        is_late = self._clock() - self._looked_at >= ACTIVE_INTERVAL_SECONDS
        if state is Qt.ApplicationState.ApplicationActive and is_late:
            self.look()

    def look(self) -> None:
        """Look now; while that goes on, once more after it."""
        if self._machine is None:
            return
        if self._is_looking:
            self._is_wanted = True
            return
        self._is_looking = True
        self._looked_at = self._clock()
        self._bridge.submit("look again", self._services.detect_machine, on_outcome=self._on_looked)

    def _on_looked(self, outcome: Outcome[Machine]) -> None:
        self._is_looking = False
        if isinstance(outcome, Succeeded) and self._machine is not None:
            self.found.emit(with_engine_of(outcome.value, self._machine))
        elif isinstance(outcome, Failed):
            log.warning("the machine could not be looked at again: %s", outcome.error)
        if self._is_wanted:
            self._is_wanted = False
            self.look()

    def _on_download(self, download: Download) -> None:
        if download.state is DownloadState.DONE and download.id not in self._done:
            self._done.add(download.id)
            self.look()

    def _on_library(self, _: object) -> None:
        self.look()


def _id_of(download: Download) -> str:
    return download.id

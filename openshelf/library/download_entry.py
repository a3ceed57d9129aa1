"""One download in the queue: what is kept of it, what is shown, and what it is doing."""

from __future__ import annotations

from dataclasses import dataclass, field

from openshelf.errors import NetworkFailure, NotEnoughDisk, Offline
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.queue_order import Turn
from openshelf.library.saved_downloads import SavedDownload
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import Task

STATES = {
    "waiting": DownloadState.WAITING,
    "verifying": DownloadState.VERIFYING,
}
ENDED = (DownloadState.DONE, DownloadState.CANCELLED)
RESTS = (NotEnoughDisk, Offline, NetworkFailure)
"""Failures after which it simply goes on once the cause is gone: paused, not failed."""


@dataclass
class Entry:
    saved: SavedDownload
    shown: Download
    clearance: Clearance | None = None
    task: Task | None = None
    is_running: bool = False
    after: DownloadState | None = None
    """What a stop is for: PAUSED, CANCELLED, or QUEUED (resumed while it was stopping)."""
    is_offline: bool = False
    """It rests only because the switch is on."""
    announced_at: float = field(default=0.0)

    @property
    def turn(self) -> Turn:
        return Turn(self.saved.id, self.shown.order, self.is_running)

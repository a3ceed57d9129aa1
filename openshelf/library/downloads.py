"""The downloads that run, wait or rest; they survive a restart."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

from openshelf.bandwidth import Bandwidth
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.library.queue_order import Move
from openshelf.licenses.clearance import Clearance
from openshelf.reasons import Reason
from openshelf.tasks import Announcer, CancelToken, Report


class DownloadState(enum.StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """Running, and waiting for the network; `reason` says what happened."""
    VERIFYING = "verifying"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        return self in (self.QUEUED, self.RUNNING, self.WAITING, self.VERIFYING)


@dataclass(frozen=True)
class Download:
    """A snapshot: bytes, bytes per second, seconds."""

    id: str
    target: str
    model_name: str
    quant: str | None
    state: DownloadState
    done_bytes: int
    total_bytes: int
    rate_per_second: float | None = None
    seconds_left: float | None = None
    reason: Reason | None = None
    installed_id: str | None = None
    order: float = 0.0
    """Its place among the others; the smallest comes first."""
    limit: int | None = None
    """Its own limit in bytes per second."""

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "target": self.target,
            "model": self.model_name,
            "quant": self.quant,
            "state": self.state.value,
            "done_bytes": self.done_bytes,
            "total_bytes": self.total_bytes,
            "rate_per_second": self.rate_per_second,
            "seconds_left": self.seconds_left,
            "reason": self.reason.as_json() if self.reason else None,
            "installed": self.installed_id,
            "limit_bytes_per_second": self.limit,
        }


class DownloadsLike(Protocol):
    """What the window uses. `announcer` tells the Download that changed."""

    announcer: Announcer[Download]

    def start(self, offer: InstallOffer, clearance: Clearance) -> Download: ...
    def pause(self, download_id: str) -> None: ...
    def resume(self, download_id: str) -> None: ...
    def cancel(self, download_id: str) -> None: ...
    def dismiss(self, download_id: str) -> None: ...
    def snapshots(self) -> tuple[Download, ...]: ...
    def move(self, download_id: str, move: Move) -> None:
        """Earlier or later in the list. Raises NotFound."""
        ...

    def limit(self, download_id: str, bytes_per_second: int | None) -> None:
        """Its own limit, also while it runs. Raises NotFound."""
        ...

    def set_bandwidth(self, bandwidth: Bandwidth) -> None: ...
    def set_offline(self, host: str | None) -> None: ...
    def close(self) -> None: ...


class KeptDownloadsLike(Protocol):
    """What the command line uses: the same list, steered beside a window that may be open."""

    def listed(self) -> tuple[Download, ...]: ...
    def find(self, words: str) -> Download:
        """By id, the beginning of one, or the target. Raises NotFound."""
        ...

    def install(
        self, offer: InstallOffer, clearance: Clearance, cancel: CancelToken, report: Report
    ) -> InstalledModel: ...
    def resume(self, download_id: str, cancel: CancelToken, report: Report) -> InstalledModel: ...
    def pause(self, download_id: str, cancel: CancelToken) -> Download: ...
    def cancel(self, download_id: str, cancel: CancelToken) -> Download: ...
    def move(self, download_id: str, move: Move) -> tuple[Download, ...]: ...
    def limit(self, download_id: str, bytes_per_second: int | None) -> Download: ...

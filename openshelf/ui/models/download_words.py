"""A download in words: figures, speed, time left, state."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from openshelf.library.downloads import Download, DownloadState
from openshelf.units import format_bytes, format_duration, format_rate


def _tr(text: str) -> str:
    return QCoreApplication.translate("DownloadWords", text)


def figures_words(download: Download) -> str:
    """`1.3 GB of 3.4 GB · 38 MB/s · 56 s left`; what is not known is left out."""
    parts = [
        _tr("{done} of {total}").format(
            done=format_bytes(download.done_bytes), total=format_bytes(download.total_bytes)
        )
    ]
    if download.limit is not None and download.state.is_active:
        parts.append(_tr("at most {rate}").format(rate=format_rate(download.limit)))
    if download.state is DownloadState.RUNNING:
        if download.rate_per_second:
            parts.append(format_rate(download.rate_per_second))
        if download.seconds_left is not None:
            left = format_duration(download.seconds_left)
            parts.append(_tr("{duration} left").format(duration=left))
    return " · ".join(parts)


def state_words(state: DownloadState) -> str:
    match state:
        case DownloadState.QUEUED:
            return _tr("Waiting for its turn…")
        case DownloadState.RUNNING:
            return _tr("Fetching the file. It can be paused and goes on where it stopped.")
        case DownloadState.WAITING:
            return _tr("Waiting for the network…")
        case DownloadState.VERIFYING:
            return _tr("Comparing the SHA-256…")
        case DownloadState.PAUSED:
            return _tr("Paused.")
        case DownloadState.DONE:
            return _tr("Installed.")
        case DownloadState.FAILED:
            return _tr("The download failed.")
        case DownloadState.CANCELLED:
            return _tr("Cancelled.")

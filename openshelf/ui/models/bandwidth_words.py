"""Limits and hours of downloads, as people choose and read them."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from openshelf.bandwidth import Bandwidth, clock_words
from openshelf.units import MB, format_rate

CHOICES = tuple(count * MB for count in (1, 2, 5, 10, 20, 50))
"""Bytes per second that menus offer."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("BandwidthWords", text)


def limit_words(rate: int | None) -> str:
    """`none` or `2.0 MB/s`."""
    return _tr("none") if rate is None else format_rate(rate)


def limits_offered(current: int | None) -> list[int | None]:
    """None and the usual ones, with the one in force where it is another."""
    return [None, *sorted({*CHOICES, *([] if current is None else [current])})]


def bandwidth_words(bandwidth: Bandwidth) -> str:
    """`none`, `2.0 MB/s`, `2.0 MB/s, none 22:00–07:00`, `only 22:00–07:00`."""
    if bandwidth.hours is None:
        return limit_words(bandwidth.limit)
    hours = f"{clock_words(bandwidth.hours.start)}–{clock_words(bandwidth.hours.end)}"
    if bandwidth.pauses:
        return _tr("only {hours}").format(hours=hours)
    return _tr("{rate}, none {hours}").format(rate=limit_words(bandwidth.limit), hours=hours)

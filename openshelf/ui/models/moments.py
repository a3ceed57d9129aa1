"""Moments as this machine's calendar has them."""

from __future__ import annotations

from datetime import date, datetime


def local_day(moment: str) -> date | None:
    """The day of an ISO time in this machine's time zone; None where it is none."""
    try:
        return datetime.fromisoformat(moment).astimezone().date()
    except ValueError:
        return None


def local_today() -> date:
    return datetime.now().astimezone().date()

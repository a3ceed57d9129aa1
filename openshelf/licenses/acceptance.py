"""The log of acceptances: append-only JSON lines, each carrying the hash of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.licenses.clearance import ClearedFile


@dataclass(frozen=True)
class AcceptanceForm:
    """What a person said when accepting. `method` is scrolled+checkbox, --accept, …"""

    display_name: str = ""
    on_behalf_of: str | None = None
    note: str = ""
    role: str = "member"
    method: str = "checkbox"
    texts_shown: tuple[str, ...] = ()
    """sha256 of each text that was on the screen."""


@dataclass(frozen=True)
class VerifyReport:
    """`problem` is None where the log is whole, else a code; `line` counts from 1."""

    records: int
    head_sha256: str
    problem: str | None = None
    line: int | None = None
    unfinished_line: bool = False


@dataclass(frozen=True)
class AcceptanceLog:
    """One log file; its head is also kept apart, through `head_file`."""

    path: Path
    head_file: Path

    def append(self, record: dict[str, Any]) -> str:
        """Add a record (without v, record_id, prev_sha256, at) durably; returns its id."""
        raise NotImplementedError

    def records(self) -> tuple[dict[str, Any], ...]:
        raise NotImplementedError

    def find_acceptance(self, repo: str, commit: str, files: tuple[ClearedFile, ...]) -> str | None:
        raise NotImplementedError

    def verify(self) -> VerifyReport:
        """Find any edit, deletion, reordering or truncation."""
        raise NotImplementedError

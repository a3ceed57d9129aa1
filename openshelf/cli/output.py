"""What a command prints: one JSON object or a plain table on stdout, progress on stderr."""

from __future__ import annotations

import errno
import json
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf import wording
from openshelf.durable import replace_file
from openshelf.errors import NotEnoughDisk, OpenshelfError, UsageError
from openshelf.tasks import Progress
from openshelf.units import format_bytes, format_duration, format_rate

_BAR_WIDTH = 28
_SHARES = ("loading", "prompt")
"""Phases of which only the share is known."""
_COUNTS = ("bench", "generating", "resolving", "refreshing")
"""Phases that count tokens, repositories or steps, and not bytes."""
_CLEAR_LINE = "\r\x1b[K"


def printable(text: str) -> str:
    """`text` without control characters: what models and repositories say reaches a terminal."""
    return "".join(character if _is_harmless(character) else "\ufffd" for character in text)


def _is_harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character)[0] != "C"


@dataclass
class Output:
    """`progress` is bar, json or none."""

    as_json: bool = False
    progress: str = "none"
    _bar_shown: bool = False
    _waits_for: str = ""

    def line(self, text: str = "") -> None:
        """A line for people; nothing where JSON was asked for."""
        if not self.as_json:
            sys.stdout.write(printable(text) + "\n")

    def stream(self, text: str) -> None:
        """A piece of an answer, at once and without a line's end."""
        self._clear_bar()
        if not self.as_json:
            sys.stdout.write(printable(text))
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """Something worth knowing that is not the answer."""
        self._end_bar()
        sys.stderr.write(printable(text) + "\n")

    def result(self, value: dict[str, Any]) -> None:
        """The one JSON object, where JSON was asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns, aligned with spaces; readable by people and by `awk`."""
        cells = [list(headings), *([printable(cell) for cell in row] for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
        for row in cells:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("  ".join(padded).rstrip())

    def report(self, progress: Progress) -> None:
        """How far something is: a bar in a terminal, or one JSON object per line; why it stands
        still is said once."""
        if self.progress == "json":
            facts = {"done": progress.done, "total": progress.total, "phase": progress.phase}
            if progress.reason is not None:
                facts["reason"] = progress.reason.as_json()
            sys.stderr.write(json.dumps(facts) + "\n")
            sys.stderr.flush()
            return
        waits_for = "" if progress.reason is None else progress.reason.code
        if progress.reason is not None and waits_for != self._waits_for:
            self.note(f"openshelf: {wording.sentence(progress.reason)}")
        self._waits_for = waits_for
        if self.progress == "bar":
            self._bar_shown = True
            most = max(1, shutil.get_terminal_size().columns - 1)
            sys.stderr.write(f"{_CLEAR_LINE}{_bar(progress)[:most]}")
            sys.stderr.flush()

    def error(self, error: BaseException) -> None:
        self._end_bar()
        sentence = wording.error_sentence(error)
        if self.as_json:
            code = error.code if isinstance(error, OpenshelfError) else "unexpected"
            data = error.data() if isinstance(error, OpenshelfError) else {}
            self.result({"error": {"code": code, "message": sentence, **data}})
        sys.stderr.write(f"openshelf: {printable(sentence)}\n")

    def _clear_bar(self) -> None:
        if self._bar_shown:
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()
            self._bar_shown = False

    def _end_bar(self) -> None:
        if self._bar_shown:
            sys.stderr.write("\n")
            self._bar_shown = False


def write_output(path: Path, content: bytes) -> None:
    """A file that a person named. Raises UsageError, NotEnoughDisk."""
    try:
        replace_file(path, content)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            free = shutil.disk_usage(path.parent).free
            raise NotEnoughDisk(str(path), len(content), free) from error
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path} cannot be written: {reason}") from error


def _bar(progress: Progress) -> str:
    fraction, is_bytes = progress.fraction, progress.phase not in (*_SHARES, *_COUNTS)
    if fraction is None:
        done = format_bytes(progress.done) if is_bytes else "…"
        return f"{progress.phase} {done}"
    filled = round(fraction * _BAR_WIDTH)
    parts = [f"{progress.phase} [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {fraction:4.0%}"]
    if is_bytes:
        parts.append(f"{format_bytes(progress.done)} of {format_bytes(progress.total or 0)}")
    elif progress.phase in _COUNTS:
        parts.append(f"{progress.done:,} of {progress.total:,}")
    if progress.rate_per_second and is_bytes:
        parts.append(format_rate(progress.rate_per_second))
    if progress.seconds_left:
        parts.append(f"{format_duration(progress.seconds_left)} left")
    return "  ".join(parts)

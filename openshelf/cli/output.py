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


def printable(text: str) -> str:
    """`text` without control characters: what models and repositories say reaches a terminal."""
    return "".join(character if _is_harmless(character) else "\ufffd" for character in text)


def _is_harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character)[0] != "C"


def _json_text(value: dict[str, Any]) -> str:
    """Readable where stdout can hold it; escaped where not: names of files may be no Unicode at
    all, and a terminal may know few letters."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return json.dumps(value, indent=2)
    return text


@dataclass
class Output:
    """`progress` is bar, json or none."""

    as_json: bool = False
    progress: str = "none"
    _bar_shown: bool = False

    def line(self, text: str = "") -> None:
        """A line for people; nothing where JSON was asked for."""
        if not self.as_json:
            sys.stdout.write(printable(text) + "\n")

    def stream(self, text: str) -> None:
        """A piece of an answer, at once and without a line's end."""
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
            sys.stdout.write(_json_text(value) + "\n")

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns, aligned with spaces; readable by people and by `awk`."""
        cells = [list(headings), *([printable(cell) for cell in row] for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
        for row in cells:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("  ".join(padded).rstrip())

    def report(self, progress: Progress) -> None:
        """How far something is: a bar in a terminal, or one JSON object per line."""
        if self.progress == "json":
            facts = {"done": progress.done, "total": progress.total, "phase": progress.phase}
            sys.stderr.write(json.dumps(facts) + "\n")
        elif self.progress == "bar":
            self._bar_shown = True
            sys.stderr.write(f"\r\x1b[K{_bar(progress)}")
        sys.stderr.flush()

    def error(self, error: BaseException) -> None:
        self._end_bar()
        sentence = wording.error_sentence(error)
        if self.as_json:
            code = error.code if isinstance(error, OpenshelfError) else "unexpected"
            data = error.data() if isinstance(error, OpenshelfError) else {}
            self.result({"error": {"code": code, "message": sentence, **data}})
        sys.stderr.write(f"openshelf: {printable(sentence)}\n")

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
    fraction = progress.fraction
    if fraction is None:
        return f"{progress.phase} {format_bytes(progress.done)}"
    filled = round(fraction * _BAR_WIDTH)
    parts = [
        f"{progress.phase} [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {fraction:4.0%}",
        f"{format_bytes(progress.done)} of {format_bytes(progress.total or 0)}",
    ]
    if progress.rate_per_second:
        parts.append(format_rate(progress.rate_per_second))
    if progress.seconds_left:
        parts.append(f"{format_duration(progress.seconds_left)} left")
    return "  ".join(parts)

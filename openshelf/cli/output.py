"""What a command prints: one JSON object or a plain table on stdout, progress on stderr."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf import wording
from openshelf.durable import replace_file
from openshelf.errors import (
    NeedsReview,
    NotEnoughDisk,
    OpenshelfError,
    PolicyBlocked,
    UnwritableFile,
)
from openshelf.reasons import Reason
from openshelf.tasks import Progress
from openshelf.units import format_bytes, format_duration, format_rate

_BAR_WIDTH = 28
_SHARES = ("loading", "prompt")
"""Phases of which only the share is known."""
_COUNTS = ("bench", "generating", "resolving", "refreshing")
"""Phases that count tokens, repositories or steps, and not bytes."""
_MOST_REASONS = 3
"""Of a refusal; --json has all."""
_CLEAR_LINE = "\r\x1b[K"


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
    _waits_for: str = ""

    def line(self, text: str = "") -> None:
        """A line for people; nothing where JSON was asked for."""
        self._end_bar()
        if not self.as_json:
            _write(printable(text) + "\n")

    def stream(self, text: str) -> None:
        """A piece of an answer, at once and without a line's end."""
        self._clear_bar()
        if not self.as_json:
            _write(printable(text))
            self.finish()

    def note(self, text: str) -> None:
        """Something worth knowing that is not the answer."""
        self._end_bar()
        _tell(printable(text) + "\n")

    def result(self, value: dict[str, Any]) -> None:
        """The one JSON object, where JSON was asked for."""
        self._end_bar()
        if self.as_json:
            _write(_json_text(value) + "\n")

    def document(self, text: str) -> None:
        """What is JSON, or a table for other programs, with and without `--json`."""
        _write(text)

    def finish(self) -> None:
        """What waits in memory is on its way. Raises UnwritableFile, BrokenPipeError."""
        with _refused_by_stdout():
            sys.stdout.flush()

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
            facts: dict[str, Any] = {
                "done": progress.done,
                "total": progress.total,
                "phase": progress.phase,
            }
            if progress.reason is not None:
                facts["reason"] = progress.reason.as_json()
            _tell(json.dumps(facts) + "\n")
            return
        waits_for = "" if progress.reason is None else progress.reason.code
        if progress.reason is not None and waits_for != self._waits_for:
            self.note(f"openshelf: {wording.sentence(progress.reason)}")
        self._waits_for = waits_for
        if self.progress == "bar":
            self._bar_shown = True
            most = max(1, shutil.get_terminal_size().columns - 1)
            _tell(f"{_CLEAR_LINE}{_bar(progress)[:most]}")

    def error(self, error: BaseException) -> None:
        self._end_bar()
        sentence = wording.error_sentence(error)
        if self.as_json:
            code = error.code if isinstance(error, OpenshelfError) else "unexpected"
            data = error.data() if isinstance(error, OpenshelfError) else {}
            # Where stdout takes nothing, there is still stderr.
            with contextlib.suppress(UnwritableFile, BrokenPipeError):
                self.result({"error": {"code": code, "message": sentence, **data}})
                self.finish()
        _tell(f"openshelf: {printable(_with_reasons(sentence, error))}\n")

    def _clear_bar(self) -> None:
        if self._bar_shown:
            _tell(_CLEAR_LINE)
            self._bar_shown = False

    def _end_bar(self) -> None:
        if self._bar_shown:
            _tell("\n")
            self._bar_shown = False


def _with_reasons(sentence: str, error: BaseException) -> str:
    """Who is stopped by a policy or a license is told by which words of it."""
    if not isinstance(error, (PolicyBlocked, NeedsReview)):
        return sentence
    reasons = (wording.sentence(Reason(r["code"], r)) for r in error.reasons[:_MOST_REASONS])
    return " ".join((sentence, *reasons))


def _tell(text: str) -> None:
    """On stderr, at once; where nobody hears it the command goes on."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _write(text: str) -> None:
    with _refused_by_stdout():
        sys.stdout.write(text)


@contextlib.contextmanager
def _refused_by_stdout() -> Iterator[None]:
    """Raises UnwritableFile where stdout is a file on a full disk; BrokenPipeError goes on."""
    try:
        yield
    except OSError as error:
        # What was not written stays in Python's buffer, and would fail again at the end.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  for good
        if isinstance(error, BrokenPipeError):
            raise
        raise UnwritableFile(error.strerror or type(error).__name__, "stdout") from error


def write_output(path: Path, content: bytes) -> None:
    """A file that a person named, in a folder that is there.

    Raises UnwritableFile, NotEnoughDisk.
    """
    if not path.parent.is_dir():
        raise UnwritableFile(path=str(path), why="no_folder")
    try:
        replace_file(path, content)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            free = shutil.disk_usage(path.parent).free
            raise NotEnoughDisk(str(path), len(content), free) from error
        raise UnwritableFile(error.strerror or type(error).__name__, str(path)) from error


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

"""Log files: set-up, rotation, and redaction of tokens and of the person's folder."""

from __future__ import annotations

import logging
import logging.handlers
import os
import re
from io import TextIOWrapper
from pathlib import Path

from typing_extensions import override

_LOG_NAME = "openshelf.log"
_FAILURE = re.compile(r"\S+ (?:WARNING|ERROR|CRITICAL) ")
_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\dT)", re.MULTILINE)
_SECRETS = (
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),
    re.compile(r"\bhf_[A-Za-z0-9]{8,}\b"),
    re.compile(r"(?i)\bauthorization['\"]?[=: ]+['\"]?(?:[a-z]+ +)?[^\s\"',;]+"),
    re.compile(r"(?i)\bbearer +[^\s\"',;]+"),
    re.compile(r"(?i)\b[a-z_]*token['\"]?[=:] *['\"]?[^\s\"',;&]+"),
)


def redact(text: str) -> str:
    """`text` without access tokens and with `~` for the home folder."""
    for secret in _SECRETS:
        text = secret.sub("[redacted]", text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def last_errors(folder: Path, most: int) -> list[str]:
    """The last warnings and errors that were logged, oldest first, each with the last line of its
    traceback; [] where none can be read."""
    try:
        text = (folder / _LOG_NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for record in _RECORD.split(text):
        lines = record.strip().splitlines()
        if lines and _FAILURE.match(lines[0]):
            found.append(lines[0] if len(lines) == 1 else f"{lines[0]}: {lines[-1].strip()}")
    return [redact(line) for line in found[-most:]]


class RedactingFormatter(logging.Formatter):
    @override
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _LogFile(logging.handlers.RotatingFileHandler):
    """For its owner only; a full disk loses the line and disturbs nobody."""

    @override
    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding=self.encoding)

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        """There is no better place to tell it."""


def set_up_logging(folder: Path, *, debug: bool = False) -> None:
    """Log to `folder/openshelf.log` (three files of 1 MB); a folder that cannot be written is no
    reason not to start."""
    root = logging.getLogger("openshelf")
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    root.propagate = False
    handler: logging.Handler
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(
            folder / _LOG_NAME,
            maxBytes=1_000_000,
            backupCount=2,
            encoding="utf-8",
            delay=True,
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(
        RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)

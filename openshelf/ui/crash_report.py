"""Unexpected failures: caught wherever they happen, written down, shown once. Nothing is sent."""

from __future__ import annotations

import faulthandler
import logging
import platform
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TextIO

import PySide6
from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler, qVersion

from openshelf import __version__
from openshelf.logs import redact

log = logging.getLogger(__name__)
qt_log = logging.getLogger("openshelf.qt")

_LOG_LINES = 40
_QUIET = ("This plugin does not support",)
"""Beginnings of messages of the offscreen platform that say nothing about us."""


def build_report(title: str, trace: str, log_file: Path | None = None) -> str:
    """A redacted text with versions, the traceback and the end of the log."""
    parts = [
        title,
        f"Openshelf {__version__} · Python {platform.python_version()} · "
        f"PySide6 {PySide6.__version__} · Qt {qVersion()} · {platform.platform()}",
        trace.strip(),
    ]
    if log_file is not None:
        parts.append("--- log ---\n" + "\n".join(_last_lines(log_file)))
    return redact("\n\n".join(part for part in parts if part))


def _last_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []


class CrashReporter:
    """Installs all hooks; `show(report)` is called once for each distinct traceback.

    Hooks may run on any thread, so `show` has to hop to the window's thread by itself.
    """

    def __init__(self, logs_folder: Path, show: Callable[[str], None]) -> None:
        self._folder = logs_folder
        self._show = show
        self._seen: set[str] = set()
        self._faults: TextIO | None = None

    @property
    def faults_file(self) -> Path:
        return self._folder / "faults.log"

    def install(self) -> str:
        """Returns what the last run left behind when it died, "" where it ended well."""
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        qInstallMessageHandler(_on_qt_message)
        left = self._take_faults()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._faults = self.faults_file.open("w", encoding="utf-8")
            faulthandler.enable(self._faults)
        except OSError as error:
            log.info("no fault file: %s", error)
        return left

    def uninstall(self) -> None:
        """A clean end: put everything back and leave no fault file."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__
        qInstallMessageHandler(None)
        if self._faults is not None:
            faulthandler.disable()
            self._faults.close()
            self.faults_file.unlink(missing_ok=True)
            self._faults = None

    def _take_faults(self) -> str:
        try:
            left = self.faults_file.read_text(encoding="utf-8", errors="replace")
            self.faults_file.unlink()
        except OSError:
            return ""
        return left.strip()

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        log.error("unexpected failure\n%s", text)
        if text in self._seen:
            return
        self._seen.add(text)
        title = f"Something failed that should not have ({kind.__name__})."
        self._show(build_report(title, text, self._folder / "openshelf.log"))

    def _on_thread_exception(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self._on_exception(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)


def _on_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    if message.startswith(_QUIET):
        return
    levels = {
        QtMsgType.QtDebugMsg: logging.DEBUG,
        QtMsgType.QtInfoMsg: logging.INFO,
        QtMsgType.QtWarningMsg: logging.WARNING,
        QtMsgType.QtCriticalMsg: logging.ERROR,
        QtMsgType.QtFatalMsg: logging.CRITICAL,
    }
    qt_log.log(levels.get(kind, logging.WARNING), "%s", message)

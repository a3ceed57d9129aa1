"""Unexpected failures become one redacted report each; a clean end leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPlainTextEdit
from pytestqt.qtbot import QtBot

from openshelf.ui.crash_report import CrashReporter, build_report
from openshelf.ui.crash_window import CrashWindow


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def reporter(tmp_path: Path, reports: list[str]) -> Iterator[CrashReporter]:
    made = CrashReporter(tmp_path, reports.append)
    hooks = (sys.excepthook, threading.excepthook)
    made.install()
    yield made
    made.uninstall()
    sys.excepthook, threading.excepthook = hooks


def _raise_in_thread(message: str) -> None:
    def work() -> None:
        raise ValueError(message)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_one_report_for_each_distinct_failure(
    reporter: CrashReporter, reports: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    for message in ("first", "first", "second"):
        _raise_in_thread(message)
    assert len(reports) == 2
    assert "ValueError: first" in reports[0]
    assert "Openshelf " in reports[0]


def test_reports_hide_tokens_and_the_home_folder(tmp_path: Path) -> None:
    home = str(Path.home())
    text = build_report("x", f"File {home}/secret.py token=hf_abcdefghijklmnop")
    assert home not in text
    assert "hf_abcdefghijklmnop" not in text
    assert "~/secret.py" in text


def test_a_report_ends_with_the_log(tmp_path: Path) -> None:
    log_file = tmp_path / "openshelf.log"
    log_file.write_text("\n".join(f"line {n}" for n in range(100)))
    text = build_report("x", "trace", log_file)
    assert "line 99" in text
    assert "line 59" not in text
    assert "log" not in build_report("x", "trace", tmp_path / "missing").partition("--- log ---")[2]


def test_a_death_is_found_at_the_next_start(tmp_path: Path, reports: list[str]) -> None:
    code = (
        "import sys, os; from pathlib import Path;"
        "from openshelf.ui.crash_report import CrashReporter;"
        f"CrashReporter(Path({str(tmp_path)!r}), print).install(); os.abort()"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, check=False, timeout=60
    )
    assert ended.returncode != 0
    reporter = CrashReporter(tmp_path, reports.append)
    hooks = (sys.excepthook, threading.excepthook)
    left = reporter.install()
    assert "Fatal Python error: Aborted" in left
    reporter.uninstall()
    sys.excepthook, threading.excepthook = hooks
    assert not reporter.faults_file.exists()
    assert CrashReporter(tmp_path, reports.append)._take_faults() == ""


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_start(
    tmp_path: Path, reports: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    reporter = CrashReporter(tmp_path / "file" / "logs", reports.append)
    hooks = (sys.excepthook, threading.excepthook)
    assert reporter.install() == ""
    reporter.uninstall()
    sys.excepthook, threading.excepthook = hooks


def test_the_window_shows_and_copies_the_report(themed_app: QApplication, qtbot: QtBot) -> None:
    window = CrashWindow("the <b>report</b>")
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    view = window.findChild(QPlainTextEdit)
    assert view is not None
    assert view.toPlainText() == "the <b>report</b>"
    qtbot.mouseClick(window.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "the <b>report</b>"

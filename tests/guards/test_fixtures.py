"""The fixtures of conftest.py do fail a test that does what they forbid."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

CASES = """
import logging, socket, threading, time, urllib.request
import pytest

def test_reaches_out():
    with pytest.raises(AssertionError):
        socket.socket().connect(("192.0.2.1", 80))

def test_reaches_out_with_connect_ex():
    with pytest.raises(AssertionError):
        socket.socket().connect_ex(("192.0.2.1", 80))

def test_reaches_out_with_a_datagram():
    with pytest.raises(AssertionError):
        socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 80))

def test_asks_for_a_name():
    with pytest.raises(Exception):
        urllib.request.urlopen("http://example.org", timeout=1)

def test_warns():
    logging.getLogger("openshelf.somewhere").warning("odd")

def test_expects_what_does_not_come(expected_logs):
    expected_logs("odd")

def test_leaves_a_thread():
    threading.Thread(target=time.sleep, args=(4,), daemon=True, name="sleeper").start()

def test_leaves_a_window(qapp):
    from PySide6.QtWidgets import QWidget
    global window
    window = QWidget()

def test_leaves_a_timer(qapp):
    from PySide6.QtCore import QTimer
    global timer
    timer = QTimer()
    timer.start(1000)

def test_good_uses_loopback_and_an_expected_warning(expected_logs, qapp):
    from PySide6.QtWidgets import QWidget
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    expected_logs("o.d")
    logging.getLogger("openshelf.somewhere").warning("odd")
    thread = threading.Thread(target=lambda: None)
    thread.start()
    QWidget().show()
    QWidget().deleteLater()

def test_good_looks_at_the_log_itself(caplog):
    logging.getLogger("openshelf.somewhere").warning("odd")
    assert "odd" in caplog.text
"""


def test_each_forbidden_act_fails_its_test(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent.parent / "conftest.py", tmp_path)
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nqt_api = pyside6\n", encoding="utf-8")
    words = ["-p", "no:xdist", "-p", "no:cacheprovider", "-v", "--tb=no", str(tmp_path)]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line.split("::", 1)[1] for line in ran.stdout.splitlines() if "::test_" in line]
    failed = {line.split()[0] for line in lines if line.split()[1] in ("ERROR", "FAILED")}
    names = {line.split()[0] for line in lines}
    assert failed == {name for name in names if "good" not in name}, ran.stdout
    assert len(names) == 11, ran.stdout

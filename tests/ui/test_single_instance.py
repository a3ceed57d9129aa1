"""A second start raises the first window; nonsense on the socket harms nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtNetwork import QLocalSocket
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.ui.single_instance import (
    MESSAGE_VERSION,
    InstanceServer,
    raise_other_window,
    socket_name,
)


@pytest.fixture
def server(qapp: QApplication, tmp_path: Path) -> Iterator[InstanceServer]:
    made = InstanceServer(tmp_path)
    assert made.listen()
    yield made
    made.close()
    made.deleteLater()


def test_a_second_start_is_heard(server: InstanceServer, tmp_path: Path, qtbot: QtBot) -> None:
    code = (
        "from pathlib import Path; from PySide6.QtCore import QCoreApplication;"
        "from openshelf.ui.single_instance import raise_other_window; app = QCoreApplication([]);"
        f"print(raise_other_window(Path({str(tmp_path)!r})))"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True
    ) as other:
        with qtbot.waitSignal(server.raise_asked, timeout=20_000):
            pass
        qtbot.waitUntil(lambda: other.poll() is not None)
        assert other.stdout is not None
        assert other.stdout.read().strip() == "True"


def test_nobody_is_there(qapp: QApplication, tmp_path: Path) -> None:
    assert not raise_other_window(tmp_path)


def test_two_data_folders_are_two_apps(tmp_path: Path) -> None:
    assert socket_name(tmp_path / "a") != socket_name(tmp_path / "b")
    assert len(socket_name(tmp_path / ("x" * 500))) < 40


@pytest.mark.parametrize(
    "line", [b"\n", b"not json\n", b"[1]\n", b'{"command": "quit"}\n', b"\xff\xfe\n", b"x" * 9000]
)
def test_nonsense_is_dropped(
    server: InstanceServer, tmp_path: Path, qtbot: QtBot, line: bytes
) -> None:
    socket = QLocalSocket()
    socket.connectToServer(socket_name(tmp_path))
    assert socket.waitForConnected(1000)
    with qtbot.assertNotEmitted(server.raise_asked):
        socket.write(line)
        qtbot.waitUntil(lambda: socket.state() == QLocalSocket.LocalSocketState.UnconnectedState)
    socket.deleteLater()


def test_a_message_in_pieces_is_understood(
    server: InstanceServer, tmp_path: Path, qtbot: QtBot
) -> None:
    socket = QLocalSocket()
    socket.connectToServer(socket_name(tmp_path))
    assert socket.waitForConnected(1000)
    line = json.dumps({"version": MESSAGE_VERSION, "command": "raise", "later": 1}).encode()
    socket.write(line[:9])
    socket.flush()
    QCoreApplication.processEvents()
    with qtbot.waitSignal(server.raise_asked):
        socket.write(line[9:] + b"\n")
    socket.abort()
    socket.deleteLater()


def test_a_socket_left_by_a_crash_is_taken_over(
    server: InstanceServer, qapp: QApplication, tmp_path: Path
) -> None:
    other = InstanceServer(tmp_path)
    assert other.listen()
    other.close()
    other.deleteLater()

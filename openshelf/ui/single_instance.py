"""One window per person and data folder: a second start raises the first and ends.

The only thing that ever listens: a local socket private to the user, one JSON line per message.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

log = logging.getLogger(__name__)

MESSAGE_VERSION = 1
_WAIT_MILLISECONDS = 500
_MOST_BYTES = 4096


def socket_name(data: Path) -> str:
    """A name that belongs to this data folder; short, because paths of sockets are."""
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    return f"openshelf-{digest}"


def raise_other_window(data: Path) -> bool:
    """Ask a window that runs already to come to the front; False where there is none."""
    socket = QLocalSocket()
    socket.connectToServer(socket_name(data))
    if not socket.waitForConnected(_WAIT_MILLISECONDS):
        return False
    message = {"version": MESSAGE_VERSION, "command": "raise"}
    socket.write(json.dumps(message).encode() + b"\n")
    socket.waitForBytesWritten(_WAIT_MILLISECONDS)
    # The answer may have come while the question was still being written.
    was_heard = socket.canReadLine() or socket.waitForReadyRead(_WAIT_MILLISECONDS)
    socket.disconnectFromServer()
    return was_heard


class InstanceServer(QObject):
    """Listens for other starts; `raise_asked` when one of them wants this window."""

    raise_asked = Signal()

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = socket_name(data)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)

    def listen(self) -> bool:
        """False where that is not possible; the app runs nevertheless."""
        if self._server.listen(self._name):
            return True
        # Left over from a crash: nobody answered before, so nobody is there.
        QLocalServer.removeServer(self._name)
        if self._server.listen(self._name):
            return True
        log.info("no single instance: %s", self._server.errorString())
        return False

    def close(self) -> None:
        self._server.close()

    def _on_connection(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(self._on_ready)
            socket.disconnected.connect(socket.deleteLater)
            if socket.bytesAvailable():
                self._read(socket)

    def _on_ready(self) -> None:
        sender = self.sender()
        if isinstance(sender, QLocalSocket):
            self._read(sender)

    def _read(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            if socket.bytesAvailable() > _MOST_BYTES:
                socket.abort()
            return
        line = bytes(socket.readLine(_MOST_BYTES).data())
        if _is_raise(line):
            socket.write(b"{}\n")
            socket.flush()
            self.raise_asked.emit()
        else:
            log.info("a message from another instance was not understood")
            socket.abort()


def _is_raise(line: bytes) -> bool:
    try:
        message = json.loads(line)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("command") == "raise"

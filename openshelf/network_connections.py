"""Connections whose answer must begin in time: a read timeout alone is renewed by every byte."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from typing import Any

from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse


class _Watch:
    """Shuts the socket down when the time is over; `is_over` says that it did."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.is_over = False
        self._socket = connection.sock
        seconds = connection.timeout
        self._timer: threading.Timer | None = None
        if isinstance(self._socket, socket.socket) and isinstance(seconds, int | float):
            self._timer = threading.Timer(seconds, self._shut)
            self._timer.daemon = True

    def __enter__(self) -> _Watch:
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _shut(self) -> None:
        self.is_over = True
        with contextlib.suppress(OSError):
            # Not SSLSocket's own, which takes the encryption away under a read that waits.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _answer(connection: HTTPConnection, ask: Any) -> HTTPResponse:
    """Status and headers, within the time of one read. Raises TimeoutError."""
    with _Watch(connection) as watch:
        try:
            answer: HTTPResponse = ask()
        except Exception as error:
            if watch.is_over:
                raise TimeoutError("the answer did not begin in time") from error
            raise
        if watch.is_over:
            # The header seemed to end where it was cut off.
            answer.close()
            raise TimeoutError("the answer did not begin in time")
    return answer


class _Answer(http.client.HTTPResponse):
    """Passes over every interim answer (102, 103); the base class knows 100 alone."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        is_interim = http.HTTPStatus.SWITCHING_PROTOCOLS < status < http.HTTPStatus.OK
        return version, http.HTTPStatus.CONTINUE if is_interim else status, reason


class _Connection(HTTPConnection):
    response_class = _Answer

    @override
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _answer(self, super().getresponse)


class _SecureConnection(HTTPSConnection):
    response_class = _Answer

    @override
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _answer(self, super().getresponse)


class WatchedPool(HTTPConnectionPool):
    ConnectionCls = _Connection


class WatchedSecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": WatchedPool, "https": WatchedSecurePool}
"""For `pool_classes_by_scheme` of a PoolManager."""

"""One connection to where a file's bytes are: opened at an offset, judged, read piece by piece."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from openshelf.errors import NetworkFailure
from openshelf.hub.body_head import Head, judge
from openshelf.hub.entries import DownloadFile
from openshelf.network import (
    NetworkOptions,
    Pool,
    host_of,
    is_web_address,
    leaves_https,
    origin_of,
)

if TYPE_CHECKING:
    import ssl

    from urllib3 import BaseHTTPResponse

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_GARBLED = (
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "BAD_RECORD_TYPE", "RECORD_LAYER_FAILURE",
    "SSLV3_ALERT_BAD_RECORD_MAC", "UNEXPECTED_EOF_WHILE_READING", "TLSV1_ALERT_INTERNAL_ERROR",
)  # fmt: skip
"""OpenSSL's reasons for bytes that were lost or changed on the way."""


@dataclass
class Body:
    """An answer with bytes of the file; `host` is for messages, `received` counts its bytes."""

    response: BaseHTTPResponse
    host: str
    head: Head
    received: int = 0

    @property
    def start(self) -> int:
        """Where its bytes begin in the file: at most where it was asked for."""
        return self.head.start

    def __post_init__(self) -> None:
        self._plain = _plain_stream(self.response)
        self._left = self.response.length_remaining

    def read(self, count: int) -> bytes:
        """What has arrived, at most `count` bytes; empty at the end. Raises NetworkFailure."""
        from urllib3.exceptions import HTTPError

        try:
            data = self._read_piece(count)
        except (HTTPError, OSError, ValueError) as error:
            raise connection_failure(error, self.host) from error
        self.received += len(data)
        return data

    def _read_piece(self, count: int) -> bytes:
        data = self.response.read1(count) or b""
        left = getattr(getattr(self.response, "_fp", None), "chunk_left", None)
        if isinstance(left, int) and left < 0:
            # A chunk of less than nothing would let whatever follows through as bytes of the file.
            raise ValueError("chunk")
        return data

    def read_into(self, room: memoryview) -> int:
        """Put what has arrived into `room`; how many bytes, 0 at the end. Raises NetworkFailure.

        One call of the system where the body is plain bytes: urllib3 would copy them twice.
        """
        from urllib3.exceptions import HTTPError

        try:
            if self._plain is None:
                data = self._read_piece(len(room))
                room[: len(data)] = data
                self.received += len(data)
                return len(data)
            if self._left is not None:
                room = room[: self._left]
            count = (self._plain.readinto1(room) or 0) if room else 0
        except (HTTPError, OSError, ValueError) as error:
            raise connection_failure(error, self.host) from error
        if self._left is not None:
            self._left -= count
        self.received += count
        return count

    def interrupt(self) -> None:
        """Wake up a read in another thread; nothing more is taken from the wire."""
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
            self.response.shutdown()

    def close(self) -> None:
        self.response.close()


@dataclass(frozen=True)
class BodyRequest:
    """`url` may be signed; `offset` is the length of what is here already.

    `count` is how many bytes are wanted from there on; None for all that are left.
    """

    url: str
    offset: int
    file: DownloadFile
    options: NetworkOptions
    count: int | None = None

    @property
    def range_header(self) -> str | None:
        if self.count is not None:
            return f"bytes={self.offset}-{self.offset + self.count - 1}"
        return f"bytes={self.offset}-" if self.offset else None


def open_body(pool: Pool, request: BodyRequest) -> Body:
    """Ask for the bytes from `offset` on.

    Raises LinkExpired, RangeRefused, NetworkFailure, RateLimited, and ChecksumMismatch where the
    size is not the published one. The token goes to the endpoint's own origin and nowhere else.
    """
    url = request.url
    for _ in range(_MAX_REDIRECTS):
        _check_address(url, request)
        response = _get(pool, url, request)
        if response.status not in _REDIRECTS or "location" not in response.headers:
            try:
                head = judge(response, host_of(url), request.file, request.offset)
                return Body(response, host_of(url), head)
            except BaseException:
                response.close()
                raise
        response.close()
        try:
            url = urljoin(url, response.headers["location"])
        except ValueError as error:
            raise NetworkFailure(host_of(url), "not_a_hub", "address") from error
    raise NetworkFailure(host_of(url), "not_a_hub", "redirects")


def _check_address(url: str, request: BodyRequest) -> None:
    """Where the Hub is asked by https nobody leads away from it; and nowhere else than the web."""
    if not is_web_address(url) or leaves_https(request.options.endpoint, url):
        raise NetworkFailure(request.options.host, "not_a_hub", "address")


def _get(pool: Pool, url: str, request: BodyRequest) -> BaseHTTPResponse:
    from urllib3.exceptions import HTTPError

    headers = {"Range": request.range_header} if request.range_header else {}
    token = request.options.token
    if token and origin_of(url) == origin_of(request.options.endpoint):
        headers["Authorization"] = f"Bearer {token}"
    try:
        return pool.get(url, headers)
    except (HTTPError, OSError) as error:
        raise connection_failure(error, host_of(url)) from error


def _plain_stream(response: BaseHTTPResponse) -> io.BufferedReader | None:
    """The connection under an answer whose body comes as it is; None for one in chunks."""
    raw = getattr(response, "_fp", None)
    stream = getattr(raw, "fp", None)
    if getattr(raw, "chunked", True) or not isinstance(stream, io.BufferedReader):
        return None
    return stream


def connection_failure(error: BaseException, host: str) -> NetworkFailure:
    """What urllib3 or a socket says, in our words; its own text may hold a signed address."""
    import ssl

    from urllib3 import exceptions

    for cause in _causes(error):
        match cause:
            # First: urllib3 counts it among the timeouts.
            case exceptions.NewConnectionError() | ConnectionRefusedError():
                return NetworkFailure(host, "refused")
            case exceptions.TimeoutError() | TimeoutError():
                return NetworkFailure(host, "timeout")
            case ssl.SSLError():
                return tls_failure(cause, host)
            case exceptions.ProxyError():
                needs_login = any("407 " in str(part) for part in _causes(error))
                return NetworkFailure(host, "http_407" if needs_login else "refused", "proxy")
            case exceptions.IncompleteRead():
                return NetworkFailure(host, "early_end")
            case exceptions.LocationValueError():
                return NetworkFailure(host, "not_a_hub", "address")
    return NetworkFailure(host, "reset")


def tls_failure(error: ssl.SSLError, host: str) -> NetworkFailure:
    """Only what the next attempt meets again is `tls`: a certificate, a version, a cipher.

    A connection that ends or is garbled inside of TLS broke off like any other.
    """
    import ssl

    reason = error.reason or ""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError) or (
        reason in _GARBLED
    ):
        return NetworkFailure(host, "reset")
    return NetworkFailure(host, "tls", str(getattr(error, "verify_message", "") or reason or "TLS"))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it carries as argument (urllib3 does that), and what it came from."""
    for _ in range(10):
        if error is None:
            return
        yield error
        yield from (part for part in error.args if isinstance(part, BaseException))
        error = error.__cause__ or error.__context__


class StallWatch:
    """Notices a connection that gives a byte now and then, which no read timeout does."""

    _BYTES_PER_SECOND = 256

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = time.monotonic()
        self._bytes = 0

    def add(self, count: int) -> bool:
        """True where a whole stretch of time brought next to nothing."""
        self._bytes += count
        elapsed = time.monotonic() - self._at
        if elapsed < self._seconds:
            return False
        is_stalled = self._bytes < self._BYTES_PER_SECOND * elapsed
        self._at += elapsed
        self._bytes = 0
        return is_stalled

"""One request to a server of a person's own, on a connection of its own: read in a thread, so that
whoever waits notices a cancel, a deadline and the offline switch at once.

The only place of the engine that speaks HTTP. Nothing is redirected, retried or decoded, so a key
never reaches another origin.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openshelf.engine.remote_answers import redacted, refusal_of
from openshelf.errors import CancelledByUser, OpenshelfError, ServerFailed
from openshelf.network import (
    USER_AGENT,
    EgressLog,
    NetworkOptions,
    host_of,
    proxy_for,
    require_online,
    trusted_certificates,
)
from openshelf.tasks import CancelToken

if TYPE_CHECKING:
    import httpx2

OptionsFor = Callable[[str], NetworkOptions]
"""What holds for an address at this moment."""

MAX_EVENT_BYTES = 1 << 20
MAX_STREAM_BYTES = 256 << 20
MAX_BODY_BYTES = 8 << 20
MAX_REFUSAL_BYTES = 64 << 10
_LOOK_SECONDS = 0.1
_JOIN_SECONDS = 0.2
_LATER_SECONDS = 5.0
_EVENTS = "text/event-stream"
_JSON = "application/json"


@dataclass(frozen=True)
class Limits:
    """Seconds: to connect, until an answer begins (a long prompt takes its time), between two
    pieces of it, and for all of a short question."""

    connect: float = 10.0
    first: float = 600.0
    silent: float = 60.0
    short: float = 20.0


@dataclass(frozen=True)
class Ask:
    """One request. `purpose` is for the log of what went out; `server` for sentences."""

    server: str
    url: str
    purpose: str
    body: bytes | None = None
    key: str | None = field(default=None, repr=False)
    streams: bool = False

    @property
    def host(self) -> str:
        return host_of(self.url)

    def headers(self) -> dict[str, str]:
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": _EVENTS if self.streams else _JSON,
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if self.body is not None:
            headers["Content-Type"] = _JSON
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        return headers

    def failed(self, why: str, detail: str = "") -> ServerFailed:
        return ServerFailed(self.host, why, redacted(detail, self.key), server=self.server)


class _End:
    """Nothing more comes, and nothing was wrong."""


class Exchange:
    """Runs one `Ask`. Its pieces are the data of events, or the whole body of a short answer."""

    def __init__(
        self,
        ask: Ask,
        options: OptionsFor,
        limits: Limits,
        egress: EgressLog | None = None,
    ) -> None:
        self._ask, self._options, self._limits, self._egress = ask, options, limits, egress
        self._pieces: queue.SimpleQueue[str | _End | OpenshelfError | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False
        self._received = 0
        self._thread = threading.Thread(target=self._run, name="server-answer", daemon=True)

    def pieces(self, cancel: CancelToken) -> Generator[str, None, None]:
        """In the caller's thread. Raises Offline, ServerFailed, RateLimited, ContextFull,
        UsageError (the CA's file), CancelledByUser."""
        ask, limits = self._ask, self._limits
        cancel.raise_if_cancelled()
        require_online(self._options(ask.url), ask.host)
        cancel.on_cancel(lambda: self._pieces.put(None))
        self._thread.start()
        wait = limits.first if ask.streams else limits.short
        deadline = time.monotonic() + wait
        try:
            while True:
                piece = self._next()
                cancel.raise_if_cancelled()
                require_online(self._options(ask.url), ask.host)
                if isinstance(piece, str):
                    yield piece
                    if ask.streams:
                        deadline = time.monotonic() + limits.silent
                elif isinstance(piece, _End):
                    return
                elif piece is not None:
                    raise piece
                elif time.monotonic() > deadline:
                    raise ask.failed("silent" if ask.streams else "timeout")
        finally:
            self.abort()

    def abort(self) -> None:
        """Close the connection, wherever it is; its thread ends by itself."""
        with self._lock:
            self._is_aborted, open_socket = True, self._socket
        if open_socket is not None:
            # Not its own method: that of a TLS socket would say goodbye first, and wait for it.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join(_JOIN_SECONDS)

    def _next(self) -> str | _End | OpenshelfError | None:
        with contextlib.suppress(queue.Empty):
            return self._pieces.get(timeout=_LOOK_SECONDS)
        return None

    # --- in the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        import httpx2

        end: _End | OpenshelfError = _End()
        try:
            self._talk()
        except CancelledByUser:
            pass
        except OpenshelfError as error:
            end = error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            end = self._failure(error)
        except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
            # What the client makes of an answer that is no HTTP, or of a socket closed by us.
            end = self._ask.failed("bad_answer", type(error).__name__)
        if self._egress is not None:
            self._egress.record(self._ask.host, self._ask.purpose, self._received)
        self._pieces.put(end)

    def _talk(self) -> None:
        ask = self._ask
        with (
            self._client() as client,
            client.stream(
                "GET" if ask.body is None else "POST",
                ask.url,
                headers=ask.headers(),
                content=ask.body,
                extensions={"trace": self._on_trace},
            ) as response,
        ):
            if response.status_code >= 300:
                body = self._body(response, MAX_REFUSAL_BYTES, whole=False)
                raise refusal_of(ask, response.status_code, response.headers, body)
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise ask.failed("bad_answer", "it is compressed")
            if ask.streams:
                self._read_events(response)
            else:
                self._pieces.put(self._body(response, MAX_BODY_BYTES).decode("utf-8", "replace"))

    def _client(self) -> httpx2.Client:
        import httpx2

        options, limits = self._options(self._ask.url), self._limits
        proxy = proxy_for(options, self._ask.url)
        needs_trust = self._ask.url.startswith("https:") or (proxy or "").startswith("https:")
        # Reading it takes 20 ms, so only where something is encrypted.
        trust: ssl.SSLContext | bool = trusted_certificates(options) if needs_trust else False
        # Whoever waits gives up first, and says so in its own words.
        read = _LATER_SECONDS + (
            max(limits.first, limits.silent) if self._ask.streams else limits.short
        )
        return httpx2.Client(
            transport=httpx2.HTTPTransport(verify=trust, proxy=proxy, trust_env=False),
            timeout=httpx2.Timeout(limits.connect, read=read),
            follow_redirects=False,
            trust_env=False,
        )

    def _on_trace(self, event: str, info: dict[str, Any]) -> None:
        """Keeps the socket, also before an answer begins: closing it is what ends a wait."""
        stream = info.get("return_value")
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")) or stream is None:
            return
        with self._lock:
            self._socket = stream.get_extra_info("socket")
            if self._is_aborted:
                raise CancelledByUser

    def _read_events(self, response: httpx2.Response) -> None:
        import httpx2

        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _EVENTS:
            why = "not_a_server" if kind == "text/html" else "not_a_stream"
            raise self._ask.failed(why, kind[:80])
        response.encoding = "utf-8"
        try:
            for event in httpx2.EventSource(response, max_event_size=MAX_EVENT_BYTES):
                self._received = response.num_bytes_downloaded
                if self._received > MAX_STREAM_BYTES or self._is_aborted:
                    raise self._ask.failed("too_large")
                self._pieces.put(event.data)
        except httpx2.SSEError as error:
            raise self._ask.failed("too_large") from error
        finally:
            self._received = response.num_bytes_downloaded

    def _body(self, response: httpx2.Response, limit: int, *, whole: bool = True) -> bytes:
        """Raises ServerFailed for one that is longer, unless its beginning is enough."""
        body = bytearray()
        deadline = time.monotonic() + self._limits.short
        for chunk in response.iter_raw():
            body += chunk
            self._received = response.num_bytes_downloaded
            if len(body) > limit or time.monotonic() > deadline:
                if whole:
                    raise self._ask.failed("too_large" if len(body) > limit else "timeout")
                break
        return bytes(body[:limit])

    def _failure(self, error: Exception) -> ServerFailed:
        """The text of the exception may hold the key, and stays here."""
        import httpx2

        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLError):
                detail = getattr(cause, "verify_message", "") or cause.reason or "TLS"
                return self._ask.failed("tls", str(detail))
        if any(isinstance(c, httpx2.TimeoutException | TimeoutError) for c in causes):
            return self._ask.failed("timeout")
        if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
            return self._ask.failed("refused")
        if isinstance(error, httpx2.RemoteProtocolError):
            return self._ask.failed("early_end" if self._received else "bad_answer")
        return self._ask.failed("early_end" if self._ask.streams and self._received else "reset")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:
        yield error
        error = error.__cause__ or error.__context__
        seen += 1

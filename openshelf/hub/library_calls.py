"""Runs calls of huggingface_hub under our rules: deadlines, proxy, CA, offline switch, no token to
another host, and every failure as one of our errors.

The library sends everything through one global client; ours picks the options of the call that is
running in this thread, so several clients never meet.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

from typing_extensions import override

from openshelf.errors import GatedModel, NetworkFailure, NotFound, OpenshelfError, RateLimited
from openshelf.hub.answer_checks import check_redirect, unpacked, waiting_time
from openshelf.hub.body import tls_failure
from openshelf.hub.body_head import SIGN_IN
from openshelf.network import (
    EgressLog,
    NetworkOptions,
    check_endpoint,
    host_of,
    hub_environment,
    origin_of,
    proxy_for,
    require_online,
    trusted_certificates,
)

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
MAX_ANSWER_BYTES = 32 << 20
_MAX_CALL_SECONDS = 120.0
_MOST_REQUESTS = 40
"""Of one call, redirects and pages included; a list of 100 entries is one page."""
_MISREAD = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What the library makes of answers that are not what it expects."""
_import_lock = threading.Lock()
_is_installed = False


@dataclass
class Route:
    """How the requests of one client go out."""

    options: NetworkOptions
    egress: EgressLog | None = None
    is_shut: bool = False
    """The switch went to offline: who still holds this route sends nothing more."""
    _transports: dict[str | None, httpx2.HTTPTransport] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def transport(self, url: str) -> httpx2.HTTPTransport:
        import httpx2

        proxy = proxy_for(self.options, url)
        with self._lock:
            if proxy not in self._transports:
                self._transports[proxy] = httpx2.HTTPTransport(
                    verify=trusted_certificates(self.options), proxy=proxy, trust_env=False
                )
            return self._transports[proxy]

    def require_open(self, host: str) -> None:
        """Raises Offline; loopback is always open."""
        require_online(replace(self.options, offline=self.options.offline or self.is_shut), host)

    def close(self) -> None:
        with self._lock:
            for transport in self._transports.values():
                transport.close()
            self._transports.clear()


@dataclass
class _Call:
    route: Route
    purpose: str
    max_bytes: int
    deadline: float
    asked: int = 0


_current: ContextVar[_Call | None] = ContextVar("openshelf_hub_call", default=None)


def call_library(
    route: Route,
    purpose: str,
    function: Callable[[], T],
    *,
    repo: str = "",
    path: str = "",
    max_bytes: int = MAX_ANSWER_BYTES,
) -> T:
    """Run `function`, which calls huggingface_hub.

    Raises UsageError, Offline, NetworkFailure, RateLimited, NotFound, GatedModel and nothing else
    for what the other side does.
    """
    options = route.options
    check_endpoint(options)
    route.require_open(options.host)
    prepare_library(options)
    import httpx2

    token = _current.set(_Call(route, purpose, max_bytes, time.monotonic() + _MAX_CALL_SECONDS))
    try:
        return function()
    except json.JSONDecodeError as error:
        raise NetworkFailure(options.host, "not_a_hub", "no JSON") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, *_MISREAD) as error:
        raise _translated(error, options, repo, path) from error
    finally:
        _current.reset(token)


def prepare_library(options: NetworkOptions) -> None:
    """Import huggingface_hub in the environment it needs, and give it our client."""
    global _is_installed
    with _import_lock:
        if _is_installed:
            return
        with _environment(hub_environment(options)):
            import huggingface_hub.file_download
            import huggingface_hub.hf_api  # noqa: F401
            from huggingface_hub import set_client_factory
        # It writes what cards and servers say to stderr, marks for the terminal included.
        logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL + 1)
        set_client_factory(_new_client)
        _is_installed = True


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _new_client() -> httpx2.Client:
    import httpx2
    from huggingface_hub.utils._http import hf_request_event_hook

    class RoutingTransport(httpx2.BaseTransport):
        """Sends each request as the call that is running wants it."""

        @override
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            return _send(request)

    return httpx2.Client(
        transport=RoutingTransport(),
        event_hooks={"request": [hf_request_event_hook, _request_hook]},
        follow_redirects=True,
        timeout=None,
        trust_env=False,
    )


def _running_call() -> _Call:
    call = _current.get()
    if call is None:
        raise RuntimeError("huggingface_hub was called outside of call_library")
    return call


def _request_hook(request: httpx2.Request) -> None:
    """Fill in the deadlines that the library leaves out, and keep the token at home."""
    options = _running_call().route.options
    timeouts: dict[str, float | None] = request.extensions.get("timeout") or {}
    connect, read = options.connect_timeout_seconds, options.read_timeout_seconds
    defaults = {"connect": connect, "read": read, "write": read, "pool": connect}
    request.extensions["timeout"] = {
        name: min(timeouts.get(name) or seconds, seconds) for name, seconds in defaults.items()
    }
    request.headers["accept-encoding"] = "identity"
    if origin_of(str(request.url)) != origin_of(options.endpoint):
        request.headers.pop("authorization", None)


def _send(request: httpx2.Request) -> httpx2.Response:
    """Send, read the whole answer within its limits, and raise for what nobody should retry.

    The library would sleep through 429 and 5xx and connection errors, silently and uncancellably.
    """
    import httpx2

    call = _running_call()
    url = str(request.url)
    call.route.require_open(host_of(url))
    if call.asked >= _MOST_REQUESTS:
        raise NetworkFailure(host_of(url), "not_a_hub", "pages without end")
    call.asked += 1
    received = 0
    watch = _Watch(call)
    try:
        raw = _answer_to(request, call.route.transport(url))
        try:
            body, received = _read_answer(raw, call)
        finally:
            raw.close()
    except (httpx2.TransportError, RuntimeError, *_MISREAD) as error:
        if watch.is_over:
            raise NetworkFailure(host_of(url), "timeout") from error
        if not isinstance(error, httpx2.TransportError):
            raise
        raise failure_of(error, host_of(url)) from error
    finally:
        watch.stop()
        if call.route.egress is not None:
            call.route.egress.record(host_of(url), call.purpose, received)
    if raw.status_code == 429:
        raise RateLimited(host_of(url), "http_429", retry_after_seconds=waiting_time(raw.headers))
    if raw.status_code == SIGN_IN:
        raise NetworkFailure(host_of(url), "not_a_hub", "http_511")
    if raw.status_code >= 500:
        raise NetworkFailure(host_of(url), f"http_{raw.status_code}")
    check_redirect(raw, url)
    headers, body = unpacked(raw.headers, body, call.max_bytes, host_of(url))
    return httpx2.Response(
        raw.status_code,
        headers=headers,
        stream=httpx2.ByteStream(body),
        extensions=raw.extensions,
    )


def _answer_to(request: httpx2.Request, transport: httpx2.HTTPTransport) -> httpx2.Response:
    """A connection kept from before may be closed by the other side at this very moment."""
    import httpx2

    try:
        return transport.handle_request(request)
    except httpx2.RemoteProtocolError as error:
        if request.method not in ("GET", "HEAD") or "without sending" not in str(error):
            raise
        return transport.handle_request(request)


class _Watch:
    """Ends a call at its deadline, also while a header comes byte by byte."""

    def __init__(self, call: _Call) -> None:
        self.is_over = False
        self._route = call.route
        self._timer = threading.Timer(max(0.0, call.deadline - time.monotonic()), self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        self._route.close()


def _read_answer(raw: httpx2.Response, call: _Call) -> tuple[bytes, int]:
    import httpx2

    body = bytearray()
    stream = cast("httpx2.SyncByteStream", raw.stream)
    for chunk in stream:
        body += chunk
        if len(body) >= call.max_bytes:
            break
        if time.monotonic() > call.deadline:
            raise httpx2.ReadTimeout("the answer took too long")
    return bytes(body[: call.max_bytes]), len(body)


def failure_of(error: BaseException, host: str) -> NetworkFailure:
    """A failed connection in our words; the text of the exception may hold addresses and stays."""
    import httpx2

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return tls_failure(cause, host)
    if any(isinstance(cause, httpx2.TimeoutException | TimeoutError) for cause in causes):
        return NetworkFailure(host, "timeout")
    if isinstance(error, httpx2.ProxyError) and str(error).startswith("407"):
        return NetworkFailure(host, "http_407")
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
        return NetworkFailure(host, "refused")
    if isinstance(error, httpx2.RemoteProtocolError):
        return NetworkFailure(host, "early_end")
    return NetworkFailure(host, "reset")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:
        yield error
        error = error.__cause__ or error.__context__
        seen += 1


def _translated(error: Exception, options: NetworkOptions, repo: str, path: str) -> OpenshelfError:
    """An error of huggingface_hub or of its client as one of ours."""
    import httpx2
    from huggingface_hub import errors as hub

    host = options.host
    match error:
        case hub.GatedRepoError():
            return GatedModel(repo, f"{options.endpoint}/{repo}")
        case hub.RevisionNotFoundError() | hub.RepositoryNotFoundError():
            return NotFound("model", repo)
        case hub.EntryNotFoundError():
            return NotFound("file", f"{repo}/{path}" if path else repo)
        case hub.DisabledRepoError():
            return NetworkFailure(host, "disabled", repo)
        case hub.HFValidationError():
            return NotFound("model", repo)
        case hub.HfHubHTTPError():
            return _of_status(error.response.status_code, options, repo)
        case httpx2.TransportError():
            return failure_of(error, host)
    return NetworkFailure(host, "not_a_hub", type(error).__name__)


def _of_status(status: int, options: NetworkOptions, repo: str) -> OpenshelfError:
    if status == 404:
        return NotFound("model", repo)
    if status == 401 and options.token:
        return NetworkFailure(options.host, "bad_token")
    return NetworkFailure(options.host, f"http_{status}")

"""Fetches a catalog from an address that a person set: one file, only where it changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from openshelf.errors import BadWords, NetworkFailure, RateLimited
from openshelf.hub.body import connection_failure
from openshelf.hub.body_head import asked_wait
from openshelf.network import EgressLog, NetworkOptions, host_of, is_loopback, open_pool

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

PURPOSE = "catalog"
MOST_BYTES = 16 << 20
_MOST_SECONDS = 60.0
_PIECE_BYTES = 64 << 10
_USUAL_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class CatalogFile:
    """`etag` and `last_modified` are to be sent back the next time; empty where none came."""

    text: str
    etag: str = ""
    last_modified: str = ""


class Known(Protocol):
    """What came the last time."""

    @property
    def etag(self) -> str: ...
    @property
    def last_modified(self) -> str: ...


def check_address(address: str) -> None:
    """Raise UsageError unless it is https, or http on this very machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        is_good = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        is_good = is_good and bool(host) and not parts.username and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise BadWords(why="catalog_address", name=address)


def fetch_catalog_file(
    options: NetworkOptions, address: str, known: Known | None, egress: EgressLog | None = None
) -> CatalogFile | None:
    """The file at `address`; None where it is still what `known` is. No token goes there.

    Raises Offline, UsageError (the address), RateLimited, NetworkFailure.
    """
    check_address(address)
    host = host_of(address)
    headers = {"Accept": "application/json"}
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    pool = open_pool(options)
    received = 0
    try:
        response = pool.get(address, headers)
        try:
            if response.status == 304 and known is not None:
                return None
            _check_status(response, host)
            data = _read(response, host)
            received = len(data)
        finally:
            response.close()
    except _wire_errors() as error:
        raise connection_failure(error, host) from error
    finally:
        pool.close()
        if egress is not None:
            egress.record(host, PURPOSE, received)
    return CatalogFile(
        text=data.decode("utf-8", "replace"),
        etag=response.headers.get("etag", "")[:500],
        last_modified=response.headers.get("last-modified", "")[:100],
    )


def _wire_errors() -> tuple[type[Exception], ...]:
    from urllib3.exceptions import HTTPError

    return (HTTPError, OSError)


def _check_status(response: BaseHTTPResponse, host: str) -> None:
    if response.status == 429:
        wait = asked_wait(response.headers.get("retry-after", ""))
        seconds = _USUAL_WAIT_SECONDS if wait is None else wait
        raise RateLimited(host, "http_429", retry_after_seconds=seconds)
    if response.status != 200:
        raise NetworkFailure(host, f"http_{response.status}")
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise NetworkFailure(host, "not_a_hub", "text/html")


def _read(response: BaseHTTPResponse, host: str) -> bytes:
    data, ends_at = bytearray(), time.monotonic() + _MOST_SECONDS
    while piece := response.read1(_PIECE_BYTES):
        data += piece
        if len(data) > MOST_BYTES:
            raise NetworkFailure(host, "too_large", f"more than {MOST_BYTES} bytes")
        if time.monotonic() > ends_at:
            raise NetworkFailure(host, "timeout")
    return bytes(data)

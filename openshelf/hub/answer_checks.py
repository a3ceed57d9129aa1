"""What is looked at in an answer before huggingface_hub sees it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from openshelf.errors import NetworkFailure
from openshelf.hub.body_head import asked_wait
from openshelf.network import LONGEST_ASKED_SECONDS, host_of, is_web_address, leaves_https

if TYPE_CHECKING:
    import httpx2

_ASSUMED_WAIT_SECONDS = 60.0
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_PACKED = ("gzip", "x-gzip", "deflate")


def check_redirect(raw: httpx2.Response, url: str) -> None:
    """Nobody leads to another kind of address, or away from https; the library would only try the
    same again and again."""
    place = raw.headers.get("location", "")
    if not 300 <= raw.status_code < 400 or not place:
        return
    try:
        target = urljoin(url, place)
    except ValueError:
        target = ""
    if not is_web_address(target) or leaves_https(url, target):
        raise NetworkFailure(host_of(url), "not_a_hub", "address")


def unpacked(
    headers: httpx2.Headers, body: bytes, most: int, host: str
) -> tuple[httpx2.Headers, bytes]:
    """Nothing packed was asked for; where it comes all the same, it may not unfold without end."""
    packing = headers.get("content-encoding", "").strip().lower()
    if packing in ("", "identity"):
        return headers, body
    if packing not in _PACKED:
        raise NetworkFailure(host, "not_a_hub", "content-encoding")
    try:
        body = zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, most)
    except zlib.error as error:
        raise NetworkFailure(host, "not_a_hub", "content-encoding") from error
    kept = headers.copy()
    kept.pop("content-encoding", None)
    kept.pop("content-length", None)
    return kept, body


def waiting_time(headers: httpx2.Headers) -> float:
    """How long 429 asks to wait: until the window of the Hub ends, else what Retry-After says."""
    from huggingface_hub.utils._http import parse_ratelimit_headers

    try:
        limit = parse_ratelimit_headers(headers)
        if limit is not None and limit.remaining == 0:
            return float(max(0, min(limit.reset_in_seconds, LONGEST_ASKED_SECONDS)))
    except (ValueError, OverflowError):
        pass
    seconds = asked_wait(headers.get("retry-after", ""))
    return _ASSUMED_WAIT_SECONDS if seconds is None else seconds

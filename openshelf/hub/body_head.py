"""What the head of an answer says: whether bytes of the file follow, from where on, how sure."""

from __future__ import annotations

import email.utils
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openshelf.errors import ChecksumMismatch, NetworkFailure, RateLimited
from openshelf.hub.entries import DownloadFile
from openshelf.network import LONGEST_ASKED_SECONDS

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_CONTENT_RANGE = re.compile(
    r"bytes (?:([0-9]{1,18})-[0-9]{1,18}|\*)/([0-9]{1,18}|\*)", re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9]{1,18}")
_SECONDS = re.compile(r"0*([0-9]{0,9})[0-9]*")
_ASSUMED_WAIT_SECONDS = 30.0
_PLAIN = ("", "identity")
SIGN_IN = 511
"""Network Authentication Required (RFC 6585): what a network's sign-in page should answer."""


class LinkExpired(NetworkFailure):
    """The storage takes the link no longer: ask the Hub for a new one."""


class RangeRefused(NetworkFailure):
    """416: the other side has nothing at this offset."""


@dataclass(frozen=True)
class Head:
    """`start` is where the bytes begin; `is_sized` says that the answer names the size of the
    whole file, and names it right."""

    start: int
    is_sized: bool


def judge(response: BaseHTTPResponse, host: str, file: DownloadFile, offset: int) -> Head:
    """What was asked for from `offset` on.

    Raises LinkExpired, RangeRefused, RateLimited, NetworkFailure, and ChecksumMismatch where
    another size is named than the published one.
    """
    status, headers = response.status, response.headers
    if status in (401, 403, 404, 410):
        raise LinkExpired(host, f"http_{status}")
    if status == 416:
        _total(headers.get("content-range", ""), file)
        raise RangeRefused(host, "http_416")
    if status == 429:
        seconds = asked_wait(headers.get("retry-after", ""))
        seconds = _ASSUMED_WAIT_SECONDS if seconds is None else seconds
        raise RateLimited(host, "http_429", retry_after_seconds=seconds)
    if status == SIGN_IN:
        raise NetworkFailure(host, "not_a_hub", "http_511")
    if status not in (200, 206):
        raise NetworkFailure(host, f"http_{status}")
    if headers.get("content-type", "").lower().startswith("text/html"):
        raise NetworkFailure(host, "not_a_hub", "text/html")
    if headers.get("content-encoding", "").strip().lower() not in _PLAIN:
        raise NetworkFailure(host, "not_a_hub", "content-encoding")
    if headers.get("transfer-encoding", "").strip().lower() not in (*_PLAIN, "chunked"):
        # Chunks inside of another coding would be taken for bytes of the file.
        raise NetworkFailure(host, "not_a_hub", "transfer-encoding")
    return _whole(response, file) if status == 200 else _part(response, host, file, offset)


def _whole(response: BaseHTTPResponse, file: DownloadFile) -> Head:
    length = _number(response.headers.get("content-length", ""))
    if response.headers.get("transfer-encoding"):
        length = None
    if length is not None and length != file.size_bytes:
        raise _wrong_size(file, length)
    return Head(0, length is not None)


def _part(response: BaseHTTPResponse, host: str, file: DownloadFile, offset: int) -> Head:
    value = response.headers.get("content-range", "")
    is_sized = _total(value, file)
    found = _CONTENT_RANGE.fullmatch(value.strip())
    if found is None or found[1] is None or int(found[1]) > offset:
        raise NetworkFailure(host, "not_a_hub", "content-range")
    return Head(int(found[1]), is_sized)


def _total(content_range: str, file: DownloadFile) -> bool:
    """Whether the size of the file is named. Raises ChecksumMismatch where it is another one."""
    found = _CONTENT_RANGE.fullmatch(content_range.strip())
    if found is None or found[2] == "*":
        return False
    if int(found[2]) != file.size_bytes:
        raise _wrong_size(file, int(found[2]))
    return True


def asked_wait(text: str) -> float | None:
    """Retry-After in seconds, at most an hour: a number or a date; None where it says nothing."""
    text = text.strip()
    if text and (found := _SECONDS.fullmatch(text)):
        return float(min(int(found[1] or 0), LONGEST_ASKED_SECONDS))
    try:
        seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return max(0.0, min(seconds, float(LONGEST_ASKED_SECONDS)))


def _number(text: str) -> int | None:
    """What a header says, None for anything but plain digits."""
    return int(text) if _NUMBER.fullmatch(text.strip()) else None


def _wrong_size(file: DownloadFile, actual: int) -> ChecksumMismatch:
    return ChecksumMismatch(file.path, str(file.size_bytes), str(actual), "size")

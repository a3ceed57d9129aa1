"""The hash chain of the acceptance log: lines, their head, and the finding of any change."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.durable import replace_file
from openshelf.licenses.log_file import decoded, read_plain

ZERO = "0" * 64
"""What the first record has as its predecessor's hash."""
_LONGEST_HEAD = 4096
_OPENING = b'{"accepted_by":'
"""Every record begins so: the keys are sorted, and each record says who."""


@dataclass(frozen=True)
class VerifyReport:
    """`problem` is None where the log is whole, else a code; `line` counts from 1.

    Codes: not_a_record, not_canonical, wrong_link, fewer_than_head, more_than_head, head_differs,
    unfinished_is_foreign, unreadable, head_unreadable, head_seal_wrong, rolled_back (an older log
    with its own head). `sealed` says whether the head bears an HMAC under a key of the keychain;
    None where there is no key. `beyond_head`: the last record is one that the head does not count,
    as after a crash. `clock_line` is the first line that says an earlier time than the one before.
    """

    records: int
    head_sha256: str
    problem: str | None = None
    line: int | None = None
    unfinished_line: bool = False
    sealed: bool | None = None
    beyond_head: bool = False
    clock_line: int | None = None


UNREADABLE = VerifyReport(0, ZERO, "unreadable")


@dataclass(frozen=True)
class Head:
    """How many records there are and the hash of the last one; kept apart from the log.

    `mac` is the seal of head_seal.py, "" without one.
    """

    count: int = 0
    sha256: str = ZERO
    mac: str = ""


@dataclass(frozen=True)
class Lines:
    """The finished lines of a log (without their ends) and what stands after the last end."""

    finished: tuple[bytes, ...]
    tail: bytes

    @property
    def last_sha256(self) -> str:
        return sha256_of(self.finished[-1]) if self.finished else ZERO

    def contain(self, head: Head) -> bool:
        """Whether the log once had this head, and has what it counted."""
        if head.count == 0:
            return True
        is_long = len(self.finished) >= head.count
        return is_long and sha256_of(self.finished[head.count - 1]) == head.sha256


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(record: dict[str, Any]) -> bytes:
    """One line: keys sorted, no spaces, UTF-8. The chain is over exactly these bytes."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def split_lines(content: bytes) -> Lines:
    *finished, tail = content.split(b"\n")
    return Lines(tuple(finished), tail)


def record_of(line: bytes) -> dict[str, Any] | None:
    """The record on a line; None where it is not one."""
    try:
        record = decoded(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def verify_chain(lines: Lines, head: Head | None) -> VerifyReport:
    """Compare lines with each other and with the head.

    One record beyond the head, or one unfinished last line, is what a crash leaves and is
    accepted; any other difference is a change.
    """
    count = len(lines.finished)
    last = lines.last_sha256
    clock_line: int | None = None

    def report(problem: str | None, line: int | None = None) -> VerifyReport:
        beyond = head is not None and problem is None and count > head.count
        return VerifyReport(
            count, last, problem, line, bool(lines.tail), beyond_head=beyond, clock_line=clock_line
        )

    previous, at = ZERO, ""
    for number, line in enumerate(lines.finished, start=1):
        record = record_of(line)
        if record is None:
            return report("not_a_record", number)
        if canonical(record) != line:
            return report("not_canonical", number)
        if record.get("prev_sha256") != previous:
            return report("wrong_link", number)
        previous = sha256_of(line)
        before, at = at, str(record.get("at"))
        if at < before and clock_line is None:
            clock_line = number
    if head is None:
        return report("head_unreadable")
    if count < head.count:
        return report("fewer_than_head", count + 1)
    if count > head.count + 1:
        return report("more_than_head", head.count + 2)
    if count and head.count and sha256_of(lines.finished[head.count - 1]) != head.sha256:
        return report("head_differs", head.count)
    if lines.tail and (count != head.count or not _may_be_a_record(lines.tail)):
        return report("unfinished_is_foreign", count + 1)
    return report(None)


def _may_be_a_record(tail: bytes) -> bool:
    shorter = min(len(tail), len(_OPENING))
    return tail[:shorter] == _OPENING[:shorter]


def read_head(path: Path) -> Head | None:
    """The head; `Head()` where there is none yet, None where the file is no head."""
    try:
        table = decoded(read_plain(path, _LONGEST_HEAD))
    except FileNotFoundError:
        return Head()
    except (OSError, ValueError):
        return None
    if not isinstance(table, dict):
        return None
    count, digest = table.get("count"), table.get("sha256")
    if type(count) is not int or count < 0 or not isinstance(digest, str) or len(digest) != 64:
        return None
    mac = table.get("mac", "")
    return Head(count, digest, mac) if isinstance(mac, str) and mac.isascii() else None


def write_head(path: Path, head: Head) -> None:
    """Replace the head in one step, and have it on disk before returning."""
    table = {"count": head.count, "sha256": head.sha256}
    content = json.dumps({**table, "mac": head.mac} if head.mac else table).encode()
    replace_file(path, content, is_private=True)

"""What can go wrong on the wire, by stage, path and count."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

API = "api"
HEAD = "head"
RESOLVE = "resolve"
CDN = "cdn"


@dataclass
class Fault:
    """Happens on requests of `stage` whose path matches, after `skip` of them, `count` times.

    `kind` is status (with `status`, `headers`), cut (FIN after `after_bytes`), reset (RST), slow
    (`bytes_per_second`), hang, corrupt (the byte at `offset` of the file is flipped), etag and
    size (wrong in the HEAD's answer), no_commit, ignore_range, html (a captive portal), length
    (a Content-Length that is too large by `after_bytes`), extra (that many bytes too many),
    disguised (a portal's page of the file's length and type), gzip (said of the body),
    wrong_range (another range than asked for), garbage (no HTTP at all), headers (added to the
    right answer), xet (announced, its storage is dead), chunked (no length), bad_chunk (chunks
    that stop making sense after `after_bytes`), no_length (the end of the connection is the end),
    short_range (`after_bytes` of what was asked for), long_range (one that ends beyond the file),
    multipart (parts instead of a range), two_lengths (that differ), flood (hundreds of headers),
    slow_head (a header byte by byte, without end), raw (`answer` writes to the handler's wfile
    whatever it likes, and the connection is closed).
    """

    kind: str
    stage: str = CDN
    path: str = ""
    count: int = 1
    skip: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    after_bytes: int = 0
    offset: int = 0
    bytes_per_second: int = 0
    answer: Callable[[Any], None] | None = None


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, kind: str, **facts: Any) -> None:
        with self._lock:
            self._faults.append(Fault(kind, **facts))

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, stage: str, path: str) -> dict[str, Fault]:
        """The faults of this request, by kind."""
        taken: dict[str, Fault] = {}
        with self._lock:
            for fault in self._faults:
                if fault.stage != stage or not re.search(fault.path, path) or fault.count <= 0:
                    continue
                if fault.kind in taken:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.count -= 1
                taken[fault.kind] = fault
        return taken

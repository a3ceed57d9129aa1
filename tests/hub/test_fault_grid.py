"""Each fault of the line at the first byte, in the middle and at the last one: it ends verified, or
refused by name and ready to go on; the cache never holds a wrong file under a right name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openshelf import wording
from openshelf.errors import ChecksumMismatch, OpenshelfError
from openshelf.hub import download
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import Setting, Watch, publish, some_bytes

SIZE = 300_000
POSITIONS = {"first": 0, "middle": SIZE // 2, "last": SIZE - 1}
STALL_SECONDS = 0.3


@dataclass(frozen=True)
class Case:
    """`at` is where the position goes: part (that much is here already) or a field of the fault.

    `words` stand in the sentence that a person reads; none where it just works. `refused` says
    that the download ends, with the `why` of its ChecksumMismatch.
    """

    kind: str
    words: str = ""
    at: str = "part"
    refused: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def _status(status: int, words: str, **headers: str) -> Case:
    return Case("status", words, facts={"status": status, "headers": headers})


ON_HEAD = {"stage": "head"}
GRID = {
    "end of stream": Case("cut", "stopped in the middle", "after_bytes"),
    "reset": Case("reset", "broke off", "after_bytes"),
    "silence": Case("hang", "does not answer", "after_bytes"),
    "trickle": Case("slow", "does not answer", facts={"bytes_per_second": 1}),
    "500": _status(500, "has a problem"),
    "502": _status(502, "has a problem"),
    "503": _status(503, "has a problem", **{"Retry-After": "0"}),
    "429": _status(429, "asks to wait", **{"Retry-After": "0"}),
    "403 of the storage": _status(403, "has a problem"),
    "404 of the storage": _status(404, "has a problem"),
    "416": _status(416, "has a problem"),
    "expired link": Case("expire", "has a problem"),
    "flipped byte": Case("corrupt", "its SHA-256 is not", "offset", refused=""),
    "wrong etag": Case("etag", "announces another file", refused="etag", facts=ON_HEAD),
    "wrong size": Case("size", "has another size", refused="size", facts=ON_HEAD),
    "no commit": Case("no_commit", "Something else answers", facts=ON_HEAD),
    "ignored range": Case("ignore_range"),
    "sign-in page": Case("html", "Something else answers"),
    "sign-in page of the Hub": Case("html", "Something else answers", facts=ON_HEAD),
    "dead xet storage": Case("xet", facts=ON_HEAD),
    # Beyond the list of hub.md §5.
    "page in disguise": Case("disguised", "its SHA-256 is not", refused=""),
    "too long": Case("length", "has another size", refused="size", facts={"after_bytes": 5}),
    "surplus bytes": Case("extra", refused="size", facts={"after_bytes": 5000}),
    "another range": Case("wrong_range", "Something else answers"),
    "compressed": Case("gzip", "Something else answers"),
    "no HTTP": Case("garbage", "broke off"),
    "no HTTP at the Hub": Case("garbage", "stopped in the middle", facts=ON_HEAD),
    "redirects in a ring": Case(
        "status",
        "Something else answers",
        facts={"status": 302, "headers": {"Location": "?again"}, "count": 5},
    ),
    "odd length": Case("headers", facts={"headers": {"Content-Length": "\xb2"}}),
    "odd wait": _status(429, "asks to wait", **{"Retry-After": "\xb2"}),
    "endless wait": _status(429, "asks to wait", **{"Retry-After": "9" * 400}),
    "endless wait of the Hub": Case(
        "status",
        "asks to wait",
        facts={"stage": "head", "status": 429, "headers": {"Retry-After": "9" * 400}},
    ),
    # Beyond that list once more.
    "chunks": Case("chunked"),
    "chunks that make no sense": Case("bad_chunk", "broke off", facts={"after_bytes": 65536}),
    "no length": Case("no_length"),
    "shorter range": Case("short_range", "stopped in the middle", facts={"after_bytes": 1000}),
    "range beyond the end": Case("long_range"),
    "parts instead of a range": Case("multipart", "Something else answers"),
    "two lengths": Case("two_lengths", "broke off"),
    "nothing": _status(204, "has a problem"),
    "flood of headers": Case("flood", "broke off"),
    "flood of headers at the Hub": Case("flood", "Something else answers", facts=ON_HEAD),
    "endless header": Case("slow_head", "does not answer"),
    "redirect to a file": _status(302, "Something else answers", Location="file:///etc/passwd"),
    "redirect to nowhere": _status(302, "Something else answers", Location="http://[bad"),
    "redirect to a bad port": _status(302, "Something else answers", Location="http://x:99999999"),
    "odd size at the Hub": Case(
        "headers", facts={"stage": "head", "headers": {"X-Linked-Size": "many"}}
    ),
}
_NEEDS_A_RANGE = {
    "another range", "ignored range", "shorter range", "parts instead of a range",
    "range beyond the end",
}  # fmt: skip
"""These answer a range, and none is asked for at the first byte."""
_FINE_WITH_A_RANGE = {"too long", "surplus bytes"}
"""What a 206 holds beyond the end is not read."""


_FINE_AT_THE_LAST_BYTE = {"trickle", "shorter range", "chunks that make no sense"}
"""What one byte is too little for."""


@pytest.fixture
def setting(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setattr(download, "_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(download, "_LONGEST_WAIT_SECONDS", 0.05)
    return Setting(hub, publish(hub, some_bytes(SIZE)), tmp_path / "models")


def _prepare(setting: Setting, case: Case, position: int) -> None:
    facts = dict(case.facts)
    if case.kind == "expire":
        # The link is good for the first connection, which breaks, and for no other.
        setting.hub.faults.add("cut", after_bytes=max(1, position))
        setting.hub.faults.add("status", status=403, skip=1)
        return
    if case.at == "part" and position:
        setting.begin(position)
    elif case.at != "part":
        facts[case.at] = position
    setting.hub.faults.add(case.kind, **facts)


def _is_clean(setting: Setting) -> bool:
    """Whatever has the file's name is the file."""
    place = setting.place
    if not place.blob.exists():
        return not place.snapshot.exists()
    return hashlib.sha256(place.blob.read_bytes()).hexdigest() == setting.file.sha256


def _outcome(setting: Setting) -> tuple[OpenshelfError | None, list[str]]:
    """What it ended with, and every sentence shown on the way."""
    watch, error = Watch(), None
    try:
        setting.download(
            watch, job={"stall_seconds": STALL_SECONDS}, read_timeout_seconds=STALL_SECONDS
        )
    except OpenshelfError as failure:
        error = failure
    shown = [wording.sentence(p.reason) for p in watch.seen if p.reason is not None]
    return error, [*shown, *([wording.error_sentence(error)] if error else [])]


@pytest.mark.parametrize("where", POSITIONS)
@pytest.mark.parametrize("name", GRID)
def test_ends_verified_or_ready_to_go_on(
    setting: Setting, name: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download._Download, "_wait", _waiting_little(download._Download._wait))
    case, position = GRID[name], POSITIONS[where]
    _prepare(setting, case, position)
    error, sentences = _outcome(setting)
    assert _is_clean(setting)
    is_refused = case.refused is not None and not (position and name in _FINE_WITH_A_RANGE)
    if is_refused:
        assert isinstance(error, ChecksumMismatch), (error, sentences)
        assert error.why == case.refused
        assert not setting.place.blob.exists()
        assert not setting.place.snapshot.is_symlink()
    else:
        assert error is None, sentences
    if case.words and not _just_works(name, where):
        assert any(case.words in sentence for sentence in sentences), sentences
    setting.hub.faults.clear()
    again, _ = _outcome(setting)
    assert again is None, "offered again, it works"
    assert setting.is_installed()


def _just_works(name: str, where: str) -> bool:
    if where == "first":
        return name in _NEEDS_A_RANGE
    return name in _FINE_WITH_A_RANGE or (where == "last" and name in _FINE_AT_THE_LAST_BYTE)


def _waiting_little(wait: Any) -> Any:
    """What a server asks to wait is shown as asked, and then not waited for."""

    def wait_little(self: Any, part: Any, failure: Any, tries: int) -> None:
        class Short:
            def wait(self, seconds: float) -> bool:
                assert 0 <= seconds <= 3600
                return False

        real, self._cancel = self._cancel, Short()
        try:
            wait(self, part, failure, tries)
        finally:
            self._cancel = real

    return wait_little

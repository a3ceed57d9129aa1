"""Answers that no well-meaning server gives, byte by byte: what is not the file takes nothing away
from what is here, and what is the file is taken however it is wrapped.
"""

from __future__ import annotations

import gzip
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openshelf import wording
from openshelf.errors import OpenshelfError
from openshelf.hub import download
from openshelf.hub.body_head import asked_wait
from openshelf.hub.cache_layout import part_bytes
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import Setting, Watch, publish, some_bytes

SIZE, HERE = 300_000, 150_000
CONTENT = some_bytes(SIZE)
Answer = Callable[[Any], None]


@pytest.fixture
def setting(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setattr(download, "_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(download, "_LONGEST_WAIT_SECONDS", 0.05)
    return Setting(hub, publish(hub, CONTENT), tmp_path / "models")


def offset_of(handler: Any) -> int | None:
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    return int(asked[1]) if asked else None


def right_answer(handler: Any, *headers: str) -> None:
    offset = offset_of(handler)
    head = ["HTTP/1.1 200 OK" if offset is None else "HTTP/1.1 206 Partial Content"]
    if offset is not None:
        head.append(f"content-range: Bytes {offset}-{SIZE - 1}/{SIZE}")
    head += [f"Content-Length: {SIZE - (offset or 0)}", *headers, "", ""]
    handler.wfile.write("\r\n".join(head).encode("latin-1") + CONTENT[offset or 0 :])


def raw(*pieces: str | bytes) -> Answer:
    def answer(handler: Any) -> None:
        for piece in pieces:
            handler.wfile.write(piece if isinstance(piece, bytes) else piece.encode("latin-1"))

    return answer


def with_headers(*headers: str) -> Answer:
    return lambda handler: right_answer(handler, *headers)


def after(*pieces: str) -> Answer:
    """Something before the right answer, on the same connection."""

    def answer(handler: Any) -> None:
        raw(*pieces)(handler)
        right_answer(handler)

    return answer


def overlapping(handler: Any) -> None:
    start = max(0, (offset_of(handler) or 0) - 1000)
    head = f"HTTP/1.1 206 x\r\nContent-Range: bytes {start}-{SIZE - 1}/{SIZE}\r\n\r\n"
    handler.wfile.write(head.encode() + CONTENT[start:])


def followed_by_another(handler: Any) -> None:
    right_answer(handler)
    raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")(handler)


def reset_after_a_whole_head(handler: Any) -> None:
    raw(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")(handler)
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
NOT_A_HUB = "Something else answers"
TAKEN: dict[str, Answer] = {
    "early hints": after("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "processing": after("HTTP/1.1 102 Processing\r\n\r\n" * 5),
    "continue": after("HTTP/1.1 100 Continue\r\n\r\n"),
    "a carriage return in a header": with_headers("X-A: a\rb", "Set-Cookie: a=b"),
    "a line without a colon": with_headers("garbage", "Content-Type : text/html"),
    "an empty encoding": with_headers("Content-Encoding: "),
    "the identity encoding": with_headers("Content-Encoding: Identity", "X-A: \xff\0"),
    "a range that begins earlier": overlapping,
    "another answer behind it": followed_by_another,
}
REFUSED: dict[str, tuple[Answer, str]] = {
    "a message without a length": (
        raw("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nPlease log in"),
        NOT_A_HUB,
    ),
    "a message in chunks": (raw(f"{CHUNKED}\r\n5\r\nhello\r\n0\r\n\r\n"), NOT_A_HUB),
    "JSON": (raw(f"{CHUNKED}Content-Type: application/json\r\n\r\n2\r\n{{}}\r\n"), NOT_A_HUB),
    "chunks inside of gzip": (
        raw(CHUNKED.replace("chunked", "gzip, chunked"), "\r\n", gzip.compress(CONTENT)),
        NOT_A_HUB,
    ),
    "less than an empty chunk": (raw(f"{CHUNKED}\r\n-5\r\nabc"), "broke off"),
    "another protocol": (raw("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n"), "http_101"),
    "a network's login": (raw("HTTP/1.1 511 x\r\nContent-Length: 0\r\n\r\n"), NOT_A_HUB),
    "HTTP/0.9": (lambda handler: handler.wfile.write(CONTENT), "broke off"),
    "a megabyte of a header": (with_headers("X-A: " + "a" * 1_000_000), "broke off"),
    "416 and the right size": (
        raw(f"HTTP/1.1 416 x\r\nContent-Range: bytes */{SIZE}\r\nContent-Length: 0\r\n\r\n"),
        "http_416",
    ),
    "a reset after a whole head": (reset_after_a_whole_head, "broke off"),
    "a redirect with a bell": (raw("HTTP/1.1 302 x\r\nLocation: http://\x07/\r\n\r\n"), NOT_A_HUB),
    "a redirect to a long name": (
        raw(f"HTTP/1.1 302 x\r\nLocation: http://{'a' * 9000}.local/\r\n\r\n"),
        NOT_A_HUB,
    ),
}  # fmt: skip


@pytest.mark.parametrize("here", [0, HERE])
@pytest.mark.parametrize("name", TAKEN)
def test_is_the_file_all_the_same(setting: Setting, name: str, here: int) -> None:
    if here:
        setting.begin(here)
    setting.hub.faults.add("raw", answer=TAKEN[name])
    watch = Watch()
    setting.download(watch)
    assert watch.reasons == []
    assert len(setting.hub.bodies()) == 1
    assert setting.is_installed()


@pytest.mark.parametrize("damage", [0, 2, HERE - 1])
@pytest.mark.parametrize("fault", ["chunked", "no_length"])
def test_a_damaged_beginning_is_fetched_anew_without_a_length_too(
    setting: Setting, fault: str, damage: int
) -> None:
    setting.begin(HERE)
    here = bytearray(setting.place.part.read_bytes())
    here[damage:] = bytes(HERE - damage)
    setting.place.part.write_bytes(here)
    setting.hub.faults.add("ignore_range", count=9)
    setting.hub.faults.add(fault, count=9)
    watch = Watch()
    setting.download(watch)
    assert watch.reasons == []
    assert setting.is_installed()


def test_a_link_that_the_storage_does_not_understand_is_asked_for_anew(setting: Setting) -> None:
    setting.begin(HERE)
    setting.hub.faults.add("status", status=400)
    setting.download()
    heads = [entry for entry in setting.hub.requests if entry.method == "HEAD"]
    assert len(heads) == 2
    assert setting.is_installed()


@pytest.mark.parametrize("here", [0, HERE])
@pytest.mark.parametrize("name", REFUSED)
def test_takes_nothing_away(setting: Setting, name: str, here: int) -> None:
    answer, words = REFUSED[name]
    if here:
        setting.begin(here)
    setting.hub.faults.add("raw", answer=answer)
    watch = Watch()
    setting.download(watch)
    said = [wording.sentence(progress.reason) for progress in watch.seen if progress.reason]
    assert any(words in sentence for sentence in said), said
    assert all(sentence.isprintable() and len(sentence) < 200 for sentence in said)
    last = setting.hub.bodies()[-1]
    assert (last.range_start or 0) == (0 if "416" in name else here), "from where it stopped"
    assert setting.is_installed()


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("5", 5, 5),
        ("0005", 5, 5),
        ("9" * 5000, 3600, 3600),
        ("Wed, 21 Oct 1999 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 3600, 3600),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None, None),
        ("", None, None),
        ("-1", None, None),
        ("soon", None, None),
        ("\xb2", None, None),
    ],
)
def test_how_long_somebody_asks_to_wait(text: str, least: float | None, most: float | None) -> None:
    seconds = asked_wait(text)
    if least is None or most is None:
        assert seconds is None
    else:
        assert seconds is not None
        assert least <= seconds <= most


# What somebody did to the unfinished file between a kill and the next start.


def _link_out(setting: Setting) -> None:
    outside = setting.models.parent / "precious"
    outside.write_bytes(CONTENT[:1000])
    setting.place.part.unlink()
    setting.place.part.symlink_to(outside)


def _pipe(name: str) -> Callable[[Setting], None]:
    import os

    def make(setting: Setting) -> None:
        path: Path = getattr(setting.place, name)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return make


def _folder(name: str) -> Callable[[Setting], None]:
    def make(setting: Setting) -> None:
        path: Path = getattr(setting.place, name)
        path.unlink(missing_ok=True)
        path.mkdir(parents=True)
        (path / "mine").write_text("mine")

    return make


def _sidecar(content: bytes) -> Callable[[Setting], None]:
    def write(setting: Setting) -> None:
        setting.place.sidecar.write_bytes(content)

    return write


MEDDLING: dict[str, Callable[[Setting], None]] = {
    "a link that leads out": _link_out,
    "a pipe for the part": _pipe("part"),
    "a pipe for the sidecar": _pipe("sidecar"),
    "a pipe for the blob": _pipe("blob"),
    "a folder for the part": _folder("part"),
    "a folder for the sidecar": _folder("sidecar"),
    "a folder for the blob": _folder("blob"),
    "a folder for what is bad": _folder("bad"),
    "a deep sidecar": _sidecar(b"[" * 100_000),
    "a large sidecar": _sidecar(b'{"a": "' + b"x" * 5_000_000 + b'"}'),
}


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Windows has no such pipes and links")
@pytest.mark.parametrize("name", MEDDLING)
def test_what_lies_in_the_way_is_put_aside(setting: Setting, name: str) -> None:
    setting.begin(HERE)
    MEDDLING[name](setting)
    outside = {p: p.read_bytes() for p in setting.models.parent.iterdir() if p.is_file()}
    kept = HERE if ("blob" in name or "bad" in name) else 0
    assert part_bytes(setting.models, setting.file) == kept
    assert setting.download().resumed_from_bytes == kept
    assert setting.place.snapshot.read_bytes() == CONTENT
    assert setting.place.blob.is_file()
    assert not setting.place.blob.is_symlink()
    assert {p: p.read_bytes() for p in setting.models.parent.iterdir() if p.is_file()} == outside
    if "folder" in name:
        assert [path.read_text() for path in setting.models.rglob("mine")] == ["mine"]


def test_a_mark_for_others_is_no_reason_to_fail(setting: Setting) -> None:
    (setting.place.repo_folder / "refs" / "main").mkdir(parents=True)
    setting.download(job={"is_main": True})
    assert setting.is_installed()


def test_a_place_that_cannot_be_used_is_named(setting: Setting) -> None:
    _folder("snapshot")(setting)
    with pytest.raises(OpenshelfError) as error:
        setting.download()
    assert str(setting.place.snapshot) in wording.error_sentence(error.value)

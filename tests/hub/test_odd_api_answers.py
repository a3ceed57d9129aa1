"""The Hub's API as somebody who means harm, or a bad day, would answer it: one odd entry spoils no
list, nothing unfolds without end, and a sign-in page is nobody's license.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from openshelf.errors import NetworkFailure, OpenshelfError, RateLimited
from openshelf.hub import library_calls
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.conftest import MakeClient
from tests.hub.downloading import REPO, some_bytes

FILE = {"rfilename": "x-Q4_K_M.gguf", "size": 100, "blobId": "1"}
LFS = {"sha256": "b" * 64, "size": 100, "pointerSize": 135}
GOOD: dict[str, Any] = {
    "id": REPO, "sha": "a" * 40, "tags": [], "cardData": {"license": "mit"}, "likes": 1,
    "siblings": [{**FILE, "lfs": LFS}], "downloads": 5, "lastModified": "2026-11-01T10:00:00.000Z",
}  # fmt: skip
ODD: dict[str, dict[str, Any]] = {
    "a card with `self`": {"cardData": {"self": 1, "license": "mit"}},
    "a card with an option of the library": {"cardData": {"ignore_metadata_errors": 0}},
    "results that are none": {"cardData": {"eval_results": 5, "model-index": [{"name": 5}]}},
    "a card that is a list": {"cardData": [1]},
    "a time that is none": {"lastModified": "yesterday", "createdAt": 5},
    "a time too far away": {"lastModified": "99999-01-01T00:00:00.000Z"},
    "files that are none": {"siblings": [[], None, 5, {"size": 5}, {"rfilename": 5, "size": 5}]},
    "no files": {"siblings": 5},
    "tags that are none": {"tags": [1, None, {"a": 1}], "gguf": [1], "baseModels": [1]},
    "counts that are none": {"downloads": "many", "likes": float("nan"), "gated": {}},
    "other tables": {"safetensors": 5, "transformersInfo": 5, "evalResults": 5, "self": 5},
}


def answering(body: bytes | str, *headers: str, status: str = "200 OK") -> Callable[[Any], None]:
    content = body.encode() if isinstance(body, str) else body
    length = f"Content-Length: {len(content)}"
    head = [f"HTTP/1.1 {status}", length, "Connection: close", *headers, "", ""]

    def answer(handler: Any) -> None:
        handler.wfile.write("\r\n".join(head).encode("latin-1") + content)

    return answer


@pytest.mark.parametrize("name", ODD)
def test_one_odd_entry_spoils_no_list(hub: LoopbackHub, make_client: MakeClient, name: str) -> None:
    entries = [{**GOOD, **ODD[name], "id": "eve/Odd-GGUF"}, GOOD, {**GOOD, "id": 5}]
    client = make_client()
    hub.faults.add("raw", stage="api", answer=answering(json.dumps(entries)), count=2)
    hits = client.search("x")
    assert [hit.repo for hit in hits] == ["eve/Odd-GGUF", REPO]
    assert hits[1].license is None
    assert [listed.repo for listed in client.newest_of("eve")] == ["eve/Odd-GGUF", REPO]
    hub.faults.add("raw", stage="api", answer=answering(json.dumps(entries[0])))
    assert client.repo("eve/Odd-GGUF").id == "eve/Odd-GGUF"


@pytest.mark.parametrize(
    ("lfs", "size", "sha256"),
    [
        ({**LFS, "sha256": None}, 100, None),
        ({**LFS, "sha256": "../../x"}, 100, None),
        ({**LFS, "sha256": "B" * 64}, 100, "b" * 64),
        ({"sha256": "b" * 64, "size": 100}, 100, "b" * 64),
        ({**LFS, "size": -1}, None, None),
        ({**LFS, "size": 1.5}, None, None),
        ({**LFS, "size": True}, None, None),
        ({**LFS, "size": 2**70}, None, None),
        ("x", 100, None),
    ],
)
def test_sizes_and_hashes_are_what_they_should_be(
    hub: LoopbackHub, make_client: MakeClient, lfs: Any, size: int | None, sha256: str | None
) -> None:
    entry = {**GOOD, "siblings": [{**FILE, "lfs": lfs}]}
    hub.faults.add("raw", stage="api", answer=answering(json.dumps(entry)))
    files = make_client().repo(REPO).files
    assert [(file.size_bytes, file.sha256) for file in files] == ([(size, sha256)] if size else [])


BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
BOMB_BYTES = b"".join(BOMB.compress(b" " * 1_000_000) for _ in range(200)) + BOMB.flush()
NOT_A_HUB: dict[str, Callable[[Any], None]] = {
    "null": answering("null"),
    "text": answering('"x"'),
    "nothing": answering(""),
    "half": answering(json.dumps(GOOD)[:-20]),
    "Latin 1": answering(json.dumps({**GOOD, "author": "é"}, ensure_ascii=False).encode("latin-1")),
    "deep": answering("[" * 200_000),
    "a number of 10,000 digits": answering('{"id":' + "9" * 10_000 + "}"),
    "no commit": answering(json.dumps({**GOOD, "sha": None})),
    "a login": answering("{}", status="511 Network Authentication Required"),
    "a bomb": answering(BOMB_BYTES, "Content-Encoding: gzip"),
    "no gzip": answering("nonsense", "Content-Encoding: gzip"),
    "another packing": answering("nonsense", "Content-Encoding: br"),
    "packed forty times": answering(gzip.compress(b"{}"), "Content-Encoding: " + "gzip," * 40),
    "a file": answering("", "Location: file:///etc/passwd", status="302 x"),
    "a data address": answering("", "Location: data:text/plain,x", status="302 x"),
    "a bell": answering("", "Location: http://a\x07b/", status="302 x"),
    "no port": answering("", "Location: http://x:999999/", status="302 x"),
}


@pytest.mark.parametrize("name", NOT_A_HUB)
def test_what_is_no_hub_is_said_at_once(
    hub: LoopbackHub, make_client: MakeClient, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    client, started = make_client(), time.monotonic()
    for ask in (lambda: client.search("x"), lambda: client.repo(REPO)):
        hub.faults.add("raw", stage="api", answer=NOT_A_HUB[name])
        with pytest.raises(NetworkFailure) as error:
            ask()
        assert (error.value.why, error.value.host) == ("not_a_hub", client.options.host)
    assert time.monotonic() - started < 10, "without the library's patience"
    assert capfd.readouterr() == ("", ""), "the library is silent"


def test_packed_answers_that_were_not_asked_for_are_read(
    hub: LoopbackHub, make_client: MakeClient
) -> None:
    packed = gzip.compress(json.dumps(GOOD).encode())
    hub.faults.add("raw", stage="api", answer=answering(packed, "Content-Encoding: gzip"))
    assert make_client().repo(REPO).commit == "a" * 40


def test_pages_without_end_end(
    hub: LoopbackHub, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_calls, "_MOST_REQUESTS", 5)
    link = f'Link: <{hub.endpoint}/api/models?cursor=1>; rel="next"'
    hub.faults.add("raw", stage="api", answer=answering("[]", link), count=1000)
    with pytest.raises(NetworkFailure) as error:
        make_client().search("x")
    assert error.value.detail == "pages without end"
    assert len(hub.requests) == 5


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answering("<html>Sign in</html>", "Content-Type: text/html"), "not_a_hub"),
        (answering("Sign in", status="203 Non-Authoritative"), "http_203"),
        (answering("", status="204 No Content"), "http_204"),
        (answering('{"error": "x"}', status="300 x"), "http_300"),
    ],
)
def test_a_page_is_nobodys_license(
    hub: LoopbackHub, make_client: MakeClient, answer: Callable[[Any], None], why: str
) -> None:
    files = {"x-Q4_K_M.gguf": some_bytes(1000), "LICENSE": b"MIT License"}
    repo = hub.add_repo(REPO, files, card={"license": "mit"})
    hub.faults.add("raw", stage="resolve", answer=answer)
    client = make_client()
    with pytest.raises(NetworkFailure) as error:
        client.read_text(REPO, repo.head, "LICENSE", 1000)
    assert error.value.why == why
    assert client.read_text(REPO, repo.head, "LICENSE", 1000) == "MIT License"


def test_a_date_says_how_long_to_wait(hub: LoopbackHub, make_client: MakeClient) -> None:
    later = answering("{}", "Retry-After: Wed, 21 Oct 2099 07:28:00 GMT", status="429 x")
    hub.faults.add("raw", stage="api", answer=later)
    with pytest.raises(RateLimited) as error:
        make_client().repo(REPO)
    assert error.value.retry_after_seconds == 3600


def test_what_was_kept_of_a_repository_is_looked_at_as_well(
    hub: LoopbackHub, make_client: MakeClient, tmp_path: Any
) -> None:
    repo = hub.add_repo(REPO, {"x-Q4_K_M.gguf": some_bytes(1000)}, card={"license": "mit"})
    client = make_client(cache_folder=tmp_path)
    first = client.repo(REPO)
    kept = next(tmp_path.rglob("*.json"))
    good = json.loads(kept.read_bytes())
    for wrong in (
        "[" * 100_000,
        json.dumps({**good, "files": [{"path": 5, "size_bytes": "x", "sha256": None}]}),
        json.dumps({**good, "id": "../../x"}),
        json.dumps({**good, "card": 5}),
    ):
        kept.write_text(wrong)
        assert client.repo(REPO, repo.head) == first


def test_what_cannot_be_an_answer_is_an_error_of_ours(
    hub: LoopbackHub, make_client: MakeClient
) -> None:
    hub.faults.add("raw", stage="api", answer=answering(json.dumps({"error": "x"})))
    with pytest.raises(OpenshelfError):
        make_client().search("x")

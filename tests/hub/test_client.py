"""The real huggingface_hub against the loopback Hub: what is asked, what comes back, all errors."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openshelf.errors import (
    GatedModel,
    NetworkFailure,
    NotFound,
    Offline,
    RateLimited,
    UnsafeName,
    UsageError,
)
from openshelf.hub.client import HubClient
from openshelf.hub.entries import DownloadFile, RepoFile
from openshelf.network import EgressLog, NetworkOptions
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.conftest import MakeClient

GGUF = b"GGUF" + bytes(range(256)) * 40
REPO = "ada/Small-GGUF"
TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def small(hub: LoopbackHub) -> str:
    """A repository with a model, a card and a license; returns its commit."""
    repo = hub.add_repo(
        REPO,
        {"Small-Q4_K_M.gguf": GGUF, "README.md": b"# Small", "LICENSE": b"MIT License"},
        card={"license": "mit", "base_model": "ada/Small", "license_link": "x"},
        downloads=7,
    )
    return repo.head


def file_of(hub: LoopbackHub, path: str = "Small-Q4_K_M.gguf") -> DownloadFile:
    repo = hub.repos[REPO.casefold()]
    file = repo.commits[repo.head][path]
    return DownloadFile(REPO, repo.head, path, file.size, file.sha256)


def test_search_asks_once_and_pages(hub: LoopbackHub, small: str, make_client: MakeClient) -> None:
    for number in range(4):
        hub.add_repo(f"bob/Small-{number}-GGUF", {"m.gguf": b"x"}, downloads=number)
    hub.add_repo("bob/Small-safetensors", {"m.safetensors": b"x"}, downloads=99)
    hub.page_size = 2
    hits = make_client().search("small", limit=3)
    assert [hit.repo for hit in hits] == [REPO, "bob/Small-3-GGUF", "bob/Small-2-GGUF"]
    assert (hits[0].license, hits[0].downloads, hits[0].gated) == ("mit", 7, False)
    assert len(hub.requests) == 2


def test_repo_is_one_request_with_sizes_and_hashes(
    hub: LoopbackHub, small: str, make_client: MakeClient
) -> None:
    repo = make_client().repo(REPO)
    assert repo.commit == small
    assert repo.card["license"] == "mit"
    assert repo.card["license_link"] == "x"
    assert repo.base_models == (("quantized", "ada/Small"),)
    expected = file_of(hub)
    assert RepoFile(expected.path, expected.size_bytes, expected.sha256) in repo.files
    assert {file.path: file.sha256 for file in repo.files}["LICENSE"] is None
    assert len(hub.requests) == 1, "and none for a user agent's telemetry"
    assert "openshelf/" in (hub.requests[0].header("user-agent") or "")


def test_known_commit_is_not_asked_for_again(
    hub: LoopbackHub, small: str, make_client: MakeClient, tmp_path: Path
) -> None:
    client = make_client(cache_folder=tmp_path)
    first = client.repo(REPO)
    asked = len(hub.requests)
    assert client.repo(REPO, first.commit) == first
    assert len(hub.requests) == asked
    cache = next(tmp_path.rglob("*.json"))
    cache.write_text("{")
    assert client.repo(REPO, first.commit) == first, "a damaged cache is only slower"


def test_head_finds_the_other_origin(hub: LoopbackHub, small: str, make_client: MakeClient) -> None:
    file = file_of(hub)
    location = make_client().locate(file)
    assert location.url.startswith(hub.cdn_endpoint)
    assert (location.size_bytes, location.etag) == (file.size_bytes, file.sha256)
    assert location.commit == small
    assert "secret" not in repr(location)
    assert hub.bodies() == [], "the redirect to the storage is not followed"


def test_text_is_read_up_to_its_limit(
    hub: LoopbackHub, small: str, make_client: MakeClient
) -> None:
    client = make_client()
    assert client.read_text(REPO, small, "LICENSE", 1000) == "MIT License"
    assert client.read_text(REPO, small, "LICENSE", 3) == "MIT"
    with pytest.raises(NotFound) as error:
        client.read_text(REPO, small, "NOTICE", 1000)
    assert error.value.what == "file"


def test_token_goes_to_the_hub_alone(hub: LoopbackHub, small: str, make_client: MakeClient) -> None:
    hub.tokens.add(TOKEN)
    client = make_client(token=TOKEN)
    client.repo(REPO)
    assert hub.requests[-1].header("authorization") == f"Bearer {TOKEN}"
    assert TOKEN not in repr(client.options)
    with LoopbackHub() as other:
        other.add_repo(REPO, {"a.gguf": b"x"})
        moved = {"Location": f"{other.endpoint}/api/models/{REPO}"}
        hub.faults.add("status", stage="api", status=307, headers=moved)
        client.repo(REPO)
        assert other.requests[-1].header("authorization") is None


@pytest.mark.parametrize("token", [None, TOKEN])
def test_gated_files(hub: LoopbackHub, make_client: MakeClient, token: str | None) -> None:
    hub.tokens.add(TOKEN)
    hub.add_repo(REPO, {"Small-Q4_K_M.gguf": GGUF}, gated="manual", access={"hf_other"})
    client = make_client(token=token)
    assert client.repo(REPO).gated, "the card is open, the files are not"
    with pytest.raises(GatedModel) as error:
        client.locate(file_of(hub))
    assert error.value.url == f"{hub.endpoint}/{REPO}"


def test_gated_file_with_access(hub: LoopbackHub, make_client: MakeClient) -> None:
    hub.tokens.add(TOKEN)
    hub.add_repo(REPO, {"Small-Q4_K_M.gguf": GGUF}, gated="auto", access={TOKEN})
    assert make_client(token=TOKEN).locate(file_of(hub)).size_bytes == len(GGUF)


def test_missing_and_private_cannot_be_told_apart(
    hub: LoopbackHub, make_client: MakeClient
) -> None:
    hub.add_repo("ada/Secret", {"a.gguf": b"x"}, private=True, access={TOKEN})
    for name in ("ada/Secret", "ada/Nothing"):
        with pytest.raises(NotFound) as error:
            make_client().repo(name)
        assert (error.value.what, error.value.name) == ("model", name)
    hub.tokens.add(TOKEN)
    assert make_client(token=TOKEN).repo("ada/Secret").files
    with pytest.raises(NotFound):
        make_client().repo("ada/Secret", "0" * 40)


def test_disabled_repository(hub: LoopbackHub, make_client: MakeClient) -> None:
    hub.add_repo(REPO, {"a.gguf": b"x"}, disabled=True)
    with pytest.raises(NetworkFailure, match="disabled"):
        make_client().repo(REPO)


def test_wrong_token_is_said(hub: LoopbackHub, small: str, make_client: MakeClient) -> None:
    with pytest.raises(NetworkFailure) as error:
        make_client(token="hf_wrong").repo(REPO)
    assert error.value.why == "bad_token"


@pytest.mark.parametrize("call", ["search", "repo", "locate"])
def test_429_is_told_at_once_with_its_waiting_time(
    hub: LoopbackHub, small: str, make_client: MakeClient, call: str
) -> None:
    headers = {
        "RateLimit": '"api";r=0;t=55',
        "RateLimit-Policy": '"fixed window";"api";q=500;w=300',
    }
    for stage in ("api", "head"):
        hub.faults.add("status", stage=stage, status=429, headers=headers, count=9)
    client = make_client()
    calls = {
        "search": lambda: client.search("x"),
        "repo": lambda: client.repo(REPO),
        "locate": lambda: client.locate(file_of(hub)),
    }
    started = time.monotonic()
    with pytest.raises(RateLimited) as error:
        calls[call]()
    assert error.value.retry_after_seconds == 55
    assert time.monotonic() - started < 3
    assert len(hub.requests) == 1


@pytest.mark.parametrize("call", ["search", "repo", "locate"])
def test_a_silent_server_ends_in_time(
    hub: LoopbackHub, small: str, make_client: MakeClient, call: str
) -> None:
    for stage in ("api", "head"):
        hub.faults.add("hang", stage=stage, count=9)
    client = make_client(read_timeout_seconds=0.3)
    calls = {
        "search": lambda: client.search("x"),
        "repo": lambda: client.repo(REPO),
        "locate": lambda: client.locate(file_of(hub)),
    }
    started = time.monotonic()
    with pytest.raises(NetworkFailure) as error:
        calls[call]()
    assert error.value.why == "timeout"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("call", ["search", "repo", "locate"])
def test_captive_portal(hub: LoopbackHub, small: str, make_client: MakeClient, call: str) -> None:
    for stage in ("api", "head"):
        hub.faults.add("html", stage=stage)
    client = make_client()
    calls = {
        "search": lambda: client.search("x"),
        "repo": lambda: client.repo(REPO),
        "locate": lambda: client.locate(file_of(hub)),
    }
    with pytest.raises(NetworkFailure) as error:
        calls[call]()
    assert error.value.why == "not_a_hub"


def test_server_error_and_dead_host(hub: LoopbackHub, small: str, make_client: MakeClient) -> None:
    hub.faults.add("status", stage="api", status=502)
    with pytest.raises(NetworkFailure) as error:
        make_client().search("x")
    assert error.value.why == "http_502"
    dead = HubClient(NetworkOptions(endpoint="http://127.0.0.1:9"))
    with pytest.raises(NetworkFailure) as error:
        dead.search("x")
    assert error.value.why == "refused"
    dead.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"[]", b"{}", b"null", b'{"id": 5}', b'{"id": "../../etc"}',
        b'{"id": "a/b", "siblings": 3}',
        b'{"id": "a/b", "siblings": [{"lfs": {}}]}', b'{"id": "a/b", "cardData": {"self": 1}}',
        b'{"id":"a/b","sha":"main"}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_answers_from_hell(
    hub: LoopbackHub, make_client: MakeClient, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes.hub.handlers import HubHandler

    monkeypatch.setattr(
        HubHandler, "respond", lambda self, url: self.send(200, {}, answer), raising=True
    )
    with pytest.raises((NetworkFailure, UnsafeName)):
        make_client().repo("a/b")


def test_offline_sends_nothing(small: str) -> None:
    client = HubClient(NetworkOptions(offline=True))
    with pytest.raises(Offline) as error:
        client.repo(REPO)
    assert error.value.host == "huggingface.co"


def test_offline_leaves_loopback_open_but_no_redirect_out(
    hub: LoopbackHub, small: str, make_client: MakeClient
) -> None:
    client = make_client(offline=True)
    assert client.repo(REPO).files
    moved = {"Location": "http://10.1.2.3/api/models/ada/Small-GGUF"}
    hub.faults.add("status", stage="api", status=307, headers=moved)
    with pytest.raises(Offline) as error:
        client.repo(REPO)
    assert error.value.host == "10.1.2.3"


@pytest.mark.parametrize("endpoint", ["ftp://x", "huggingface.co", "http://", "http://a:b@c"])
def test_endpoint_that_cannot_be_one(endpoint: str) -> None:
    with pytest.raises(UsageError):
        HubClient(NetworkOptions(endpoint=endpoint)).search("x")


def test_egress_log_names_host_purpose_and_bytes(
    hub: LoopbackHub, small: str, make_client: MakeClient
) -> None:
    egress = EgressLog()
    make_client(egress=egress).repo(REPO)
    (entry,) = egress.entries()
    assert entry.host in hub.endpoint
    assert entry.purpose == "model details"
    assert entry.received_bytes > 100


def test_who_still_holds_a_client_sends_nothing_once_the_switch_is_on() -> None:
    client = HubClient(NetworkOptions(endpoint="https://hub.example"))
    client.shut()
    with pytest.raises(Offline):
        client.repo("ada/Small-GGUF")
    client.close()

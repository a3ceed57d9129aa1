"""Headers read from the loopback Hub by ranges: what is asked for, what goes wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from openshelf.errors import (
    CancelledByUser,
    CorruptModel,
    GatedModel,
    NetworkFailure,
    NotFound,
    Offline,
    OpenshelfError,
    RateLimited,
)
from openshelf.fit.shapes import shape_from_header
from openshelf.gguf.header import read_header
from openshelf.hub import headers
from openshelf.hub.entries import DownloadFile
from openshelf.hub.headers import FetchedHeader, fetch_header
from openshelf.network import EgressLog
from openshelf.tasks import CancelToken
from tests.fakes.hub.loopback import LoopbackHub
from tests.gguf.builder import STRING, U16, Build, Tensor, model_keys
from tests.gguf.vocabulary import write_model
from tests.hub.conftest import MakeClient

REPO = "ada/Eight-GGUF"
TOKEN = "hf_abcdefghijklmnop"
FILE = "Eight-Q4_K_M.gguf"
N_TOKENS = 30_000

Fetch = Callable[..., FetchedHeader]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / FILE
    return write_model(path, N_TOKENS, n_layers=2, n_embd=512)


def files_of(hub: LoopbackHub) -> list[DownloadFile]:
    repo = hub.repos[REPO.casefold()]
    return [
        DownloadFile(REPO, repo.head, path, file.size, file.sha256)
        for path, file in sorted(repo.commits[repo.head].items())
    ]


@pytest.fixture
def fetch(hub: LoopbackHub, make_client: MakeClient) -> Fetch:
    def run(
        cache: Path | None = None, cancel: CancelToken | None = None, **options: object
    ) -> FetchedHeader:
        client = make_client(**options)
        return fetch_header(client, files_of(hub), cancel or CancelToken(), cache)

    return run


def test_little_more_than_the_header_is_asked_for(
    hub: LoopbackHub, model: Path, fetch: Fetch
) -> None:
    hub.add_repo(REPO, {FILE: model})
    egress = EgressLog()
    found = fetch(egress=egress)
    local = read_header(model)
    assert found.header == local
    assert found.bytes_fetched == hub.sent_bytes
    assert found.bytes_fetched <= local.header_bytes * 1.25 + (256 << 10)
    ranges = [request.range_start for request in hub.bodies()]
    assert ranges == sorted(set(ranges)), "no byte is asked for twice"
    told = [entry for entry in egress.entries() if entry.purpose == headers.PURPOSE]
    assert sum(entry.received_bytes for entry in told) == found.bytes_fetched


def test_a_vocabulary_in_front_makes_no_difference(
    hub: LoopbackHub, tmp_path: Path, fetch: Fetch
) -> None:
    path = write_model(tmp_path / FILE, N_TOKENS, n_layers=2, n_embd=512, keeps_order=False)
    hub.add_repo(REPO, {FILE: path})
    assert fetch().header == read_header(path)


def test_what_was_read_is_kept(hub: LoopbackHub, model: Path, tmp_path: Path, fetch: Fetch) -> None:
    hub.add_repo(REPO, {FILE: model})
    first = fetch(tmp_path)
    asked = len(hub.requests)
    again = fetch(tmp_path)
    assert again.bytes_fetched == 0
    assert len(hub.requests) == asked
    assert shape_from_header(again.header) == shape_from_header(first.header)
    (kept,) = tmp_path.rglob("*.header")
    assert kept.stat().st_size < 100_000, "no vocabulary is kept"
    for broken in (b"", b"{}\n", kept.read_bytes()[:200], b'{"format": 1, "size": 9}\nGGUF'):
        kept.write_bytes(broken)
        assert fetch(tmp_path).header == first.header, "read again"


def test_the_oldest_are_given_up(
    hub: LoopbackHub, tmp_path: Path, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "MOST_KEPT", 3)
    for number in range(5):
        hub.add_repo(REPO, {f"{number}.gguf": Build().bytes() + bytes(number)})
        fetch(tmp_path)
    assert len(list(tmp_path.rglob("*.header"))) == 3


def shard(number: int, count: int, names: tuple[str, ...], tensors: int) -> bytes:
    split = {"split.no": (U16, number), "split.count": (U16, count)}
    split["split.tensors.count"] = (5, tensors)
    keys = model_keys() | split if number == 0 else split
    return Build(keys=keys, tensors=[Tensor(name) for name in names]).bytes()


def test_shards_are_one_model(hub: LoopbackHub, fetch: Fetch) -> None:
    hub.add_repo(
        REPO,
        {
            "m-00001-of-00002.gguf": shard(0, 2, ("token_embd.weight", "output_norm.weight"), 3),
            "m-00002-of-00002.gguf": shard(1, 2, ("blk.0.attn_q.weight",), 3),
        },
    )
    header = fetch().header
    assert [tensor.name for tensor in header.tensors][-1] == "blk.0.attn_q.weight"
    assert header.architecture == "llama"
    assert header.file_bytes == sum(file.size_bytes for file in files_of(hub))


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (shard(0, 2, ("blk.0.attn_q.weight",), 3), "shard"),
        (shard(1, 2, ("token_embd.weight",), 3), "duplicate_tensor"),
        (shard(1, 2, ("blk.0.attn_q.weight", "blk.0.attn_k.weight"), 3), "shard"),
    ],
)
def test_shards_that_are_of_no_one_model(
    hub: LoopbackHub, fetch: Fetch, second: bytes, why: str
) -> None:
    first = shard(0, 2, ("token_embd.weight", "output_norm.weight"), 3)
    hub.add_repo(REPO, {"m-00001-of-00002.gguf": first, "m-00002-of-00002.gguf": second})
    with pytest.raises(CorruptModel) as failure:
        fetch()
    assert failure.value.why == why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>" + b"x" * 5000, "not_a_model"),
        (Build(key_count=1 << 60).bytes(), "key_count"),
        (Build(tensor_count=1 << 60).bytes(), "tensor_count"),
        (Build(keys=model_keys() | {"llama.block_count": (4, 600)}).bytes(), "block_count"),
        (
            Build(extra_keys=struct.pack("<Q", 1 << 62), extra_key_count=1).bytes(),
            "string_too_long",
        ),
        (Build(keys=model_keys() | {"general.name": (STRING, "x")}, version=9).bytes(), "version"),
        (Build().bytes()[:300], "truncated"),
    ],
)
def test_hostile_headers_are_named(
    hub: LoopbackHub, fetch: Fetch, content: bytes, why: str
) -> None:
    hub.add_repo(REPO, {FILE: content})
    with pytest.raises(CorruptModel) as failure:
        fetch()
    assert failure.value.why == why
    assert hub.sent_bytes <= 512 << 10


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut", "after_bytes": 1000},
        {"kind": "reset", "after_bytes": 70_000},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 500, "count": 3},
        {"kind": "ignore_range", "skip": 1},
        {"kind": "ignore_range"},
    ],
)
def test_what_fails_on_the_way_is_tried_again(
    hub: LoopbackHub, model: Path, fetch: Fetch, fault: dict[str, object]
) -> None:
    hub.add_repo(REPO, {FILE: model})
    hub.faults.add(**fault)  # type: ignore[arg-type]
    assert fetch().header == read_header(model)


def test_a_trickle_is_not_waited_for(
    hub: LoopbackHub, model: Path, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(headers, "_TRIES", 1)
    hub.add_repo(REPO, {FILE: model})
    hub.faults.add("slow", bytes_per_second=100, count=9)
    with pytest.raises(NetworkFailure) as failure:
        fetch()
    assert failure.value.why == "timeout"


def test_more_parts_than_any_model_has(
    hub: LoopbackHub, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shard(0, 2, ("token_embd.weight",), 2)
    second = shard(1, 2, ("output_norm.weight",), 2)
    hub.add_repo(REPO, {"m-00001-of-00002.gguf": first, "m-00002-of-00002.gguf": second})
    monkeypatch.setattr(headers, "MOST_BYTES", 100)
    with pytest.raises(CorruptModel) as failure:
        fetch()
    assert failure.value.why == "header_too_large"
    monkeypatch.setattr(headers, "MOST_SHARDS", 1)
    with pytest.raises(CorruptModel) as failure:
        fetch()
    assert failure.value.why == "shard"


def test_an_expired_link_is_renewed(hub: LoopbackHub, model: Path, fetch: Fetch) -> None:
    hub.add_repo(REPO, {FILE: model})
    hub.faults.add("status", status=403, skip=1)
    assert fetch().header == read_header(model)
    assert [request.method for request in hub.requests].count("HEAD") == 2


def test_a_wrong_size_is_refused(hub: LoopbackHub, model: Path, fetch: Fetch) -> None:
    hub.add_repo(REPO, {FILE: model})
    hub.faults.add("size", stage="head", count=9)
    with pytest.raises((CorruptModel, NetworkFailure)):
        fetch()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "status", "status": 429, "headers": {"retry-after": "7"}}, RateLimited),
        ({"kind": "status", "status": 503, "count": 99}, NetworkFailure),
        ({"kind": "html", "count": 99}, NetworkFailure),
    ],
)
def test_failures_are_told_apart(
    hub: LoopbackHub,
    model: Path,
    fetch: Fetch,
    fault: dict[str, object],
    expected: type[OpenshelfError],
) -> None:
    hub.add_repo(REPO, {FILE: model})
    hub.faults.add(**fault)  # type: ignore[arg-type]
    with pytest.raises(expected):
        fetch()


def test_closed_doors(hub: LoopbackHub, model: Path, fetch: Fetch, make_client: MakeClient) -> None:
    hub.add_repo(REPO, {FILE: model}, gated="auto")
    with pytest.raises(GatedModel):
        fetch()
    gone = [DownloadFile(REPO, files_of(hub)[0].commit, "gone.gguf", 1000, "0" * 64)]
    hub.add_repo(REPO, {FILE: model})
    with pytest.raises(NotFound):
        fetch_header(make_client(), gone, CancelToken())
    with pytest.raises(Offline):
        fetch(endpoint="https://hub.example", offline=True)


def test_no_token_reaches_the_storage(hub: LoopbackHub, model: Path, fetch: Fetch) -> None:
    hub.tokens.add(TOKEN)
    hub.add_repo(REPO, {FILE: model}, gated="auto", access={TOKEN})
    fetch(token=TOKEN)
    assert hub.bodies()
    assert all(request.header("authorization") is None for request in hub.bodies())


def test_cancelling_ends_it(hub: LoopbackHub, model: Path, fetch: Fetch) -> None:
    hub.add_repo(REPO, {FILE: model})
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledByUser):
        fetch(cancel=cancel)
    assert not hub.bodies()

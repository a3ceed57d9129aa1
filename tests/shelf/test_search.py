"""A search over the catalog and the loopback Hub: one kind of rows, whatever the Hub does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from openshelf.catalog.entries import CatalogModel
from openshelf.catalog.loader import load_catalog
from openshelf.hardware.facts import Machine
from openshelf.hardware.profiles import find_machine
from openshelf.hub.client import HubClient
from openshelf.licenses.claims import RepoClaims
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.network import NetworkOptions
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.policy.verdict import Decision
from openshelf.shelf.builder import build_shelf
from openshelf.shelf.decisions import CatalogDecisions, commercial_use
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.shelf.search import (
    HubRow,
    Search,
    SearchAnswer,
    SearchQuestion,
    words_for_hub,
)
from openshelf.tasks import CancelToken
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.services import FakeRecords

MACHINE = find_machine("RTX 4060 8 GB + 32 GB")
CATALOG = load_catalog()
DECISIONS = CatalogDecisions(CATALOG, Gate(load_licenses(), Policy(), FakeRecords()))
QWEN_14B = 14_768_307_200
STRANGER = {
    "card": {"license": "mit"},
    "gguf": {"total": 8_000_000_000, "architecture": "zeta", "context_length": 4096},
}


def parts() -> ShelfParts:
    licenses = load_licenses()
    return ShelfParts(DECISIONS.decide, commercial_use=lambda d: commercial_use(d, licenses))


def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
    return build_shelf(machine, question, CATALOG, parts())


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


class Searcher:
    def __init__(self, hub: LoopbackHub, **options: Any) -> None:
        wanted = {"endpoint": hub.endpoint, "read_timeout_seconds": 5.0, **options}
        self.client = HubClient(NetworkOptions(**wanted))
        self.search = Search(
            lambda: self.client, lambda: CATALOG, parts, shelf, DECISIONS.decide_claims
        )

    def __call__(self, text: str, **question: Any) -> SearchAnswer:
        asked = SearchQuestion(text, ShelfQuestion(**question))
        return self.search.find(MACHINE, asked, CancelToken())


@pytest.fixture
def make_search(hub: LoopbackHub) -> Iterator[type[Searcher]]:
    made: list[Searcher] = []

    def make(**options: Any) -> Searcher:
        made.append(Searcher(hub, **options))
        return made[-1]

    yield make  # type: ignore[misc]
    for searcher in made:
        searcher.client.close()


def only(answer: SearchAnswer) -> HubRow:
    (row,) = answer.hub
    return row


def test_catalog_and_hub_have_the_same_rows(hub: LoopbackHub, make_search: Any) -> None:
    files = {"Zeta-Qwen3-8B-Q4_K_M.gguf": b"x", "Zeta-Qwen3-8B-Q8_0.gguf": b"x"}
    hub.add_repo("eve/Zeta-Qwen3-8B-GGUF", files, downloads=77, **STRANGER)
    answer = make_search()("qwen3")
    assert len(hub.requests) == 1
    told = json.loads(json.dumps(answer.as_json()))
    (row,), known = told["hub"], next(r for r in told["families"] if r["family"] == "Qwen3")
    assert set(known) <= set(row)
    assert (row["repo"], row["in_catalog"], row["downloads"]) == (
        "eve/Zeta-Qwen3-8B-GGUF", False, 77,
    )  # fmt: skip
    best = row["recommended"] or row["nearest"]
    assert set(best) == set(known["recommended"])
    assert best["license"]["verdict"] in ("allowed", "allowed_with_obligations")
    assert best["target"] == "eve/Zeta-Qwen3-8B-GGUF:Q8_0" or best["quant"] == "Q4_K_M"
    assert best["size_is_expected"]


def test_a_size_that_was_typed_is_the_one_that_is_told(make_search: Any) -> None:
    (row,) = make_search()("ministral 8b").shelf.rows
    assert row.shown is not None
    assert row.shown.variant.model.id == "ministral-3-8b-instruct-2512"
    assert len(row.family.models) > 1


def test_families_of_that_name_come_first(make_search: Any) -> None:
    rows = make_search()("llama").shelf.rows
    names = [row.family.name for row in rows]
    assert names.index("Nemotron") > names.index("Llama 4") > names.index("Llama 3.2")
    shown = [row.shown.variant.model.name for row in rows if row.shown is not None]
    assert all("llama" in name.casefold() for name in shown)


def test_a_packagers_repository_is_the_catalogs_model(hub: LoopbackHub, make_search: Any) -> None:
    card = {"base_model": "Qwen/Qwen3-14B", "license": "apache-2.0"}
    gguf = {"total": QWEN_14B, "architecture": "qwen3"}
    files = {"q.i1-Q4_K_M.gguf": b"x", "q.i1-Q3_K_M.gguf": b"x"}
    hub.add_repo("mradermacher/Qwen3-14B-i1-GGUF", files, card=card, gguf=gguf)
    row = only(make_search()("qwen3-14b"))
    assert row.is_known
    assert row.row.family.name == "Qwen3"
    shown = row.row.shown
    assert shown is not None
    assert (shown.variant.model.name, shown.variant.repo) == ("Qwen3 14B", row.repo)
    assert shown.fit.known_architecture
    assert shown.variant.size_bytes > 7e9


def test_a_fine_tune_has_its_bases_shape_and_its_own_name(
    hub: LoopbackHub, make_search: Any
) -> None:
    card = {"base_model": "Qwen/Qwen3-14B", "license": "cc-by-nc-4.0"}
    gguf = {"total": QWEN_14B, "architecture": "qwen3"}
    hub.add_repo("eve/Wild-14B-GGUF", {"w-Q4_K_M.gguf": b"x"}, card=card, gguf=gguf)
    row = only(make_search()("wild"))
    assert not row.is_known
    shown = row.row.shown
    assert shown is not None
    assert shown.variant.model.name == "eve/Wild-14B-GGUF"
    assert shown.fit.known_architecture, "the counts agree with the base's"
    assert {"cc-by-nc-4.0", "apache-2.0"} <= set(shown.decision.license.effective)
    assert not make_search()("wild", use="commercial").hub


def test_a_stranger_gets_an_upper_bound(hub: LoopbackHub, make_search: Any) -> None:
    hub.add_repo("eve/Zeta-GGUF", {"z-Q4_K_M.gguf": b"x"}, **STRANGER)
    shown = only(make_search()("zeta")).row.shown
    assert shown is not None
    assert not shown.fit.known_architecture
    codes = [reason.code for reason in shown.reasons]
    assert "fit_upper_bound" in codes
    assert codes[-1] == "search_not_reviewed"
    caches = sum(device.kv_cache_bytes for device in shown.fit.devices)
    assert caches > 4096 * 2 * 32 * 4096 * 2, "more than a plain model of 8B needs"


def test_nothing_told_is_nothing_claimed(hub: LoopbackHub, make_search: Any) -> None:
    hub.add_repo("eve/Mystery-GGUF", {"m-Q4_K_M.gguf": b"x"}, card={})
    row = only(make_search()("mystery")).row
    assert row.shown is None
    assert row.note is not None
    assert row.note.code == "shelf_no_size_known"


def test_what_turns_text_into_vectors_is_not_offered_for_chat(
    hub: LoopbackHub, make_search: Any
) -> None:
    facts = {**STRANGER, "card": {"license": "mit", "pipeline_tag": "feature-extraction"}}
    hub.add_repo("eve/Embed-GGUF", {"e-Q8_0.gguf": b"x"}, **facts)
    row = only(make_search()("embed")).row
    assert row.shown is None
    assert row.note is not None
    assert row.note.code == "shelf_embeddings"


@pytest.mark.parametrize(
    ("total", "architecture", "name"),
    [("many", 7, 5), (-3, "x" * 900, []), (True, None, {}), (1 << 60, "a\x00b", None)],
)
def test_hostile_facts(
    hub: LoopbackHub, make_search: Any, total: object, architecture: object, name: object
) -> None:
    gguf = {"total": total, "architecture": architecture, "context_length": name}
    hub.add_repo("eve/Bad-GGUF", {"b-Q4_K_M.gguf": b"x"}, gguf=gguf)
    assert only(make_search()("bad")).row.shown is None


def test_filters_hold_for_the_hub_too(hub: LoopbackHub, make_search: Any) -> None:
    hub.add_repo("eve/Zeta-GGUF", {"z-Q4_K_M.gguf": b"x"}, **STRANGER)
    search = make_search()
    assert search("zeta", packager="eve").hub
    assert not search("zeta", packager="unsloth").hub
    assert search("zeta", license="mit").hub
    assert not search("zeta", license="apache-2.0").hub
    assert not search("zeta", origin="US").hub, "nobody says where it comes from"
    assert search("zeta", capability="tools").hub, "nobody says what it can do"


@pytest.mark.parametrize(
    ("kind", "facts", "options", "code"),
    [
        ("status", {"status": 429, "headers": {"Retry-After": "7"}}, {}, "rate_limited"),
        ("status", {"status": 503}, {}, "network"),
        ("html", {}, {}, "network"),
        ("", {}, {"endpoint": "http://127.0.0.1:9"}, "network"),
        ("", {}, {"offline": True, "endpoint": "https://huggingface.co"}, "offline"),
    ],
)
def test_without_the_hub_the_catalog_stays(
    hub: LoopbackHub,
    make_search: Any,
    kind: str,
    facts: dict[str, Any],
    options: dict[str, Any],
    code: str,
) -> None:
    if kind:
        hub.faults.add(kind, stage="api", count=9, **facts)
    answer = make_search(**options)("qwen3")
    assert "Qwen3" in {row.family.name for row in answer.shelf.rows}
    (note,) = answer.notes
    assert note.code == f"search_hub_{code}"
    if code == "rate_limited":
        assert note.data == {"seconds": 7}


def test_one_letter_asks_nobody(hub: LoopbackHub, make_search: Any) -> None:
    answer = make_search()("q")
    assert answer.shelf.rows
    assert hub.requests == []
    assert [note.code for note in answer.notes] == ["search_hub_not_asked"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" qwen3 ", "qwen3"),
        ("llama 3", "llama 3"),
        ("https://huggingface.co/eve/Zeta-GGUF", "eve/Zeta-GGUF"),
        ("llama-server -hf eve/Zeta-GGUF:Q4_K_M", "eve/Zeta-GGUF"),
        ("~/models/secret.gguf", ""),
        ("/home/ada/my models/x.gguf", ""),
        (r"C:\models\x.gguf", ""),
        ("", ""),
    ],
)
def test_paths_stay_here_and_addresses_become_names(text: str, words: str) -> None:
    assert words_for_hub(text) == words


def test_claims_reach_the_gate(hub: LoopbackHub) -> None:
    seen: list[RepoClaims] = []

    def decide(claims: RepoClaims) -> Decision:
        seen.append(claims)
        return DECISIONS.decide_claims(claims)

    hub.add_repo("eve/Zeta-GGUF", {"z-Q4_K_M.gguf": b"x"}, gated="manual", **STRANGER)
    client = HubClient(NetworkOptions(endpoint=hub.endpoint))
    search = Search(lambda: client, lambda: CATALOG, parts, shelf, decide)
    search.find(MACHINE, SearchQuestion("zeta", ShelfQuestion()), CancelToken())
    client.close()
    (claims,) = seen
    assert (claims.id, claims.gated, claims.card["license"]) == ("eve/Zeta-GGUF", True, "mit")


def test_the_catalogs_model_is_decided_as_on_the_shelf() -> None:
    found = CATALOG.find_model("Qwen/Qwen3-14B")
    assert found is not None
    model: CatalogModel = found[1]
    assert DECISIONS.decide(model, "x/Qwen3-14B-GGUF").verdict is not Verdict.BLOCKED

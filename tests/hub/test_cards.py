"""Model cards from the loopback Hub: pinned, cut, kept, and read without a network."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from openshelf.errors import GatedModel, NetworkFailure, NotFound, Offline, UnsafeName
from openshelf.hub.cards import MOST_BYTES, MOST_KEPT, Cards, card_facts, without_head
from openshelf.hub.entries import Repo
from openshelf.network import EgressLog, NetworkOptions
from openshelf.tasks import CancelToken
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.hub.repositories import FakeFile
from tests.hub.conftest import MakeClient

REPO = "ada/Small-GGUF"
README = b"---\nlicense: mit\n---\n\n# Small\n\nIt is small.\n"


@pytest.fixture
def small(hub: LoopbackHub) -> str:
    card = {"license": "mit", "language": ["en", "de"]}
    return hub.add_repo(REPO, {"m-Q4_K_M.gguf": b"GGUF", "README.md": README}, card=card).head


@pytest.fixture
def cards(make_client: MakeClient, tmp_path: Path) -> Cards:
    client = make_client(cache_folder=tmp_path / "cache")
    return Cards(lambda: client, tmp_path / "cards")


def read(cards: Cards, repo: str = REPO, commit: str = "") -> object:
    return cards.card(repo, commit, CancelToken())


class OfflineClient:
    """As a client of `options` behaves while the switch is on."""

    def __init__(self, options: NetworkOptions) -> None:
        self.options = options

    def repo(self, repo_id: str, revision: str | None = None) -> Repo:
        raise Offline(self.options.host)


def test_a_card_comes_without_its_head(hub: LoopbackHub, small: str, cards: Cards) -> None:
    card = cards.card(REPO, small, CancelToken())
    assert card.text == "# Small\n\nIt is small.\n"
    assert card.facts == (("license", "mit"), ("language", "en, de"))
    assert (card.repo, card.commit, card.total_bytes) == (REPO, small, len(README))
    assert card.page == f"{hub.endpoint}/{REPO}"
    assert not card.is_cut
    assert not card.is_kept


def test_what_was_read_is_not_asked_for_again(hub: LoopbackHub, small: str, cards: Cards) -> None:
    first = cards.card(REPO, small, CancelToken())
    asked = len(hub.requests)
    assert cards.card(REPO, small, CancelToken()) == first
    assert cards.card(REPO.upper().replace("GGUF", "gguf"), small, CancelToken()) == first
    assert len(hub.requests) == asked


def test_a_card_stays_at_its_commit(hub: LoopbackHub, small: str, cards: Cards) -> None:
    repo = hub.repos[REPO.casefold()]
    newer = repo.commit([FakeFile("README.md", b"# Newer")])
    assert cards.card(REPO, small, CancelToken()).text.startswith("# Small")
    assert cards.card(REPO, "", CancelToken()).commit == newer
    assert cards.card(REPO, newer, CancelToken()).text == "# Newer"


def test_without_a_network_the_kept_card_is_shown_and_marked(small: str, cards: Cards) -> None:
    cards.card(REPO, small, CancelToken())
    client = OfflineClient(cards.client().options)
    away = dataclasses.replace(cards, client=lambda: client)  # type: ignore[arg-type]
    assert not away.card(REPO, small, CancelToken()).is_kept
    older = away.card(REPO, "", CancelToken())
    assert (older.commit, older.is_kept) == (small, True)
    assert away.card(REPO, "f" * 40, CancelToken()).is_kept
    with pytest.raises(Offline):
        away.card("ada/Other-GGUF", "", CancelToken())


@pytest.mark.parametrize(
    ("kind", "facts"),
    [("status", {"status": 429}), ("status", {"status": 503}), ("html", {})],
    ids=["429", "503", "a page"],
)
def test_a_hub_that_fails_leaves_the_kept_card(
    hub: LoopbackHub, small: str, cards: Cards, kind: str, facts: dict[str, int]
) -> None:
    cards.card(REPO, small, CancelToken())
    hub.faults.add(kind, stage="api", count=99, **facts)
    card = cards.card(REPO, "", CancelToken())
    assert (card.commit, card.is_kept) == (small, True)
    with pytest.raises(NetworkFailure):
        cards.card("ada/Other-GGUF", "", CancelToken())


def test_another_endpoint_s_repository_is_another_one(
    small: str, cards: Cards, make_client: MakeClient
) -> None:
    cards.card(REPO, small, CancelToken())
    client = make_client(endpoint="http://127.0.0.1:9")
    with pytest.raises(NetworkFailure):
        dataclasses.replace(cards, client=lambda: client).card(REPO, small, CancelToken())


def test_a_huge_card_is_cut(hub: LoopbackHub, cards: Cards) -> None:
    text = b"# Huge\n" + b"word " * (2 * MOST_BYTES)
    commit = hub.add_repo(REPO, {"README.md": text}).head
    card = cards.card(REPO, commit, CancelToken())
    assert card.is_cut
    assert card.total_bytes == len(text)
    assert len(card.text) == MOST_BYTES


def test_letters_of_several_bytes_survive_the_cut(hub: LoopbackHub, cards: Cards) -> None:
    text = ("ä" * MOST_BYTES).encode()
    hub.add_repo(REPO, {"README.md": b"x" + text})
    card = cards.card(REPO, "", CancelToken())
    assert card.is_cut
    assert set(card.text) <= {"x", "ä", "\ufffd"}


def test_a_repository_without_a_card(hub: LoopbackHub, cards: Cards) -> None:
    hub.add_repo(REPO, {"docs/README.md": b"# Not this", "m.gguf": b"GGUF"})
    with pytest.raises(NotFound) as caught:
        read(cards)
    assert caught.value.what == "card"


def test_the_name_of_a_card_may_be_written_otherwise(hub: LoopbackHub, cards: Cards) -> None:
    hub.add_repo(REPO, {"Readme.MD": b"# Here"})
    assert cards.card(REPO, "", CancelToken()).text == "# Here"


@pytest.mark.parametrize("name", ["../etc", "a/b/../c", "a--b/c", "a/b@c", "/a/b"])
def test_names_that_are_none_are_refused(cards: Cards, name: str) -> None:
    with pytest.raises(UnsafeName):
        read(cards, name)


@pytest.mark.parametrize("commit", ["main", "../x", "F" * 40, "0" * 39])
def test_a_commit_is_a_commit(cards: Cards, commit: str) -> None:
    with pytest.raises(UnsafeName):
        read(cards, REPO, commit)


def test_missing_and_gated(hub: LoopbackHub, cards: Cards) -> None:
    with pytest.raises(NotFound):
        read(cards, "ada/Nothing")
    hub.add_repo(REPO, {"README.md": README}, gated="manual")
    with pytest.raises(GatedModel):
        read(cards)


def test_the_log_of_what_went_out_says_what_for(
    hub: LoopbackHub, small: str, make_client: MakeClient, tmp_path: Path
) -> None:
    egress = EgressLog()
    client = make_client(egress=egress)
    Cards(lambda: client, tmp_path).card(REPO, small, CancelToken())
    assert "model card" in {entry.purpose for entry in egress.entries()}


def test_a_damaged_copy_is_read_anew(small: str, cards: Cards) -> None:
    assert cards.folder is not None
    cards.card(REPO, small, CancelToken())
    for garbage in (b"", b"[]", b'{"format": 1}', b'{"format": 2}', b"\xff" * 10):
        for path in cards.folder.iterdir():
            path.write_bytes(garbage)
        assert cards.card(REPO, small, CancelToken()).text.startswith("# Small")


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(
    small: str, cards: Cards, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    card = dataclasses.replace(cards, folder=blocked).card(REPO, small, CancelToken())
    assert card.text.startswith("# Small")


def test_only_the_newest_are_kept(small: str, cards: Cards) -> None:
    assert cards.folder is not None
    cards.folder.mkdir()
    for number in range(MOST_KEPT + 5):
        old = cards.folder / f"old-{number}.json"
        old.write_text("{}")
        os.utime(old, (number, number))
    cards.card(REPO, small, CancelToken())
    names = {path.name for path in cards.folder.iterdir()}
    assert len(names) == MOST_KEPT
    assert "old-0.json" not in names
    assert any(small in name for name in names)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("---\na: b\n---\n# T", "# T"),
        ("\ufeff---\r\na: b\r\n---\r\n\r\n# T", "# T"),
        ("\n\n---\na: b\n...\n# T", "# T"),
        ("---\n---\nx", "x"),
        ("---\nnever closed\n", "---\nnever closed\n"),
        ("# T\n\n---\n\nx\n\n---\n", "# T\n\n---\n\nx\n\n---\n"),
        ("--- x\n---\n", "--- x\n---\n"),
        ("", ""),
    ],
)
def test_the_head_is_split_off(text: str, body: str) -> None:
    assert without_head(text) == body


def test_facts_are_short_and_plain() -> None:
    facts = dict(
        card_facts(
            {
                "tags": [f"tag{number}" for number in range(50)],
                "license": "mit",
                "extra_gated_prompt": "x" * 9_000,
                "model-index": [{"name": "x"}],
                "co2": {"a": 1},
                "odd\u202ename\n": "va\u202elue\x00\nnext",
                "empty": [],
                "none": None,
                "number": 7,
            }
        )
    )
    assert list(facts)[:2] == ["license", "tags"]
    assert facts["tags"].endswith("tag11 …")
    assert len(facts["extra_gated_prompt"]) < 260
    assert facts["oddname"] == "value next"
    assert facts["number"] == "7"
    assert not facts.keys() & {"model-index", "co2", "empty", "none"}
    assert len(card_facts({f"k{n}": "v" for n in range(500)})) == 24

"""Refreshing: once a day, honoring who asks to wait, and never replacing what is kept by less."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openshelf.catalog.entries import Catalog
from openshelf.catalog.found import FoundRepo
from openshelf.catalog.kept import KeptFile
from openshelf.catalog.loader import load_catalog
from openshelf.catalog.refresh import CatalogRefresh, Freshness, Sources, accounts_of
from openshelf.errors import CancelledByUser, NetworkFailure, OpenshelfError, RateLimited
from openshelf.tasks import CancelToken, no_report

HOUR = 3600.0
DAY = 24 * HOUR
HOST, ADDRESS = "hub.example", "https://models.example/catalog.json"
NEW = FoundRepo("Qwen/Qwen9-8B-GGUF", "Qwen/Qwen9-8B", "qwen9", "2026-11-25")
NEWER = FoundRepo("Qwen/Qwen9-30B-GGUF", "Qwen/Qwen9-30B", "qwen9", "2026-11-26")


@dataclass(frozen=True)
class Answer:
    text: str
    etag: str = "v1"
    last_modified: str = "then"


@dataclass
class World:
    """A Hub, an address and a clock. What is an error is raised."""

    folder: Path
    lists: dict[str, Sequence[FoundRepo] | OpenshelfError] = field(default_factory=dict)
    file: Answer | OpenshelfError | None = None
    address: str = ""
    offline: bool = False
    now: float = 1_790_000_000.0
    asked: list[str] = field(default_factory=list)
    sent: list[KeptFile | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.catalog = load_catalog()
        self.refresh = self.start()

    def start(self) -> CatalogRefresh:
        """As the next start of the app finds it."""
        self.refresh = CatalogRefresh(self.folder, lambda: self.catalog, lambda: self.now)
        return self.refresh

    def newest_of(self, account: str) -> Sequence[FoundRepo]:
        self.asked.append(account)
        answer = self.lists.get(account, ())
        if isinstance(answer, OpenshelfError):
            raise answer
        return answer

    def fetch(self, address: str, known: KeptFile | None) -> Answer | None:
        self.sent.append(known)
        if isinstance(self.file, OpenshelfError):
            raise self.file
        return self.file

    def run(self, cancel: CancelToken | None = None) -> Freshness:
        self.asked.clear()
        self.sent.clear()
        sources = Sources(HOST, self.newest_of, self.fetch, self.address, self.offline)
        return self.refresh.refresh(sources, cancel or CancelToken(), no_report)

    def shown(self) -> Catalog:
        return self.refresh.catalog(HOST, self.address)

    def note(self) -> str | None:
        note = self.refresh.freshness(HOST, self.address).note
        return None if note is None else note.code

    def names(self) -> set[str]:
        return {family.name for family in self.shown().families}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, {"Qwen": [NEW]})


def test_before_any_refresh_the_shipped_catalog_is_all_there_is(world: World) -> None:
    assert world.shown().families == world.catalog.families
    assert world.refresh.freshness(HOST, "") == Freshness()
    assert world.asked == []


def test_all_known_accounts_are_asked_once_a_day(world: World) -> None:
    accounts = accounts_of(world.catalog)
    assert {"Qwen", "meta-llama", "deepseek-ai", "bartowski", "unsloth"} <= set(accounts)
    fresh = world.run()
    assert world.asked == accounts
    assert (fresh.refreshed_at, fresh.note) == (world.now, None)
    assert "Qwen9" in world.names()
    asked_at = world.now
    world.now += DAY - 1
    assert world.run().refreshed_at == asked_at
    assert world.asked == []
    world.start()
    world.run()
    assert world.asked == []
    assert "Qwen9" in world.names()
    world.now += 2
    assert world.run().refreshed_at == world.now
    assert world.asked == accounts


def test_a_clock_that_was_wrong_does_not_stop_it_for_ever(world: World) -> None:
    world.now += 1000 * DAY
    world.run()
    world.now -= 1000 * DAY
    world.run()
    assert world.asked


def test_another_hub_is_another_list(world: World) -> None:
    world.run()
    assert {f.name for f in world.refresh.catalog("other.example", "").families} == {
        family.name for family in world.catalog.families
    }


def test_who_asks_to_wait_is_left_alone_and_the_rest_is_asked_afterwards(world: World) -> None:
    accounts = accounts_of(world.catalog)
    world.lists[accounts[2]] = RateLimited(HOST, "http_429", retry_after_seconds=90)
    fresh = world.run()
    assert world.asked == accounts[:3]
    assert fresh.note is not None
    assert fresh.note.as_json() == {
        "code": "refresh_waiting", "host": HOST, "until": world.now + 90, "wait_seconds": 90,
    }  # fmt: skip
    world.start()
    world.now += 60
    left = world.run().note
    assert world.asked == []
    assert left is not None
    assert left.data["wait_seconds"] == 30
    del world.lists[accounts[2]]
    world.now += 31
    assert world.note() is None
    assert world.run().refreshed_at == world.now
    assert world.asked == accounts[2:]


def test_waiting_for_years_is_waiting_for_a_day(world: World) -> None:
    world.lists["Qwen"] = RateLimited(HOST, "http_429", retry_after_seconds=1e9)
    world.run()
    del world.lists["Qwen"]
    world.now += DAY
    assert world.run().note is None


@pytest.mark.parametrize("why", ["refused", "timeout", "not_a_hub", "http_500"])
def test_a_hub_that_fails_changes_nothing_and_may_be_asked_again(world: World, why: str) -> None:
    world.run()
    shown = world.names()
    asked_at = world.now
    world.now += 2 * DAY
    first = accounts_of(world.catalog)[0]
    world.lists = {first: NetworkFailure(HOST, why)}
    fresh = world.run()
    assert world.asked == [first]
    assert fresh.note is not None
    assert fresh.note.as_json() == {"code": "refresh_failed", "host": HOST, "why": why}
    assert fresh.refreshed_at == asked_at
    assert world.names() == shown
    world.lists = {"Qwen": [NEW, NEWER]}
    assert world.run().note is None


def test_one_account_that_is_refused_does_not_keep_the_others_waiting(world: World) -> None:
    world.lists["mistralai"] = NetworkFailure(HOST, "http_403")
    fresh = world.run()
    assert fresh.refreshed_at == world.now
    assert world.note() == "refresh_failed"
    assert "Qwen9" in world.names()


def test_a_smaller_list_is_not_believed_for_a_week(world: World) -> None:
    world.lists = {"Qwen": [NEW, NEWER]}
    world.run()
    world.lists = {"Qwen": []}
    for _ in range(7):
        world.now += DAY
        assert world.run().refreshed_at == world.now
        assert world.note() == "refresh_smaller_list"
        assert "Qwen9" in world.names()
    world.now += DAY
    assert world.run().note is None
    assert "Qwen9" not in world.names()


def test_offline_nothing_is_asked(world: World) -> None:
    world.address, world.file = ADDRESS, Answer(catalog_text("x"))
    world.offline = True
    assert world.run().note is not None
    assert world.note() == "refresh_offline"
    assert (world.asked, world.sent) == ([], [])
    world.offline = False
    assert world.run().note is None
    assert world.asked


def test_what_came_before_a_cancel_is_kept(world: World) -> None:
    cancel = CancelToken()
    accounts = accounts_of(world.catalog)

    def newest_of(account: str) -> Sequence[FoundRepo]:
        cancel.cancel()
        return world.newest_of(account)

    sources = Sources(HOST, newest_of, world.fetch)
    with pytest.raises(CancelledByUser):
        world.refresh.refresh(sources, cancel, no_report)
    assert world.asked == accounts[:1]
    world.run()
    assert world.asked == accounts[1:]


@pytest.mark.parametrize("text", ["", "[", "{}", "null", '{"format": 1}', "[" * 100_000])
def test_damaged_files_count_as_nothing(world: World, text: str) -> None:
    world.address, world.file = ADDRESS, Answer(catalog_text("x"))
    world.run()
    files = list(world.folder.iterdir())
    assert len(files) == 2
    for file in files:
        file.write_text(text)
    world.start()
    assert world.names() == {family.name for family in world.catalog.families}
    assert world.run().note is None
    assert world.asked == accounts_of(world.catalog)
    assert world.sent == [None]


# --- an address of one's own --------------------------------------------------------------------


def catalog_text(*names: str, reviewed: str = "2026-11-25", **changes: Any) -> str:
    """A catalog with a family for each name, with one model."""
    model = {
        "id": "m", "name": "M", "label": "1B", "hub_repo": "acme/M", "license": "mit",
        "modalities": ["text"], "capabilities": [], "unverified": [],
        "openness": {"weights": True, "training_data": "unknown", "code": "unknown"},
        "shape": {"attention": "full", "completeness": "partial"},
    }  # fmt: skip
    families = [
        {
            "id": name, "name": name.title(), "publisher": "Acme", "reviewed": reviewed,
            "models": [{**model, "id": f"{name}-1b", "hub_repo": f"acme/{name}-1b"}], **changes,
        }
        for name in names
    ]  # fmt: skip
    return json.dumps({"format": 1, "families": families})


@pytest.fixture
def addressed(world: World) -> World:
    world.address, world.file = ADDRESS, Answer(catalog_text("alpha", "beta"))
    return world


def test_its_families_stand_beside_the_shipped_ones(addressed: World) -> None:
    addressed.run()
    assert {"Alpha", "Beta"} < addressed.names()
    addressed.start()
    assert {"Alpha", "Beta"} < addressed.names()
    other = addressed.refresh.catalog(HOST, "https://elsewhere.example/c.json")
    assert "Alpha" not in {family.name for family in other.families}


def test_it_is_asked_once_a_day_and_only_for_a_change(addressed: World) -> None:
    addressed.run()
    assert addressed.sent == [None]
    addressed.now += DAY - 1
    addressed.run()
    assert addressed.sent == []
    addressed.now += 1
    addressed.file = None
    addressed.run()
    (known,) = addressed.sent
    assert known is not None
    assert (known.etag, known.last_modified) == ("v1", "then")
    assert {"Alpha", "Beta"} < addressed.names()
    addressed.run()
    assert addressed.sent == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<!DOCTYPE html><p>Sign in</p>", "refresh_bad_catalog"),
        ("", "refresh_bad_catalog"),
        ("[" * 100_000, "refresh_bad_catalog"),
        ('{"format": 2, "families": []}', "refresh_bad_catalog"),
        (catalog_text("alpha", "alpha"), "refresh_bad_catalog"),
        (catalog_text("alpha", "beta", surprise=1), "refresh_bad_catalog"),
        (catalog_text("alpha"), "refresh_smaller_catalog"),
        ('{"format": 1, "families": []}', "refresh_bad_catalog"),
    ],
)
def test_a_good_copy_is_never_replaced_by_less(addressed: World, text: str, code: str) -> None:
    addressed.run()
    addressed.now += DAY
    addressed.file = Answer(text, "v2")
    addressed.run()
    assert addressed.note() == code
    assert {"Alpha", "Beta"} < addressed.names()
    addressed.file = Answer(catalog_text("alpha", "beta", "gamma"), "v3")
    addressed.run()
    assert addressed.note() is None
    assert "Gamma" in addressed.names()


@pytest.mark.parametrize("why", ["refused", "http_500", "too_large"])
def test_an_address_that_fails_changes_nothing(addressed: World, why: str) -> None:
    addressed.run()
    addressed.now += DAY
    addressed.file = NetworkFailure("models.example", why)
    addressed.run()
    assert addressed.note() == "refresh_failed"
    assert {"Alpha", "Beta"} < addressed.names()


def test_an_address_that_asks_to_wait_is_left_alone(addressed: World) -> None:
    addressed.file = RateLimited("models.example", "http_429", retry_after_seconds=600)
    addressed.run()
    assert addressed.note() == "refresh_waiting"
    addressed.file = Answer(catalog_text("alpha"))
    addressed.now += 599
    addressed.run()
    assert addressed.sent == []
    addressed.now += 2
    addressed.run()
    assert (addressed.note(), addressed.sent) == (None, [None])


def test_the_later_review_of_a_family_counts(addressed: World) -> None:
    shipped = addressed.catalog.families[0]
    for reviewed, name in ((shipped.reviewed, shipped.name), ("2099-01-01", "Theirs")):
        addressed.file = Answer(catalog_text("alpha", "beta", reviewed=reviewed))
        data = json.loads(addressed.file.text)
        data["families"][0] |= {"id": shipped.id, "name": "Theirs"}
        addressed.file = dataclasses.replace(addressed.file, text=json.dumps(data))
        addressed.run()
        addressed.now += DAY
        found = next(f for f in addressed.shown().families if f.id == shipped.id)
        assert found.name == name


def test_a_model_that_another_family_has_is_not_taken_away(addressed: World) -> None:
    data = json.loads(catalog_text("alpha"))
    taken = addressed.catalog.families[0].models[0].hub_repo
    data["families"][0]["models"][0]["hub_repo"] = taken
    addressed.file = Answer(json.dumps(data))
    addressed.run()
    assert "Alpha" not in addressed.names()
    found = addressed.shown().find_model(taken)
    assert found is not None
    assert found[0].id == addressed.catalog.families[0].id

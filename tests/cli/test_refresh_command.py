"""`shelf --refresh` on the loopback Hub: complete, and honest about its age, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf.catalog.loader import load_catalog
from openshelf.cli.main import run_command
from openshelf.paths import find_paths
from openshelf.settings import SettingsStore
from tests.catalog.test_refresh import catalog_text
from tests.fakes.hub.loopback import LoopbackHub

GGUF = {"m-Q4_K_M.gguf": b"GGUF"}
FAMILIES = {family.name for family in load_catalog().families}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        running.add_repo(
            "Qwen/Qwen9-8B-GGUF", GGUF,
            card={"base_model": "Qwen/Qwen9-8B", "license": "mit"}, gguf={"architecture": "qwen3"},
        )  # fmt: skip
        running.add_repo("bartowski/Qwen_Qwen9-8B-GGUF", GGUF, card={"base_model": "Qwen/Qwen9-8B"})
        running.add_repo("bartowski/Old-GGUF", GGUF, card={"base_model": "stranger/Old"})
        yield running


def shelf(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run_command(["shelf", "--machine", "RTX 4060", "--json", *words]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {row["family"] for row in answer["families"]} >= FAMILIES
    assert answer["catalog_as_of"] == load_catalog().as_of
    shipped = [row for row in answer["families"] if row["family"] in FAMILIES]
    assert sum(row["recommended"] is not None for row in shipped) > 5
    return answer


def row_of(answer: dict[str, Any], family: str) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in answer["families"] if row["family"] == family)
    return row


def lists_asked(hub: LoopbackHub) -> int:
    return sum(request.path.startswith("/api/models?") for request in hub.requests)


def test_without_the_word_nobody_is_asked(
    capsys: pytest.CaptureFixture[str], hub: LoopbackHub
) -> None:
    answer = shelf(capsys)
    assert (answer["refreshed_at"], answer["refresh_note"]) == (None, None)
    assert hub.requests == []


def test_new_models_of_known_publishers_are_marked_and_need_a_review(
    capsys: pytest.CaptureFixture[str], hub: LoopbackHub
) -> None:
    answer = shelf(capsys, "--refresh")
    assert answer["refreshed_at"] is not None
    assert answer["refresh_note"] is None
    row = row_of(answer, "Qwen9")
    assert row["new"]
    known = row_of(answer, "Qwen3")
    assert (row["publisher"], row["origin"]) == (known["publisher"], known["origin"])
    assert (row["recommended"], row["nearest"]) == (None, None)
    assert row["note"]["code"] == "shelf_new_not_reviewed"
    assert row["license"]["verdict"] in ("needs_review", "blocked")
    assert {row["family"] for row in answer["families"] if row["new"]} == {"Qwen9"}
    assert not row_of(answer, "Qwen3")["new"]


def test_the_hub_is_asked_once_a_day_for_all_accounts(
    capsys: pytest.CaptureFixture[str], hub: LoopbackHub
) -> None:
    first = shelf(capsys, "--refresh")
    asked = lists_asked(hub)
    assert asked >= 10
    assert shelf(capsys, "--refresh")["refreshed_at"] == first["refreshed_at"]
    assert lists_asked(hub) == asked


def test_a_new_model_that_the_engine_does_not_know_says_so(
    capsys: pytest.CaptureFixture[str], hub: LoopbackHub
) -> None:
    hub.add_repo(
        "Qwen/Qwen10-8B-GGUF", GGUF, card={"base_model": "Qwen/Qwen10-8B"},
        gguf={"architecture": "qwen10"},
    )  # fmt: skip
    row = row_of(shelf(capsys, "--refresh"), "Qwen10")
    assert row["new"]
    assert row["note"]["code"] == "shelf_engine_lacks"


def test_429_is_honored(capsys: pytest.CaptureFixture[str], hub: LoopbackHub) -> None:
    hub.faults.add("status", stage="api", status=429, headers={"Retry-After": "120"}, skip=2)
    note = shelf(capsys, "--refresh")["refresh_note"]
    assert note["code"] == "refresh_waiting"
    assert 110 <= note["wait_seconds"] <= 120
    asked = len(hub.requests)
    assert shelf(capsys, "--refresh")["refresh_note"]["code"] == "refresh_waiting"
    assert len(hub.requests) == asked == 3
    assert run_command(["shelf", "--machine", "RTX 4060"]) == 0
    assert "asks to wait" in capsys.readouterr().out


def test_nonsense_changes_nothing(capsys: pytest.CaptureFixture[str], hub: LoopbackHub) -> None:
    hub.faults.add("html", stage="api")
    answer = shelf(capsys, "--refresh")
    assert answer["refresh_note"]["code"] == "refresh_failed"
    assert answer["refresh_note"]["why"] == "not_a_hub"
    assert answer["refreshed_at"] is None
    assert shelf(capsys, "--refresh")["refresh_note"] is None


def test_an_unreachable_hub(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    answer = shelf(capsys, "--refresh")
    assert answer["refresh_note"] == {
        "code": "refresh_failed", "host": "127.0.0.1:9", "why": "refused",
    }  # fmt: skip


def test_offline_closes_even_this_machine(
    capsys: pytest.CaptureFixture[str], hub: LoopbackHub
) -> None:
    SettingsStore(find_paths().settings_file).change(offline=True)
    assert shelf(capsys, "--refresh")["refresh_note"] == {"code": "refresh_offline"}
    assert hub.requests == []


# --- an address of one's own --------------------------------------------------------------------


@pytest.fixture
def addressed(hub: LoopbackHub, tmp_path: Path) -> LoopbackHub:
    """A catalog in a repository of the same loopback Hub."""
    put_catalog(hub, catalog_text("alpha", "beta"))
    path = "acme/catalog/resolve/main/catalog.json"
    SettingsStore(find_paths().settings_file).change(catalog_address=f"{hub.endpoint}/{path}")
    return hub


def put_catalog(hub: LoopbackHub, text: str) -> None:
    hub.add_repo("acme/catalog", {"catalog.json": text.encode()})


def test_a_catalog_from_an_address(
    capsys: pytest.CaptureFixture[str], addressed: LoopbackHub
) -> None:
    answer = shelf(capsys, "--refresh")
    assert answer["refresh_note"] is None
    assert row_of(answer, "Alpha")["publisher"] == "Acme"
    assert not row_of(answer, "Alpha")["new"]
    put_catalog(addressed, "<html>")
    asked = len(addressed.requests)
    assert row_of(shelf(capsys, "--refresh"), "Beta")
    assert len(addressed.requests) == asked, "not before tomorrow"


def test_an_address_that_answers_nonsense_at_first(
    capsys: pytest.CaptureFixture[str], addressed: LoopbackHub
) -> None:
    put_catalog(addressed, "<p>Sign in</p>")
    assert shelf(capsys, "--refresh")["refresh_note"]["code"] == "refresh_bad_catalog"
    addressed.faults.add("status", stage="resolve", status=429, headers={"Retry-After": "60"})
    assert shelf(capsys, "--refresh")["refresh_note"]["code"] == "refresh_waiting"
    asked = len(addressed.requests)
    shelf(capsys, "--refresh")
    assert len(addressed.requests) == asked

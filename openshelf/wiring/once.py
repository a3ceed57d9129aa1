"""What exists once in a process, whatever the policy."""

from __future__ import annotations

from functools import partial

from openshelf.engine.architectures import KnownArchitectures
from openshelf.engine.builds import EngineBuilds
from openshelf.engine.dry_runs import DryRuns
from openshelf.engine.process import Engine
from openshelf.fit.memory import FitRequest
from openshelf.hub.fetching import FetchPlace, RateShare
from openshelf.hub.tokens import SERVER_KEY, TokenStore
from openshelf.keychain import SystemKeychain
from openshelf.library.folder_list import FolderList
from openshelf.library.folders import ModelFolders
from openshelf.library.store import Library
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.head_seal import HeadSeal
from openshelf.network import EgressLog
from openshelf.paths import Paths
from openshelf.policy.store import PolicyStore
from openshelf.settings import SettingsStore
from openshelf.shelf.fresh_catalog import FreshCatalog
from openshelf.tasks import TaskRunner
from openshelf.wiring.hub_door import HubDoor
from openshelf.wiring.machine_facts import MachineFacts
from openshelf.wiring.shelf_making import ShelfMaking


class Once:
    """`context_length` stands before the settings'."""

    def __init__(self, paths: Paths, runner: TaskRunner, context_length: int | None) -> None:
        self.paths = paths
        self.runner = runner
        self.settings = SettingsStore(paths.settings_file)
        self.policies = PolicyStore(paths)
        self.licenses = load_licenses()
        keychain = SystemKeychain()
        self.acceptances = _acceptance_log(paths, keychain)
        self.tokens = TokenStore(paths.tokens_file, keychain)
        self.server_keys = TokenStore(paths.server_keys_file, keychain, SERVER_KEY)
        self.library = _library(paths, self.settings)
        self.folders = FolderList(self.library, self.settings)
        self.engine_builds = EngineBuilds(paths.data / "engine" / "builds.json")
        self.engine = Engine(starter=self.engine_builds)
        self.dry_runs = DryRuns(self.engine, partial(Engine, starter=self.engine_builds))
        self.architectures = _architectures(paths, self.dry_runs, self.engine_builds)
        self.network = FetchPlace(EgressLog(), RateShare(self.settings.current.bandwidth))
        self.catalog = FreshCatalog(
            paths.cache / "catalog", lambda: self.settings.current, self.network.egress
        )
        self.door = HubDoor(paths, self.settings, self.tokens, self.network)
        self.machine = MachineFacts(
            paths, self.settings, self.library, self.engine, self.engine_builds
        )
        self.shelf = ShelfMaking(self.catalog, self.licenses, self.library, self.architectures)
        self._context_length = context_length

    def knows(self, architecture: str | None) -> bool | None:
        """Whether the engine can load it; None where it could not be asked."""
        return self.architectures.ask([architecture]).knows(architecture)

    def fit_request(self) -> FitRequest:
        """What a model is loaded with."""
        settings = self.settings.current
        return FitRequest(
            context_length=self._context_length or settings.context_length,
            kv_type_k=settings.kv_type,
            kv_type_v=settings.kv_type,
        )

    def carried_settings(self) -> dict[str, object]:
        """What goes along with a bundle."""
        settings = self.settings.current
        return {"context_length": settings.context_length, "kv_type": settings.kv_type}

    def close(self) -> None:
        """The children first, then what they may still have written to."""
        self.dry_runs.close()
        self.engine.close()
        self.door.close()
        self.library.close()
        self.settings.close()


def _acceptance_log(paths: Paths, keychain: SystemKeychain) -> AcceptanceLog:
    seal = HeadSeal(keychain, paths.acceptance_log)
    return AcceptanceLog(paths.acceptance_log, paths.data / "acceptances.head", seal)


def _library(paths: Paths, settings: SettingsStore) -> Library:
    folders = ModelFolders(
        paths.models,
        lambda: settings.current.model_folders,
        lambda: settings.current.download_folder,
    )
    return Library(paths.library_database, folders)


def _architectures(paths: Paths, dry_runs: DryRuns, builds: EngineBuilds) -> KnownArchitectures:
    known = KnownArchitectures(
        paths.cache / "engine" / "architectures.json", dry_runs.architectures, builds.identity
    )
    builds.announcer.subscribe(lambda _: known.forget())
    return known

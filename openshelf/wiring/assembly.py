"""What exists once in a process, and the services that a policy makes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from openshelf import wording
from openshelf.chat.advice import MOST_CONFIG_BYTES
from openshelf.chat.advising import Advisor
from openshelf.chat.aids import ChatAids
from openshelf.chat.attaching import read_attachment
from openshelf.chat.benching import Benchmarks
from openshelf.chat.opening import ModelOpener
from openshelf.chat.servers import Servers, open_either
from openshelf.chat.session import Chats
from openshelf.chat.store import ConversationStore
from openshelf.engine.architectures import KnownArchitectures
from openshelf.engine.builds import EngineBuilds
from openshelf.engine.dry_runs import DryRuns
from openshelf.engine.engines import Engines
from openshelf.engine.process import Engine
from openshelf.engine.remote import RemoteEngine
from openshelf.fit.memory import FitRequest
from openshelf.hub.cards import Cards
from openshelf.hub.client import HubClient
from openshelf.hub.fetching import FetchPlace, RateShare
from openshelf.hub.tokens import SERVER_KEY, TokenStore
from openshelf.keychain import SystemKeychain
from openshelf.library.bundling import Bundles
from openshelf.library.download_queue import Downloads, DownloadsParts
from openshelf.library.fitting import Fitting
from openshelf.library.folder_list import FolderList
from openshelf.library.folders import ModelFolders
from openshelf.library.headers import Headers
from openshelf.library.installer import Installer
from openshelf.library.kept_downloads import KeptDownloads
from openshelf.library.offers import OfferParts
from openshelf.library.store import Library
from openshelf.library.upkeep import Upkeep
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.head_seal import HeadSeal
from openshelf.network import EgressLog
from openshelf.paths import Paths
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy, load_policy, tighten
from openshelf.policy.store import PolicyState, PolicyStore
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.settings import SettingsStore
from openshelf.shelf.decisions import CatalogDecisions
from openshelf.shelf.fresh_catalog import FreshCatalog
from openshelf.shelf.listing import Models
from openshelf.shelf.search import Search
from openshelf.tasks import CancelToken, PoolTaskRunner, TaskRunner, no_report
from openshelf.wiring.hub_door import HubDoor
from openshelf.wiring.machine_facts import MachineFacts
from openshelf.wiring.shelf_making import ShelfMaking

log = logging.getLogger(__name__)


def build_services(
    paths: Paths,
    *,
    runner: TaskRunner | None = None,
    keep_chats: bool = True,
    context_length: int | None = None,
    is_strict: bool = False,
) -> Services:
    """Everything wired for this process; cheap, touches no network and starts no child.

    Without `keep_chats` conversations live in memory only: a command asks one question and leaves,
    and must not touch what a window is streaming into the file. `context_length` stands before the
    settings'. Where the policy's file cannot be understood nothing is allowed, and `problems` says
    why; a command raises it instead (`is_strict`).
    """
    wiring = _Wiring(paths, runner or PoolTaskRunner(), context_length)
    state = wiring.policies.current
    if state.problem is not None and is_strict:
        raise state.problem
    policy = state.policy
    store = ConversationStore(paths.chat_database if keep_chats else None)
    if policy.keep_chats_days is not None:
        store.delete_older_than(policy.keep_chats_days)
    services = wiring.services(policy, store)
    wiring.policies.announcer.subscribe(partial(_adopt, services.gate))
    services.gate.watch(wiring.policies.look_again)
    for announcer in (wiring.policies.announcer, wiring.settings.announcer):
        announcer.subscribe(lambda _: wiring.door.throw_switch(services))
    return services


def _adopt(gate: Gate, state: PolicyState) -> None:
    gate.adopt(state.policy)


class _Wiring:
    """What exists once, whatever the policy; and how a policy makes services of it."""

    def __init__(self, paths: Paths, runner: TaskRunner, context_length: int | None) -> None:
        self.paths = paths
        self.runner = runner
        self.settings = SettingsStore(paths.settings_file)
        self.licenses = load_licenses()
        keychain = SystemKeychain()
        self.acceptances = AcceptanceLog(
            paths.acceptance_log,
            paths.data / "acceptances.head",
            HeadSeal(keychain, paths.acceptance_log),
        )
        folders = ModelFolders(
            paths.models,
            lambda: self.settings.current.model_folders,
            lambda: self.settings.current.download_folder,
        )
        self.library = Library(paths.library_database, folders)
        self.folders = FolderList(self.library, self.settings)
        self.engine_builds = EngineBuilds(paths.data / "engine" / "builds.json")
        self.engine = Engine(starter=self.engine_builds)
        self.dry_runs = DryRuns(self.engine, partial(Engine, starter=self.engine_builds))
        self.architectures = KnownArchitectures(
            paths.cache / "engine" / "architectures.json",
            self.dry_runs.architectures,
            self.engine_builds.identity,
        )
        self.engine_builds.announcer.subscribe(lambda _: self.architectures.forget())
        self.network = FetchPlace(EgressLog(), RateShare(self.settings.current.bandwidth))
        self.catalog = FreshCatalog(
            paths.cache / "catalog", lambda: self.settings.current, self.network.egress
        )
        self.policies = PolicyStore(paths)
        self.tokens = TokenStore(paths.tokens_file, keychain)
        self.server_keys = TokenStore(paths.server_keys_file, keychain, SERVER_KEY)
        self._context_length = context_length
        self.door = HubDoor(paths, self.settings, self.tokens, self.network)
        self.machine = MachineFacts(
            paths, self.settings, self.library, self.engine, self.engine_builds
        )
        self.shelf = ShelfMaking(self.catalog, self.licenses, self.library, self.architectures)

    def services(
        self, policy: Policy, store: ConversationStore, *, what_if: bool = False
    ) -> Services:
        gate = Gate(self.licenses, policy, self.acceptances, what_if=what_if)
        client = partial(self.door.client_under, gate)
        parts = OfferParts(
            client=client,
            catalog=self.catalog,
            gate=gate,
            acceptances=self.acceptances,
            library=self.library,
            knows=self._knows,
        )
        installer = Installer(parts)
        fetching = DownloadsParts(
            folder=self.paths.downloads,
            runner=self.runner,
            installer=installer,
            gate=gate,
            library=self.library,
            place=self.network,
        )
        downloads = Downloads(fetching)
        headers = Headers(self.library, client, self.paths.cache)
        fitting = Fitting(headers, self.catalog, self.dry_runs, self._knows)
        decided: dict[int, CatalogDecisions] = {}

        def decisions() -> CatalogDecisions:
            """Of the catalog as it is now; each decision is worked out once."""
            catalog = self.catalog()
            if id(catalog) not in decided:
                decided.clear()
                decided[id(catalog)] = CatalogDecisions(catalog, gate)
            return decided[id(catalog)]

        open_model = self._opener(gate, installer).open_model
        remote = RemoteEngine(
            partial(self.door.server_options, gate), self.server_keys.token_for, self.network.egress
        )
        servers = Servers(self.settings, self.server_keys, gate, remote)
        chats = Chats(
            store, Engines(self.engine, remote), open_either(open_model, servers), self.library
        )
        upkeep = Upkeep(
            self.library,
            lambda: self.settings.current.verify_schedule,
            lambda: chats.is_answering or downloads.is_active,
        )
        return Services(
            paths=self.paths,
            settings=self.settings,
            runner=self.runner,
            detect_machine=self.machine.detect,
            engine_facts=self.machine.with_engine,
            catalog=self.catalog,
            read_card=Cards(client, self.paths.cache / "cards").card,
            shelf=partial(self.shelf.shelf, decisions),
            gate=gate,
            check_update=installer.check_update,
            acceptances=self.acceptances,
            installer=installer,
            downloads=downloads,
            kept_downloads=KeptDownloads(fetching),
            library=self.library,
            folders=self.folders,
            upkeep=upkeep,
            bundles=Bundles(parts, installer, self._carried_settings),
            chats=chats,
            chat_aids=self._chat_aids(store, client),
            bench=Benchmarks(self.engine, open_model, self.library).run,
            servers=servers,
            close=partial(self._close, downloads, chats, remote, upkeep),
            problems=partial(self._problems, store),
            fit_target=fitting.fit_target,
            dry_run_target=fitting.dry_run_target,
            models=Models(
                headers=headers,
                catalog=self.catalog,
                decide=lambda model, repo: decisions().decide(model, repo),
                engine=self.dry_runs,
                knows=self._knows,
            ),
            search=Search(
                client=client,
                catalog=self.catalog,
                parts=partial(self.shelf.parts, decisions),
                shelf=partial(self.shelf.shelf, decisions),
                decide=lambda claims: decisions().decide_claims(claims),
            ).find,
            with_policy=partial(self._with_policy, gate, store),
            policies=self.policies,
            egress=self.network.egress,
            tokens=self.tokens,
            preview_policy=self.shelf.preview,
            architectures=self.architectures,
            engine_builds=self.engine_builds,
            refresh_catalog=partial(self.catalog.refresh, client),
        )

    def _opener(self, gate: Gate, installer: Installer) -> ModelOpener:
        return ModelOpener(
            library=self.library,
            clear=installer.clear_installed,
            detect=lambda: self.machine.with_engine(self.machine.detect(CancelToken(), no_report)),
            request=self._fit_request,
            policy_sha256=gate.current_sha256,
        )

    def _chat_aids(self, store: ConversationStore, client: Callable[[], HubClient]) -> ChatAids:
        def read_config(repo: str, file: str) -> str:
            return client().read_text(
                repo, "main", file, MOST_CONFIG_BYTES, purpose="recommended settings"
            )

        advisor = Advisor(self.library, read_config, store.database)
        return ChatAids(advisor, store.presets, read_attachment)

    def _with_policy(
        self,
        gate: Gate,
        store: ConversationStore,
        path: Path,
        what_if: bool,  # noqa: FBT001  a Callable has no keywords
    ) -> Services:
        other = load_policy(path)
        chosen = tighten(gate.policy, other) if gate.policy.managed else other
        return self.services(chosen, store, what_if=what_if)

    def _problems(self, store: ConversationStore) -> tuple[Reason, ...]:
        settings, policy = self.settings.problem, self.policies.current.problem
        found = (
            wording.reason_of(policy) if policy else None,
            wording.reason_of(settings) if settings else None,
            self.library.problem,
            *store.notes,
        )
        return tuple(reason for reason in found if reason is not None)

    def _knows(self, architecture: str | None) -> bool | None:
        return self.architectures.ask([architecture]).knows(architecture)

    def _fit_request(self) -> FitRequest:
        settings = self.settings.current
        return FitRequest(
            context_length=self._context_length or settings.context_length,
            kv_type_k=settings.kv_type,
            kv_type_v=settings.kv_type,
        )

    def _carried_settings(self) -> dict[str, object]:
        settings = self.settings.current
        return {"context_length": settings.context_length, "kv_type": settings.kv_type}

    def _close(
        self, downloads: Downloads, chats: Chats, remote: RemoteEngine, upkeep: Upkeep
    ) -> None:
        upkeep.close()
        downloads.close()
        self.runner.close()
        chats.close()
        self.engine_builds.close()
        remote.close()
        self.dry_runs.close()
        self.engine.close()
        self.door.close()
        self.library.close()

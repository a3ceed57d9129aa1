"""Builds every service once; the only place that wires. Used by the window and the command line."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from openshelf import wording
from openshelf.catalog.entries import Catalog
from openshelf.chat.benching import Benchmarks
from openshelf.chat.opening import ModelOpener
from openshelf.chat.session import Chats
from openshelf.chat.store import ConversationStore
from openshelf.engine.architectures import KnownArchitectures
from openshelf.engine.build import find_engine
from openshelf.engine.devices import join_devices
from openshelf.engine.dry_runs import DryRuns
from openshelf.engine.process import Engine
from openshelf.errors import OpenshelfError
from openshelf.fit.memory import FitRequest
from openshelf.hardware.detect import detect_machine
from openshelf.hardware.facts import Machine
from openshelf.hardware.overrides import with_overrides, without_overrides
from openshelf.hub.cards import Cards
from openshelf.hub.client import HubClient
from openshelf.hub.fetching import FetchPlace, RateShare
from openshelf.hub.tokens import TokenStore
from openshelf.keychain import SystemKeychain
from openshelf.library.bundling import Bundles
from openshelf.library.download_queue import Downloads, DownloadsParts
from openshelf.library.fitting import Fitting
from openshelf.library.headers import Headers
from openshelf.library.installer import Installer
from openshelf.library.kept_downloads import KeptDownloads
from openshelf.library.offers import OfferParts
from openshelf.library.starter import Starter, find_starter
from openshelf.library.store import Library
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.head_seal import HeadSeal
from openshelf.network import EgressLog, NetworkOptions, NetworkWishes, options_from
from openshelf.paths import Paths
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy, load_policy, tighten
from openshelf.policy.store import PolicyState, PolicyStore
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.settings import SettingsStore
from openshelf.shelf.builder import build_shelf
from openshelf.shelf.decisions import CatalogDecisions, commercial_use
from openshelf.shelf.fresh_catalog import FreshCatalog
from openshelf.shelf.listing import Models
from openshelf.shelf.parts import LocalVariant, ShelfParts
from openshelf.shelf.preview import PolicyPreview, ShelfPreview
from openshelf.shelf.prospects import Stock, StockKey
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.shelf.search import Search
from openshelf.tasks import CancelToken, PoolTaskRunner, Report, TaskRunner, no_report

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
    for announcer in (wiring.policies.announcer, wiring.settings.announcer):
        announcer.subscribe(lambda _: wiring.throw_switch(services))
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
        self.library = Library(paths.library_database, paths.models)
        self.engine = Engine()
        self.dry_runs = DryRuns(self.engine)
        self.architectures = KnownArchitectures(
            paths.cache / "engine" / "architectures.json",
            self.dry_runs.architectures,
            lambda: found.identity if (found := find_engine()) else "",
        )
        self.network = FetchPlace(EgressLog(), RateShare(self.settings.current.download_limit))
        self.catalog = FreshCatalog(
            paths.cache / "catalog", lambda: self.settings.current, self.network.egress
        )
        self.policies = PolicyStore(paths)
        self.tokens = TokenStore(paths.tokens_file, keychain)
        self._context_length = context_length
        self._last_stock: tuple[Catalog | None, Stock | None] = (None, None)
        self._last_preview: tuple[Catalog | None, ShelfPreview | None] = (None, None)
        self._client: HubClient | None = None
        self._client_lock = threading.Lock()

    def services(
        self, policy: Policy, store: ConversationStore, *, what_if: bool = False
    ) -> Services:
        gate = Gate(self.licenses, policy, self.acceptances, what_if=what_if)
        client = partial(self._client_under, gate)
        parts = OfferParts(
            models=self.paths.models,
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
            models=self.paths.models,
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
        chats = Chats(store, self.engine, open_model, self.library)
        return Services(
            paths=self.paths,
            settings=self.settings,
            runner=self.runner,
            detect_machine=self._detect,
            engine_facts=self._engine_facts,
            catalog=self.catalog,
            read_card=Cards(client, self.paths.cache / "cards").card,
            shelf=partial(self._shelf, decisions),
            gate=gate,
            check_update=installer.check_update,
            acceptances=self.acceptances,
            installer=installer,
            downloads=downloads,
            kept_downloads=KeptDownloads(fetching),
            library=self.library,
            bundles=Bundles(parts, installer, self._carried_settings),
            chats=chats,
            bench=Benchmarks(self.engine, open_model, self.library).run,
            close=partial(self._close, downloads, chats),
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
                parts=partial(self._parts, decisions),
                shelf=partial(self._shelf, decisions),
                decide=lambda claims: decisions().decide_claims(claims),
            ).find,
            with_policy=partial(self._with_policy, gate, store),
            policies=self.policies,
            egress=self.network.egress,
            tokens=self.tokens,
            preview_policy=self._preview,
            architectures=self.architectures,
            refresh_catalog=partial(self.catalog.refresh, client),
        )

    def _opener(self, gate: Gate, installer: Installer) -> ModelOpener:
        return ModelOpener(
            library=self.library,
            clear=installer.clear_installed,
            detect=lambda: self._engine_facts(self._detect(CancelToken(), no_report)),
            request=self._fit_request,
            policy_sha256=lambda: gate.policy.sha256,
        )

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

    def _detect(self, cancel: CancelToken, report: Report) -> Machine:
        found = detect_machine(cancel, report, folders=(self.paths.models, Path.home()))
        try:
            found = replace(found, learned=self.library.learned_rates())
        except OpenshelfError as error:
            log.info("what was learned of the devices cannot be read: %s", error)
        return with_overrides(found, self.settings.current.hardware)

    def _engine_facts(self, machine: Machine) -> Machine:
        try:
            joined = join_devices(without_overrides(machine), self.engine.devices())
            return with_overrides(joined, self.settings.current.hardware)
        except OpenshelfError as error:
            log.warning("the engine did not say what it can use: %s", error)
            note = Reason("engine_silent", {"detail": wording.error_sentence(error)})
            return replace(machine, notes=(*machine.notes, note))

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

    def _shelf(
        self, decisions: Callable[[], CatalogDecisions], machine: Machine, question: ShelfQuestion
    ) -> Shelf:
        parts, catalog = self._parts(decisions), self.catalog()
        stock = self._stock(catalog, parts, question)
        return build_shelf(machine, question, catalog, parts, stock)

    def _parts(self, decisions: Callable[[], CatalogDecisions]) -> ShelfParts:
        installed = self.library.installed()
        here = {file.sha256 for model in installed for file in model.files}
        starter = find_starter()
        local = () if starter is None or starter.file.sha256 in here else (_local(starter),)
        return ShelfParts(
            decide=decisions().decide,
            installed=installed,
            local=local,
            commercial_use=lambda decision: commercial_use(decision, self.licenses),
            engine=self.architectures.current(),
            freshness=self.catalog.freshness(),
        )

    def _stock(self, catalog: Catalog, parts: ShelfParts, question: ShelfQuestion) -> Stock:
        """The last one is kept: what the window asks mostly differs in machine and filters."""
        key = StockKey(question.request, parts.installed, parts.local)
        of, kept = self._last_stock
        if of is not catalog or kept is None or kept.key != key:
            kept = Stock.of(catalog, parts, question.request)
            self._last_stock = (catalog, kept)
        return kept

    def _preview(self, draft: Policy) -> PolicyPreview:
        """The last catalog's is kept: a draft changes with every key."""
        catalog = self.catalog()
        of, kept = self._last_preview
        if of is not catalog or kept is None:
            kept = ShelfPreview(catalog, self.licenses)
            self._last_preview = (catalog, kept)
        return kept.under(draft)

    def throw_switch(self, services: Services) -> None:
        """The network as settings and policy want it from now on, also for what runs.

        Called in the GUI thread: the keychain is left alone.
        """
        options = self._options_under(services.gate, None)
        with self._client_lock:
            if options.offline and self._client is not None:
                self._client.shut()
        services.downloads.set_limit(options.bytes_per_second)
        services.downloads.set_offline(options.host if options.offline else None)

    def _options_under(
        self, gate: Gate, token_for: Callable[[str], str | None] | None
    ) -> NetworkOptions:
        settings = self.settings.current
        return options_from(
            os.environ,
            NetworkWishes(
                offline=settings.offline or gate.policy.offline_only,
                endpoint=settings.hub_endpoint,
                ca_file=settings.ca_file,
                bytes_per_second=settings.download_limit,
                token_for=token_for,
            ),
        )

    def _client_under(self, gate: Gate) -> HubClient:
        """One client as long as the options stay what they are."""
        options = self._options_under(gate, self.tokens.token_for)
        with self._client_lock:
            if self._client is None or self._client.options != options:
                if self._client is not None:
                    self._client.close()
                self._client = HubClient(options, self.paths.cache, self.network.egress)
            return self._client

    def _close(self, downloads: Downloads, chats: Chats) -> None:
        downloads.close()
        self.runner.close()
        chats.close()
        self.dry_runs.close()
        self.engine.close()
        with self._client_lock:
            if self._client is not None:
                self._client.close()
        self.library.close()


def _local(starter: Starter) -> LocalVariant:
    file = starter.file
    return LocalVariant(file.repo, starter.quant, file.path, file.size_bytes, file.sha256)

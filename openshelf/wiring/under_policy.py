"""The services that a policy makes of what exists once."""

from __future__ import annotations

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
from openshelf.engine.engines import Engines
from openshelf.engine.remote import RemoteEngine
from openshelf.hub.cards import Cards
from openshelf.library.bundling import Bundles
from openshelf.library.download_queue import Downloads
from openshelf.library.fitting import Fitting
from openshelf.library.headers import Headers
from openshelf.library.installer import Installer
from openshelf.library.kept_downloads import KeptDownloads
from openshelf.library.offers import OfferParts
from openshelf.library.queue_parts import DownloadsParts
from openshelf.library.upkeep import Upkeep
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy, load_policy, tighten
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.shelf.decisions import CatalogDecisions
from openshelf.shelf.listing import Models
from openshelf.shelf.search import Search
from openshelf.tasks import CancelToken, no_report
from openshelf.wiring.once import Once


def services_under(
    policy: Policy, once: Once, store: ConversationStore, *, what_if: bool = False
) -> Services:
    gate = Gate(once.licenses, policy, once.acceptances, what_if=what_if)
    return UnderPolicy(once, gate, store).services()


class UnderPolicy:
    """Everything that asks one gate."""

    def __init__(self, once: Once, gate: Gate, store: ConversationStore) -> None:
        self._once = once
        self._gate = gate
        self._store = store
        self._client = partial(once.door.client_under, gate)
        self._offers = self._offer_parts()
        self._installer = Installer(self._offers)
        self._headers = Headers(once.library, self._client, once.paths.cache)
        self._open_model = self._opener().open_model
        self._remote = RemoteEngine(
            partial(once.door.server_options, gate), once.server_keys.token_for,
            once.network.egress,
        )  # fmt: skip
        self._servers = Servers(once.settings, once.server_keys, gate, self._remote)
        self._chats = Chats(
            store,
            Engines(once.engine, self._remote),
            open_either(self._open_model, self._servers),
            once.library,
        )
        self._decided: dict[int, CatalogDecisions] = {}

    def services(self) -> Services:
        """Two of them under one policy would have two lists of downloads."""
        fetching = self._fetching()
        downloads = Downloads(fetching)
        upkeep = self._upkeep(downloads)
        fitting = Fitting(self._headers, self._once.catalog, self._once.dry_runs, self._once.knows)
        make = self._with_chats(self._with_shelf(self._with_once()))
        return make(
            gate=self._gate,
            installer=self._installer,
            check_update=self._installer.check_update,
            downloads=downloads,
            kept_downloads=KeptDownloads(fetching),
            upkeep=upkeep,
            bundles=Bundles(self._offers, self._installer, self._once.carried_settings),
            fit_target=fitting.fit_target,
            dry_run_target=fitting.dry_run_target,
            with_policy=self._with_policy,
            problems=self._problems,
            close=partial(self._close, downloads, upkeep),
        )

    # --- fields of Services ---------------------------------------------------------------------

    def _with_once(self) -> partial[Services]:
        once = self._once
        return partial(
            Services,
            paths=once.paths,
            settings=once.settings,
            runner=once.runner,
            detect_machine=once.machine.detect,
            engine_facts=once.machine.with_engine,
            catalog=once.catalog,
            acceptances=once.acceptances,
            library=once.library,
            folders=once.folders,
            policies=once.policies,
            egress=once.network.egress,
            tokens=once.tokens,
            preview_policy=once.shelf.preview,
            architectures=once.architectures,
            engine_builds=once.engine_builds,
        )

    def _with_shelf(self, make: partial[Services]) -> partial[Services]:
        once = self._once
        return partial(
            make,
            read_card=Cards(self._client, once.paths.cache / "cards").card,
            refresh_catalog=partial(once.catalog.refresh, self._client),
            shelf=partial(once.shelf.shelf, self._decisions),
            models=Models(
                headers=self._headers,
                catalog=once.catalog,
                decide=lambda model, repo: self._decisions().decide(model, repo),
                engine=once.dry_runs,
                knows=once.knows,
            ),
            search=Search(
                client=self._client,
                catalog=once.catalog,
                parts=partial(once.shelf.parts, self._decisions),
                shelf=partial(once.shelf.shelf, self._decisions),
                decide=lambda claims: self._decisions().decide_claims(claims),
            ).find,
        )

    def _with_chats(self, make: partial[Services]) -> partial[Services]:
        once = self._once
        return partial(
            make,
            chats=self._chats,
            chat_aids=self._chat_aids(),
            servers=self._servers,
            bench=Benchmarks(once.engine, self._open_model, once.library).run,
        )

    # --- parts ----------------------------------------------------------------------------------

    def _offer_parts(self) -> OfferParts:
        once = self._once
        return OfferParts(
            client=self._client,
            catalog=once.catalog,
            gate=self._gate,
            acceptances=once.acceptances,
            library=once.library,
            knows=once.knows,
        )

    def _fetching(self) -> DownloadsParts:
        once = self._once
        return DownloadsParts(
            folder=once.paths.downloads,
            runner=once.runner,
            installer=self._installer,
            gate=self._gate,
            library=once.library,
            place=once.network,
        )

    def _upkeep(self, downloads: Downloads) -> Upkeep:
        return Upkeep(
            self._once.library,
            lambda: self._once.settings.current.verify_schedule,
            lambda: self._chats.is_answering or downloads.is_active,
        )

    def _opener(self) -> ModelOpener:
        machine = self._once.machine
        return ModelOpener(
            library=self._once.library,
            clear=self._installer.clear_installed,
            detect=lambda: machine.with_engine(machine.detect(CancelToken(), no_report)),
            request=self._once.fit_request,
            policy_sha256=self._gate.current_sha256,
        )

    def _chat_aids(self) -> ChatAids:
        def read_config(repo: str, file: str) -> str:
            return self._client().read_text(
                repo, "main", file, MOST_CONFIG_BYTES, purpose="recommended settings"
            )

        advisor = Advisor(self._once.library, read_config, self._store.database)
        return ChatAids(advisor, self._store.presets, read_attachment)

    def _decisions(self) -> CatalogDecisions:
        """Of the catalog as it is now; each decision is worked out once."""
        catalog = self._once.catalog()
        if id(catalog) not in self._decided:
            self._decided.clear()
            self._decided[id(catalog)] = CatalogDecisions(catalog, self._gate)
        return self._decided[id(catalog)]

    # --- what Services can do -------------------------------------------------------------------

    def _with_policy(self, path: Path, what_if: bool) -> Services:  # noqa: FBT001  (a Callable's)
        other, own = load_policy(path), self._gate.policy
        chosen = tighten(own, other) if own.managed else other
        return services_under(chosen, self._once, self._store, what_if=what_if)

    def _problems(self) -> tuple[Reason, ...]:
        once = self._once
        settings, policy = once.settings.problem, once.policies.current.problem
        found = (
            wording.reason_of(policy) if policy else None,
            wording.reason_of(settings) if settings else None,
            once.library.problem,
            *self._store.notes,
        )
        return tuple(reason for reason in found if reason is not None)

    def _close(self, downloads: Downloads, upkeep: Upkeep) -> None:
        upkeep.close()
        downloads.close()
        self._once.runner.close()
        self._chats.close()
        self._once.engine_builds.close()
        self._remote.close()
        self._once.close()

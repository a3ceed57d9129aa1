"""A library, an installer and a queue of downloads on a temporary home, wired together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from openshelf.catalog.loader import load_catalog
from openshelf.hub.client import HubClient
from openshelf.hub.fetching import FetchPlace, RateShare
from openshelf.library.download_queue import Downloads
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.library.installer import Installer
from openshelf.library.kept_downloads import KeptDownloads
from openshelf.library.offers import OfferParts
from openshelf.library.queue_parts import DownloadsParts
from openshelf.library.store import Library
from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.licenses.facts import load_licenses
from openshelf.network import EgressLog, NetworkOptions
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.tasks import CancelToken, PoolTaskRunner, no_report
from tests.fakes.hub.loopback import LoopbackHub


@dataclass
class Home:
    """Everything of one home folder; `reopen` is the next start of the app."""

    folder: Path
    options: NetworkOptions
    library: Library
    parts: OfferParts
    installer: Installer
    runner: PoolTaskRunner
    downloads: Downloads
    kept: KeptDownloads

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def prepare(self, target: str) -> InstallOffer:
        return self.installer.prepare(target, CancelToken(), no_report)

    def install(self, target: str) -> InstalledModel:
        offer = self.prepare(target)
        clearance = self.installer.accept(offer, AcceptanceForm("Ada"))
        return self.installer.install(offer, clearance, CancelToken(), no_report)

    def under(self, policy: Policy) -> Installer:
        gate = Gate(load_licenses(), policy, self.parts.acceptances)
        return Installer(replace(self.parts, gate=gate))

    def close(self) -> None:
        self.downloads.close()
        self.runner.close()
        self.library.close()
        self.parts.client().close()


def open_home(folder: Path, options: NetworkOptions) -> Home:
    library = Library(folder / "data" / "library.sqlite3", folder / "models")
    log = AcceptanceLog(folder / "data" / "acceptances.jsonl", folder / "data" / "head.json")
    gate = Gate(load_licenses(), Policy(), log)
    egress = EgressLog()
    client = HubClient(options, folder / "cache", egress)
    parts = OfferParts(
        client=lambda: client,
        catalog=load_catalog,
        gate=gate,
        acceptances=log,
        library=library,
    )
    installer, runner = Installer(parts), PoolTaskRunner()
    queue = DownloadsParts(
        folder=folder / "data" / "downloads",
        runner=runner,
        installer=installer,
        gate=gate,
        library=library,
        place=FetchPlace(egress, RateShare()),
    )
    downloads, kept = Downloads(queue), KeptDownloads(queue)
    return Home(folder, options, library, parts, installer, runner, downloads, kept)


OpenHome = Callable[..., Home]


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


@pytest.fixture
def open_at(tmp_path: Path) -> Iterator[OpenHome]:
    """Opens the same home again and again; all are closed in the end."""
    homes: list[Home] = []

    def open_one(**options: Any) -> Home:
        home = open_home(tmp_path / "app", NetworkOptions(**options))
        homes.append(home)
        return home

    yield open_one
    for home in homes:
        home.close()

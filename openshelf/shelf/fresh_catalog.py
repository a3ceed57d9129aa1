"""The catalog as it is now: the shipped one, and over it what was fetched."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from openshelf.catalog.entries import Catalog
from openshelf.catalog.found import FoundRepo
from openshelf.catalog.loader import load_catalog
from openshelf.catalog.refresh import CatalogRefresh, Freshness, Sources
from openshelf.hub.catalog_file import fetch_catalog_file
from openshelf.hub.client import HubClient
from openshelf.network import EgressLog, NetworkWishes, options_from
from openshelf.settings import Settings
from openshelf.tasks import CancelToken, Report


class FreshCatalog:
    """Called, it gives the catalog; only `refresh` asks anybody. Thread-safe."""

    def __init__(self, folder: Path, settings: Callable[[], Settings], egress: EgressLog) -> None:
        self._refresh = CatalogRefresh(folder, cache(load_catalog))
        self._settings = settings
        self._egress = egress

    def __call__(self) -> Catalog:
        return self._refresh.catalog(*self._places())

    def freshness(self) -> Freshness:
        return self._refresh.freshness(*self._places())

    def refresh(
        self, client: Callable[[], HubClient], cancel: CancelToken, report: Report
    ) -> Freshness:
        """Ask for what is new, at most once a day. Raises CancelledByUser."""
        hub, (host, address) = client(), self._places()
        sources = Sources(
            host=host,
            newest_of=partial(_newest_of, hub),
            fetch=partial(fetch_catalog_file, hub.options, egress=self._egress),
            address=address,
            offline=hub.options.offline,
        )
        return self._refresh.refresh(sources, cancel, report)

    def _places(self) -> tuple[str, str]:
        """The Hub's host and the address that what was fetched is kept for."""
        settings = self._settings()
        options = options_from(os.environ, NetworkWishes(endpoint=settings.hub_endpoint))
        return options.host, settings.catalog_address


def _newest_of(hub: HubClient, account: str) -> Sequence[FoundRepo]:
    return [FoundRepo(**vars(listed)) for listed in hub.newest_of(account)]

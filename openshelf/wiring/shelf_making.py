"""What the shelf's rows are made of, and what is kept from one question to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from openshelf.catalog.entries import Catalog
from openshelf.engine.architectures import KnownArchitectures
from openshelf.hardware.facts import Machine
from openshelf.library.starter import Starter, find_starters
from openshelf.library.store import Library
from openshelf.licenses.license import License
from openshelf.policy.organization import Policy
from openshelf.shelf.builder import build_shelf
from openshelf.shelf.decisions import CatalogDecisions, commercial_use
from openshelf.shelf.fresh_catalog import FreshCatalog
from openshelf.shelf.parts import LocalVariant, ShelfParts
from openshelf.shelf.preview import PolicyPreview, ShelfPreview
from openshelf.shelf.prospects import Stock, StockKey
from openshelf.shelf.rows import Shelf, ShelfQuestion


class ShelfMaking:
    """Builds shelves under whichever decisions are handed in."""

    def __init__(
        self,
        catalog: FreshCatalog,
        licenses: Mapping[str, License],
        library: Library,
        architectures: KnownArchitectures,
    ) -> None:
        self._catalog = catalog
        self._licenses = licenses
        self._library = library
        self._architectures = architectures
        self._last_stock: tuple[Catalog | None, Stock | None] = (None, None)
        self._last_preview: tuple[Catalog | None, ShelfPreview | None] = (None, None)

    def shelf(
        self, decisions: Callable[[], CatalogDecisions], machine: Machine, question: ShelfQuestion
    ) -> Shelf:
        parts, catalog = self.parts(decisions), self._catalog()
        stock = self._stock(catalog, parts, question)
        return build_shelf(machine, question, catalog, parts, stock)

    def parts(self, decisions: Callable[[], CatalogDecisions]) -> ShelfParts:
        installed = self._library.installed()
        here = {file.sha256 for model in installed for file in model.files}
        return ShelfParts(
            decide=decisions().decide,
            installed=installed,
            local=tuple(_local(starter) for starter in find_starters(here)),
            commercial_use=lambda decision: commercial_use(decision, self._licenses),
            engine=self._architectures.current(),
            freshness=self._catalog.freshness(),
        )

    def _stock(self, catalog: Catalog, parts: ShelfParts, question: ShelfQuestion) -> Stock:
        """The last one is kept: what the window asks mostly differs in machine and filters."""
        key = StockKey(question.request, parts.installed, parts.local)
        of, kept = self._last_stock
        if of is not catalog or kept is None or kept.key != key:
            kept = Stock.of(catalog, parts, question.request)
            self._last_stock = (catalog, kept)
        return kept

    def preview(self, draft: Policy) -> PolicyPreview:
        """The last catalog's is kept: a draft changes with every key."""
        catalog = self._catalog()
        of, kept = self._last_preview
        if of is not catalog or kept is None:
            kept = ShelfPreview(catalog, self._licenses)
            self._last_preview = (catalog, kept)
        return kept.under(draft)


def _local(starter: Starter) -> LocalVariant:
    model = starter.model
    return LocalVariant(model.repo, model.quant, model.file, model.size_bytes, model.sha256)

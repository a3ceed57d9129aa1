"""Finds models by words: in the catalog, and among the Hub's repositories, as rows of one kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from openshelf.catalog.entries import Catalog
from openshelf.errors import NetworkFailure, Offline, UnknownFilter, UsageError
from openshelf.hardware.facts import Machine
from openshelf.hub.entries import SearchHit
from openshelf.hub.targets import TargetKind, parse_target
from openshelf.licenses.claims import RepoClaims
from openshelf.licenses.index import shipped_index
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.builder import build_row, build_shelf
from openshelf.shelf.filters import PUBLISHER, keeps_family, keeps_model, keeps_row, models_called
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.prospects import Stock, StockKey, prospects_for
from openshelf.shelf.ranking import Bench
from openshelf.shelf.rows import RankedVariant, Shelf, ShelfQuestion, ShelfRow
from openshelf.shelf.strangers import Found, claims_in, found_in_catalog, variants_in
from openshelf.tasks import CancelToken

LEAST_LETTERS = 2
"""Fewer find everything."""


class SearchesHub(Protocol):
    """What is needed of HubClient."""

    def search(self, text: str, limit: int = 20) -> tuple[SearchHit, ...]: ...


@dataclass(frozen=True)
class HubRow:
    """A repository of the Hub as a row of the shelf. `is_known` says that family and model are the
    catalog's; else they are only what the Hub's list tells, and nobody reviewed them."""

    row: ShelfRow
    hit: SearchHit
    is_known: bool

    @property
    def repo(self) -> str:
        return self.hit.repo

    def as_json(self) -> dict[str, Any]:
        return {
            **self.row.as_json(),
            "repo": self.repo,
            "in_catalog": self.is_known,
            "downloads": self.hit.downloads,
            "likes": self.hit.likes,
            "last_modified": self.hit.details.last_modified,
            "gated": self.hit.gated,
        }


@dataclass(frozen=True)
class SearchAnswer:
    """`shelf` has the catalog's rows alone; `notes` say why the Hub could not be asked."""

    text: str
    shelf: Shelf
    hub: tuple[HubRow, ...] = ()
    notes: tuple[Reason, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "query": self.text,
            "machine": self.shelf.machine.name,
            "context_length": self.shelf.context_length,
            "catalog_as_of": self.shelf.catalog_as_of,
            "families": [row.as_json() for row in self.shelf.rows],
            "hub": [row.as_json() for row in self.hub],
            "notes": [note.as_json() for note in self.notes],
        }


@dataclass(frozen=True)
class SearchQuestion:
    """`text` as typed, how many repositories at most, and how a shelf would be asked."""

    text: str
    shelf: ShelfQuestion
    limit: int = 20


@dataclass(frozen=True)
class Search:
    """Wired by `wiring`. Thread-safe."""

    client: Callable[[], SearchesHub]
    catalog: Callable[[], Catalog]
    parts: Callable[[], ShelfParts]
    shelf: Callable[[Machine, ShelfQuestion], Shelf]
    decide: Callable[[RepoClaims], Decision]

    def find(self, machine: Machine, question: SearchQuestion, cancel: CancelToken) -> SearchAnswer:
        """One request to the Hub; where it does not answer, the catalog's rows and why.

        Raises UsageError for a question that makes no sense (UnknownFilter for a filter that
        nothing can pass), CancelledByUser.
        """
        shelf = self.shelf(machine, question.shelf)
        for unknown in shelf.unknown_filters:
            if not _may_be_on_the_hub(unknown):
                raise unknown
        rows = self._catalog_rows(shelf, question)
        answer = SearchAnswer(question.text, replace(shelf, rows=rows, starters=()))
        cancel.raise_if_cancelled()
        words = words_for_hub(question.text)
        if len(words) < LEAST_LETTERS:
            return replace(answer, notes=(Reason("search_hub_not_asked"),))
        try:
            hits = self.client().search(words, question.limit)
        except (Offline, NetworkFailure) as error:
            waiting = getattr(error, "retry_after_seconds", None)
            data = {} if waiting is None else {"seconds": round(waiting)}
            return replace(answer, notes=(Reason(f"search_hub_{error.code}", data),))
        cancel.raise_if_cancelled()
        return replace(answer, hub=self._rows(hits, machine, question.shelf))

    def _catalog_rows(self, shelf: Shelf, question: SearchQuestion) -> tuple[ShelfRow, ...]:
        """Families that are called so, then those that have models called so, with these alone."""
        named, narrowed, parts = [], [], self.parts()
        for row in shelf.rows:
            family, models = row.family, models_called(row.family, question.text)
            if models == family.models:
                named.append(row)
            elif models:
                only = Catalog((replace(family, models=models),), shelf.catalog_as_of)
                found = build_shelf(shelf.machine, question.shelf, only, parts)
                narrowed += [replace(row, family=family) for row in found.rows]
        return (*named, *narrowed)

    def _rows(
        self, hits: tuple[SearchHit, ...], machine: Machine, question: ShelfQuestion
    ) -> tuple[HubRow, ...]:
        catalog, parts = self.catalog(), self.parts()
        rows = []
        for hit in hits:
            found = found_in_catalog(hit, catalog)
            row = self._row(found, machine, question, parts)
            if row is not None:
                rows.append(HubRow(row, hit, found.is_known))
        return tuple(rows)

    def _row(
        self, found: Found, machine: Machine, question: ShelfQuestion, parts: ShelfParts
    ) -> ShelfRow | None:
        """None where the question's filters leave it out."""
        if not found.is_known:
            decision = self.decide(claims_in(found.hit.details))
            parts = replace(parts, decide=lambda model, repo: decision)
        if not _is_by(found, question.packager):
            return None
        kept = replace(question, packager=None)
        # Of a stranger's abilities nobody told more than its task.
        told = found.model if found.is_known else replace(found.model, capabilities=())
        if not keeps_family(found.family, kept) or not keeps_model(told, kept, parts):
            return None
        prospects = prospects_for(variants_in(found), parts, question.request)
        key = StockKey(question.request, parts.installed, parts.local)
        stock = Stock(key, {found.model.id: prospects} if prospects else {})
        row = build_row(found.family, Bench(machine, question, parts, stock))
        return _with_origin(row, found) if keeps_row(row, question) else None


def _may_be_on_the_hub(unknown: UnknownFilter) -> bool:
    """Anybody packages models there, under any license that we know of."""
    if unknown.what == "license":
        return bool(shipped_index().by_name(unknown.name))
    return unknown.what == "packager"


def words_for_hub(text: str) -> str:
    """What of `text` the Hub is asked for: of a pasted address or command line the repository, of
    a path on this machine nothing."""
    try:
        target = parse_target(text)
    except UsageError:
        return text.strip()
    if target.kind is TargetKind.PATH:
        return ""
    return target.repo if target.kind is TargetKind.HUB else text.strip()


def _is_by(found: Found, packager: str | None) -> bool:
    owner = found.hit.repo.partition("/")[0].casefold()
    if packager is None:
        return True
    if packager.casefold() == PUBLISHER:
        return owner == found.model.hub_repo.partition("/")[0].casefold()
    return packager.casefold() == owner


def _with_origin(row: ShelfRow, found: Found) -> ShelfRow:
    """Says on the row that it is the Hub's word, and how many people take it."""
    code = "search_packaged" if found.is_known else "search_not_reviewed"
    owner = found.hit.repo.partition("/")[0]
    told = Reason(code, {"repo": found.hit.repo, "owner": owner, "count": found.hit.downloads or 0})

    def with_word(ranked: RankedVariant | None) -> RankedVariant | None:
        return None if ranked is None else replace(ranked, reasons=(*ranked.reasons, told))

    return replace(row, recommended=with_word(row.recommended), nearest=with_word(row.nearest))

"""Brings the catalog up to date, at most once a day: new repositories of known accounts on the
Hub, and a catalog from an address that a person set. What is kept is never replaced by less.

Knows neither the Hub's library nor the settings: `services` gives it what it asks with.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from openshelf.catalog.entries import Catalog, Family
from openshelf.catalog.found import FoundRepo, with_found
from openshelf.catalog.kept import AccountList, KeptFile, KeptLists, Store
from openshelf.catalog.loader import read_catalog_file
from openshelf.catalog.packagers import load_packagers
from openshelf.errors import (
    CorruptCatalog,
    GatedModel,
    NetworkFailure,
    NotFound,
    OpenshelfError,
    RateLimited,
)
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken, Progress, Report

DAY_SECONDS = 24 * 3600.0
SMALLER_LIST_SECONDS = 7 * DAY_SECONDS
"""A list that stays smaller for this long is believed: repositories are deleted, too."""
REFRESHING = "refreshing"
WAITING = "refresh_waiting"


class CatalogText(Protocol):
    """A file as it came; what is sent back the next time with it."""

    @property
    def text(self) -> str: ...
    @property
    def etag(self) -> str: ...
    @property
    def last_modified(self) -> str: ...


@dataclass(frozen=True)
class Sources:
    """What to ask, and how. `host` names the Hub; `address` is empty where there is none.

    `fetch(address, known)` returns None where the file is still what `known` is. Both raise
    Offline, NetworkFailure, RateLimited, UsageError.
    """

    host: str
    newest_of: Callable[[str], Sequence[FoundRepo]]
    fetch: Callable[[str, KeptFile | None], CatalogText | None]
    address: str = ""
    offline: bool = False


@dataclass(frozen=True)
class Freshness:
    """How old what was fetched is (seconds since 1970; None where nothing was yet), and what the
    last attempt came to where it was not all well."""

    refreshed_at: float | None = None
    note: Reason | None = None


NEVER_REFRESHED = Freshness()


class CatalogRefresh:
    """Thread-safe; `refresh` waits for the network, everything else does not."""

    def __init__(
        self,
        folder: Path,
        shipped: Callable[[], Catalog],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = Store(folder)
        self._shipped = shipped
        self._clock = clock
        self._refreshing = threading.Lock()
        self._lock = threading.Lock()
        self._merged: tuple[tuple[str, str], Catalog, Freshness] | None = None

    def catalog(self, host: str, address: str) -> Catalog:
        """The shipped catalog, and over it what is kept of this Hub and this address."""
        return self._current(host, address)[0]

    def freshness(self, host: str, address: str) -> Freshness:
        """With the seconds that are left where somebody asked to wait."""
        fresh = self._current(host, address)[1]
        if fresh.note is None or fresh.note.code != WAITING:
            return fresh
        data = dict(fresh.note.data)
        left = float(str(data["until"])) - self._clock()
        note = Reason(WAITING, {**data, "wait_seconds": math.ceil(left)}) if left > 0 else None
        return replace(fresh, note=note)

    def refresh(self, sources: Sources, cancel: CancelToken, report: Report) -> Freshness:
        """Ask for what was not asked for within a day. Raises nothing but CancelledByUser: what
        went wrong is the note, and what is kept stays."""
        with self._refreshing:
            try:
                if sources.address:
                    self._refresh_file(sources)
                self._refresh_lists(sources, cancel, report)
            finally:
                with self._lock:
                    self._merged = None
        return self.freshness(sources.host, sources.address)

    # --- what is kept -----------------------------------------------------------------------------

    def _current(self, host: str, address: str) -> tuple[Catalog, Freshness]:
        key = (host, address)
        with self._lock:
            if self._merged is None or self._merged[0] != key:
                self._merged = (key, *self._merge(host, address))
            return self._merged[1:]

    def _merge(self, host: str, address: str) -> tuple[Catalog, Freshness]:
        catalog, lists = self._shipped(), self._store.lists(host)
        note = lists.note
        if address:
            kept = self._store.file(address)
            note = kept.note or note
            catalog = with_families(catalog, _families(kept.text))
        found = [repo for account in lists.accounts.values() for repo in account.repos]
        return with_found(catalog, found), Freshness(lists.refreshed_at, note)

    # --- the Hub ----------------------------------------------------------------------------------

    def _refresh_lists(self, sources: Sources, cancel: CancelToken, report: Report) -> None:
        lists, now = self._store.lists(sources.host), self._clock()
        accounts = accounts_of(self.catalog(sources.host, sources.address))
        due = [name for name in accounts if not _is_fresh(lists.accounts.get(name), now)]
        if not due:
            return
        if now < lists.not_before <= now + DAY_SECONDS:
            return  # the note of back then says it
        if sources.offline:
            self._store.write_lists(sources.host, replace(lists, note=Reason("refresh_offline")))
            return
        round_ = _Round(sources, lists, now)
        try:
            for done, account in enumerate(due):
                cancel.raise_if_cancelled()
                report(Progress(done, len(due), REFRESHING))
                if not round_.ask(account):
                    break
            else:
                round_.complete()
        finally:
            self._store.write_lists(sources.host, round_.lists)

    # --- the address ------------------------------------------------------------------------------

    def _refresh_file(self, sources: Sources) -> None:
        kept, now = self._store.file(sources.address), self._clock()
        if kept.text and 0 <= now - kept.checked_at < DAY_SECONDS:
            return
        if now < kept.not_before <= now + DAY_SECONDS:
            return
        if sources.offline:
            self._store.write_file(replace(kept, note=Reason("refresh_offline")))
            return
        try:
            answer = sources.fetch(sources.address, kept if kept.text else None)
            kept = replace(_newer(kept, answer), checked_at=now, not_before=0.0, note=None)
        except RateLimited as error:
            wait = min(max(error.retry_after_seconds, 1.0), DAY_SECONDS)
            kept = replace(kept, not_before=now + wait, note=_waiting(error, now + wait))
        except _SmallerCatalog as error:
            kept = replace(kept, note=Reason("refresh_smaller_catalog", error.figures))
        except CorruptCatalog as error:
            data = {"address": sources.address, "detail": error.detail}
            kept = replace(kept, note=Reason("refresh_bad_catalog", data))
        except OpenshelfError as error:
            kept = replace(kept, note=_failed(error))
        self._store.write_file(kept)


class _Round:
    """One account after another, until all were asked or the Hub does not answer as it should."""

    def __init__(self, sources: Sources, lists: KeptLists, now: float) -> None:
        self.lists = lists
        self._sources, self._now = sources, now
        self._note: Reason | None = None

    def ask(self, account: str) -> bool:
        """False where the others have to wait for another day or another network."""
        try:
            repos = self._sources.newest_of(account)
        except RateLimited as error:
            wait = min(max(error.retry_after_seconds, 1.0), DAY_SECONDS)
            until = self._now + wait
            self.lists = replace(self.lists, not_before=until, note=_waiting(error, until))
            return False
        except OpenshelfError as error:
            if not _is_about_one(error):
                self.lists = replace(self.lists, note=_failed(error))
                return False
            known = self.lists.accounts.get(account)
            repos = known.repos if known is not None else ()
            self._note = _failed(error)
        self.lists, smaller = _with_answer(self.lists, account, repos, self._now)
        self._note = self._note or smaller
        return True

    def complete(self) -> None:
        self.lists = replace(self.lists, refreshed_at=self._now, not_before=0.0, note=self._note)


def _is_about_one(error: OpenshelfError) -> bool:
    """Whether the Hub answered, and only this account is the trouble."""
    is_status = isinstance(error, NetworkFailure) and error.why in ("http_400", "http_403")
    return is_status or isinstance(error, NotFound | GatedModel)


def accounts_of(catalog: Catalog) -> list[str]:
    """Who is asked for, as they write themselves: the publishers of the catalog's models, then
    the known packagers."""
    publishers = [m.hub_repo.partition("/")[0] for f in catalog.families for m in f.models]
    packagers = [packager.account for packager in load_packagers().known.values()]
    names: dict[str, str] = {}
    for name in (*publishers, *packagers):
        names.setdefault(name.casefold(), name)
    return list(names.values())


def with_families(catalog: Catalog, families: Sequence[Family]) -> Catalog:
    """`catalog` with `families` over it, where they were reviewed later than those of the same id.

    A family that brings a model which another one has is left out.
    """
    by_id = {family.id: family for family in catalog.families}
    for family in families:
        known = by_id.get(family.id)
        if known is not None and known.reviewed >= family.reviewed:
            continue
        others = {m.hub_repo.casefold() for f in by_id.values() if f is not known for m in f.models}
        if not any(model.hub_repo.casefold() in others for model in family.models):
            by_id[family.id] = family
    ordered = sorted(by_id.values(), key=lambda family: (family.order, family.name.casefold()))
    return replace(catalog, families=tuple(ordered))


def _families(text: str) -> tuple[Family, ...]:
    try:
        return read_catalog_file(text) if text else ()
    except CorruptCatalog:  # kept by an Openshelf with other rules
        return ()


def _models(families: Sequence[Family]) -> int:
    return sum(len(family.models) for family in families)


class _SmallerCatalog(Exception):
    """A catalog with fewer models than the one that is kept."""

    def __init__(self, kept: int, came: int) -> None:
        super().__init__(kept, came)
        self.figures: dict[str, object] = {"kept": kept, "came": came}


def _newer(kept: KeptFile, answer: CatalogText | None) -> KeptFile:
    """Raises CorruptCatalog, _SmallerCatalog."""
    if answer is None:
        return kept
    came = _models(read_catalog_file(answer.text))
    known = _models(_families(kept.text))
    if came < known:
        raise _SmallerCatalog(known, came)
    return replace(kept, text=answer.text, etag=answer.etag, last_modified=answer.last_modified)


def _is_fresh(account: AccountList | None, now: float) -> bool:
    """A time in the future comes from a clock that was wrong."""
    return account is not None and 0 <= now - account.asked_at < DAY_SECONDS


def _with_answer(
    lists: KeptLists, account: str, repos: Sequence[FoundRepo], now: float
) -> tuple[KeptLists, Reason | None]:
    """A list that became smaller is not taken over until it has stayed so for a while."""
    before = lists.accounts.get(account)
    entry, note = AccountList(now, tuple(repos)), None
    if before is not None and len(repos) < len(before.repos):
        since = now if before.smaller_since is None else before.smaller_since
        if now - since < SMALLER_LIST_SECONDS:
            entry = AccountList(now, before.repos, since)
            note = Reason("refresh_smaller_list", {"account": account})
    return replace(lists, accounts={**lists.accounts, account: entry}), note


def _waiting(error: RateLimited, until: float) -> Reason:
    return Reason(WAITING, {"host": error.host, "until": until})


def _failed(error: OpenshelfError) -> Reason:
    if isinstance(error, NetworkFailure):
        return Reason("refresh_failed", {"host": error.host, "why": error.why})
    return Reason("refresh_failed", {"host": str(error.data().get("host", "?")), "why": error.code})

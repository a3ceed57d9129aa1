"""Puts what the Hub lists beside the reviewed catalog: new builds of known models, new models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from openshelf.catalog.entries import Catalog, CatalogModel, CatalogShape, Family, Languages

_NEW_FOR_DAYS = 60
"""What was there longer than this before the catalog was reviewed was left out of it on purpose."""
_ORDER = 5000
_MOST_NEW_MODELS = 300
_SIZE = re.compile(r"[ae]?\d+(\.\d+)?[bm]|\d+x\d+(\.\d+)?b", re.IGNORECASE)
_KIND = re.compile(r"instruct|base|chat|it|pt|preview|thinking|reasoning", re.IGNORECASE)
_ARCHITECTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_SHAPE = CatalogShape(None, None, None, None, None, None, None)


@dataclass(frozen=True)
class FoundRepo:
    """A repository with GGUF files; `base` is what it was quantized from, `created` a day."""

    repo: str
    base: str | None = None
    architecture: str | None = None
    created: str | None = None


@dataclass(frozen=True)
class Publisher:
    name: str
    origin: str | None


def publishers_of(catalog: Catalog) -> Mapping[str, Publisher]:
    """Account on the Hub → who that is, of all models in the catalog."""
    found: dict[str, Publisher] = {}
    for family in catalog.families:
        for model in family.models:
            account = model.hub_repo.partition("/")[0].casefold()
            found.setdefault(account, Publisher(family.publisher, family.origin))
    return found


def with_found(catalog: Catalog, found: Iterable[FoundRepo]) -> Catalog:
    """`catalog` with what the Hub lists besides.

    Repositories of known models are added to those; what a known publisher made since the review
    is a new family of its own, marked. Everything else is left out.
    """
    publishers = publishers_of(catalog)
    bases = {m.hub_repo.casefold(): m for family in catalog.families for m in family.models}
    known = set(bases) | {repo.casefold() for model in bases.values() for repo in model.gguf_repos}
    more: dict[str, list[str]] = {}
    new: dict[str, list[FoundRepo]] = {}
    for entry in found:
        base = entry.base or _own_base(entry.repo)
        if entry.repo.casefold() in known:
            continue
        known.add(entry.repo.casefold())
        if base.casefold() in bases:
            more.setdefault(base.casefold(), []).append(entry.repo)
        elif base.partition("/")[0].casefold() in publishers and _is_new(entry, catalog.as_of):
            new.setdefault(base.casefold(), []).append(replace(entry, base=base))
    families = [_with_more(family, more) for family in catalog.families]
    return replace(catalog, families=(*families, *_new_families(new, publishers)))


def _own_base(repo: str) -> str:
    """What a publisher's own repository is a build of, by its name."""
    return re.sub(r"[-_.]gguf$", "", repo, flags=re.IGNORECASE)


def _is_new(entry: FoundRepo, as_of: str) -> bool:
    try:
        since = date.fromisoformat(as_of) - timedelta(days=_NEW_FOR_DAYS)
    except (ValueError, OverflowError):
        return True
    return entry.created is None or entry.created >= since.isoformat()


def _with_more(family: Family, more: Mapping[str, list[str]]) -> Family:
    if not any(model.hub_repo.casefold() in more for model in family.models):
        return family
    return replace(family, models=tuple(_model_with_more(m, more) for m in family.models))


def _model_with_more(model: CatalogModel, more: Mapping[str, list[str]]) -> CatalogModel:
    repos = more.get(model.hub_repo.casefold(), [])
    return replace(
        model,
        gguf_repos=(*model.gguf_repos, *repos),
        gguf_evidence=(*model.gguf_evidence, *(("the Hub's list",) for _ in repos)),
    )


def _new_families(
    new: Mapping[str, list[FoundRepo]], publishers: Mapping[str, Publisher]
) -> list[Family]:
    """Models of one name and account are sizes of one family; the latest first."""
    latest = sorted(new.values(), key=lambda entries: _day(entries), reverse=True)
    grouped: dict[tuple[str, str], list[CatalogModel]] = {}
    days: dict[tuple[str, str], str] = {}
    for entries in latest[:_MOST_NEW_MODELS]:
        model = _new_model(entries)
        account, _, name = model.hub_repo.partition("/")
        key = (account.casefold(), _stem(name))
        grouped.setdefault(key, []).append(model)
        days.setdefault(key, _day(entries))
    return [
        Family(
            id=f"new:{account}/{stem.casefold()}",
            name=stem,
            publisher=publishers[account].name,
            origin=publishers[account].origin,
            models=tuple(models),
            order=_ORDER + index,
            reviewed=days[account, stem],
        )
        for index, ((account, stem), models) in enumerate(grouped.items())
    ]


def _day(entries: Iterable[FoundRepo]) -> str:
    return max((entry.created or "" for entry in entries), default="")


def _new_model(entries: list[FoundRepo]) -> CatalogModel:
    base = entries[0].base or entries[0].repo
    told = [entry.architecture for entry in entries if entry.architecture]
    architecture = told[0] if told and _ARCHITECTURE.fullmatch(told[0]) else None
    name = base.rpartition("/")[2]
    return CatalogModel(
        id=f"new:{base.casefold()}",
        name=name,
        label=name,
        hub_repo=base,
        gguf_repos=tuple(entry.repo for entry in entries),
        gguf_evidence=tuple(("the Hub's list",) for _ in entries),
        shape=replace(_NO_SHAPE, architecture=architecture),
        parameters=None,
        active_parameters=None,
        weights_count=None,
        license="",
        languages=Languages(None),
        modalities=(),
        capabilities=(),
        release_date=_day(entries) or None,
        unverified=("release_date", "origin"),
        source="the Hub's list of new repositories",
        is_new=True,
    )


def _stem(name: str) -> str:
    """`Qwen4-8B-Instruct` → `Qwen4`: what comes before the size, else before what kind it is."""
    words = name.split("-")
    for pattern in (_SIZE, _KIND):
        for at, word in enumerate(words):
            if at and pattern.fullmatch(word):
                return "-".join(words[:at])
    return name

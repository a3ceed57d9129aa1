"""Which values the shelf's filters can have: those that something in the catalog has."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from openshelf.catalog.entries import Catalog, CatalogModel
from openshelf.catalog.packagers import load_packagers
from openshelf.errors import UnknownFilter
from openshelf.shelf.filters import COMMERCIAL, PUBLISHER, has_license, keeps_family, repos_of
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.rows import ShelfQuestion

_MOST_NAMED = 8
_FEW = 16
"""So many are all named."""


@dataclass(frozen=True)
class FilterChoices:
    """Values that occur in the catalog, sorted; licenses as the publishers declare them."""

    licenses: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    packagers: tuple[str, ...] = ()
    """Accounts that we know and that have files of some model."""

    @classmethod
    def of(cls, catalog: Catalog) -> FilterChoices:
        models = _models(catalog)
        return cls(
            tuple(sorted({model.license for model in models if model.license})),
            tuple(sorted({code for family in catalog.families for code in family.origins})),
            tuple(sorted({code for model in models for code in model.languages.codes})),
            tuple(sorted({name for model in models for name in model.capabilities})),
            tuple(sorted({name for model in models for name in model.modalities})),
            _known_packagers(models),
        )


def unknown_filters(
    question: ShelfQuestion, catalog: Catalog, parts: ShelfParts
) -> tuple[UnknownFilter, ...]:
    """The filters that nothing in the catalog can pass because their value is misspelled, or from
    a catalog that knew more; each with the values that come near, or the most usual ones."""
    models = _models(catalog)
    known: dict[str, Callable[[str], Iterable[str] | None]] = {
        "family": lambda value: _families(value, catalog),
        "use": lambda value: None if value == COMMERCIAL else (COMMERCIAL,),
        "language": lambda value: _listed(value, (m.languages.codes for m in models)),
        "license": lambda value: _licenses(value, models, parts),
        "origin": lambda value: _listed(value, (f.origins for f in catalog.families)),
        "capability": lambda value: _listed(value, (m.capabilities for m in models)),
        "modality": lambda value: _listed(value, (m.modalities for m in models)),
        "packager": lambda value: _packagers(value, models),
    }
    found = []
    for name, values in known.items():
        asked = getattr(question, name)
        others = values(asked) if asked else None
        if others is not None:
            found.append(UnknownFilter(what=name, name=asked, candidates=_near(asked, others)))
    return tuple(found)


def _listed(value: str, lists: Iterable[Iterable[str]]) -> Iterable[str] | None:
    """All values there are, each as often as it occurs; None where this is one of them."""
    values = [item for items in lists for item in items]
    return None if value.casefold() in {item.casefold() for item in values} else values


def _families(value: str, catalog: Catalog) -> Iterable[str] | None:
    only = ShelfQuestion(family=value)
    if any(keeps_family(family, only) for family in catalog.families):
        return None
    return [family.name for family in catalog.families]


def _licenses(
    value: str, models: Iterable[CatalogModel], parts: ShelfParts
) -> Iterable[str] | None:
    if any(has_license(model, value, parts) for model in models):
        return None
    return [model.license for model in models if model.license]


def _packagers(value: str, models: Iterable[CatalogModel]) -> Iterable[str] | None:
    if value.casefold() == PUBLISHER or any(repos_of(model, value) for model in models):
        return None
    repos = [repo for model in models for repo in model.gguf_repos]
    return [PUBLISHER, *(repo.partition("/")[0] for repo in repos)]


def _near(value: str, others: Iterable[str]) -> tuple[str, ...]:
    """Those that look alike or hold it; where none does, those that occur most often."""
    often = [name for name, _ in Counter(others).most_common()]
    by_key = {name.casefold(): name for name in often}
    wanted = value.strip().casefold()
    alike = difflib.get_close_matches(wanted, by_key, n=_MOST_NAMED, cutoff=0.6)
    alike += [key for key in by_key if len(wanted) > 1 and wanted in key and key not in alike]
    if alike:
        return tuple(by_key[key] for key in alike[:_MOST_NAMED])
    return tuple(often if len(often) <= _FEW else often[:_MOST_NAMED])


def _models(catalog: Catalog) -> list[CatalogModel]:
    return [model for family in catalog.families for model in family.models]


def _known_packagers(models: Iterable[CatalogModel]) -> tuple[str, ...]:
    packagers = load_packagers()
    found = {packagers.of(repo) for model in models for repo in model.gguf_repos}
    known = sorted((p for p in found if p.is_known), key=lambda packager: -packager.standing)
    return tuple(packager.account for packager in known)

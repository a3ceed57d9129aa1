"""Which families and models a question leaves on the shelf."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace

from openshelf.catalog.entries import Catalog, CatalogModel, Family
from openshelf.catalog.packagers import load_packagers
from openshelf.licenses.index import shipped_index
from openshelf.policy.verdict import Decision
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.rows import ShelfQuestion, ShelfRow

PUBLISHER = "publisher"
"""As a packager: whoever published the model itself."""
COMMERCIAL = "commercial"
"""As a use."""
_ALLOWING = ("yes", "conditional")


def keeps_family(family: Family, question: ShelfQuestion) -> bool:
    """By name or id (any part of it) and by the publisher's country."""
    if question.family:
        wanted = question.family.casefold()
        if wanted not in family.name.casefold() and wanted not in family.id:
            return False
    if question.origin:
        return question.origin.upper() in family.origins
    return True


def keeps_model(model: CatalogModel, question: ShelfQuestion, parts: ShelfParts) -> bool:
    """By language, capability, modality, packager, license and use. What nobody lists of a model
    is no reason to hide it; where use is asked for, only what is known to allow it stays."""
    if not (
        _allows(model.languages.codes, question.language)
        and _allows(model.capabilities, question.capability)
        and _allows(model.modalities, question.modality)
    ):
        return False
    if question.packager and not repos_of(model, question.packager):
        return False
    if not question.license and not question.use:
        return True
    if question.license and not has_license(model, question.license, parts):
        return False
    if question.use != COMMERCIAL:
        return True
    return parts.commercial_use(_decision(model, parts)) in _ALLOWING


def has_license(model: CatalogModel, name: str, parts: ShelfParts) -> bool:
    """Whether it is under this license, whatever of its names that is, or under a licensor's own
    variant of it."""
    return not license_ids(name).isdisjoint(_decision(model, parts).license.effective)


@functools.cache
def license_ids(name: str) -> frozenset[str]:
    """The licenses that are meant by a name; the name itself where none is called so."""
    index = shipped_index()
    found = index.by_name(name) or (name.casefold(),)
    return frozenset(found).union(*(index.variants_of(id_) for id_ in found))


def _decision(model: CatalogModel, parts: ShelfParts) -> Decision:
    repo = model.gguf_repos[0] if model.gguf_repos else model.hub_repo
    return parts.decide(model, repo)


def keeps_row(row: ShelfRow, question: ShelfQuestion) -> bool:
    return row.recommended is not None or not question.fits_only


def repos_of(model: CatalogModel, packager: str) -> tuple[str, ...]:
    """The model's repositories by one packager: an account, its name, or `publisher`."""
    wanted = packager.casefold()
    if wanted == PUBLISHER:
        wanted = _owner(model.hub_repo)
    names = load_packagers()
    return tuple(
        repo
        for repo in model.gguf_repos
        if wanted in (_owner(repo), names.of(repo).name.casefold())
    )


def of_packager(catalog: Catalog, packager: str) -> Catalog:
    """The catalog as if nobody else made files."""
    families = (
        replace(family, models=tuple(_by(model, packager) for model in family.models))
        for family in catalog.families
    )
    return replace(catalog, families=tuple(families))


def _by(model: CatalogModel, packager: str) -> CatalogModel:
    wanted = repos_of(model, packager)
    kept = [(repo, quants) for repo, quants in model.builds_known if repo in wanted]
    return replace(
        model,
        gguf_repos=tuple(repo for repo, _ in kept),
        gguf_quants=tuple(quants for _, quants in kept),
        gguf_evidence=(),
    )


def matches_text(family: Family, text: str) -> bool:
    """Whether all words typed into the search box occur in this family's names."""
    return _is_called(family, text, [model.name for model in family.models])


def models_called(family: Family, text: str) -> tuple[CatalogModel, ...]:
    """The models in whose name, with the family's and the publisher's, all of these words occur:
    every one where the family is called so."""
    return tuple(model for model in family.models if _is_called(family, text, [model.name]))


def _is_called(family: Family, text: str, names: Iterable[str]) -> bool:
    haystack = " ".join((family.name, family.publisher, *names)).casefold()
    return all(word in haystack for word in text.casefold().split())


def _allows(known: Iterable[str], wanted: str | None) -> bool:
    values = {value.casefold() for value in known}
    return not wanted or not values or wanted.casefold() in values


def _owner(repo: str) -> str:
    return repo.partition("/")[0].casefold()

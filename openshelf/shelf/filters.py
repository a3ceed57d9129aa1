"""Which families and models a question leaves on the shelf."""

from __future__ import annotations

from openshelf.catalog.entries import CatalogModel, Family
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.rows import ShelfQuestion

_COMMERCIAL = ("yes", "conditional")


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
    """By language, license and use. A model whose languages nobody lists is kept: not knowing is
    no reason to hide it; where use is asked for, only what is known to allow it stays."""
    codes = model.languages.codes
    if question.language and codes and question.language.casefold() not in codes:
        return False
    if not question.license and not question.use:
        return True
    repo = model.gguf_repos[0] if model.gguf_repos else model.hub_repo
    decision = parts.decide(model, repo)
    if question.license:
        wanted = question.license.casefold()
        if wanted not in (name.casefold() for name in decision.license.effective):
            return False
    return question.use != "commercial" or parts.commercial_use(decision) in _COMMERCIAL

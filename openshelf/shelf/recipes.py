"""How a file was quantized, as far as names, tags, cards and files beside it say; never a guess."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openshelf.gguf.names import IMATRIX, is_dynamic, parse_name, plain_label
from openshelf.hub.entries import Repo

_IMATRIX_WORD = re.compile(r"(?<![^\W_])(?:i1|imat|imatrix)(?![^\W_])", re.IGNORECASE)
_WITHOUT_MATRIX = ("F", "BF", "Q8_0", "TQ", "MXFP4", "NVFP4")
"""Types that llama.cpp makes without looking at a matrix, whatever the repository says."""


@dataclass(frozen=True)
class Recipe:
    """`imatrix` is None where nobody says; `dynamic` means a type chosen for each tensor.

    `basis` says where it is stated: name (the file's or the repository's), tags, card, files (a
    matrix lies beside it); None where nothing is.
    """

    imatrix: bool | None = None
    dynamic: bool = False
    basis: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"imatrix": self.imatrix, "dynamic": self.dynamic, "basis": self.basis}


def recipe_of(repo: Repo, quant: str | None, name: str) -> Recipe:
    """Of the file called `name` (without folder and extension) in `repo`."""
    dynamic = quant is not None and is_dynamic(quant)
    if quant is not None and plain_label(quant).startswith(_WITHOUT_MATRIX):
        return Recipe(False, dynamic, "name") if dynamic else Recipe()
    basis = _imatrix_basis(repo, name)
    if basis is not None:
        return Recipe(True, dynamic, basis)
    return Recipe(None, dynamic, "name" if dynamic else None)


def recipe_of_name(repo_id: str, quant: str | None, name: str) -> Recipe:
    """The same of a build of which nothing but names is known."""
    return recipe_of(Repo(repo_id, "", ()), quant, name)


def _imatrix_basis(repo: Repo, name: str) -> str | None:
    if _IMATRIX_WORD.search(name) or _IMATRIX_WORD.search(repo.id.rpartition("/")[2]):
        return "name"
    if "imatrix" in (tag.casefold() for tag in repo.tags):
        return "tags"
    if _card_says_imatrix(repo.card):
        return "card"
    has_matrix = any(parse_name(file.path).kind == IMATRIX for file in repo.files)
    return "files" if has_matrix else None


def _card_says_imatrix(card: Mapping[str, Any]) -> bool:
    tags = card.get("tags")
    return isinstance(tags, list) and "imatrix" in (str(tag).casefold() for tag in tags)

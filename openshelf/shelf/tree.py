"""The repositories that say to be quantized from a model: which of them are, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.catalog.packagers import load_packagers
from openshelf.gguf.names import parse_name
from openshelf.hub.entries import Repo, SearchHit
from openshelf.hub.variants import list_variants

_PACKAGING = frozenset(("gguf", "ggml", "i1", "imat", "imatrix", "quantized", "quants", "fp16"))
"""Words in a repository's name that tell of files and not of the model."""
_LARGEST_DIFFERENCE = 1.35
"""Between counts of weights of one model: untied copies and extra heads count or do not."""
_MOST_WEIGHTS = 1 << 50
"""What the Hub says of a file's weights is believed below this."""


@dataclass(frozen=True)
class Tree:
    """The packagers' repositories of one model, better known ones first, then by downloads.

    `left_out` is the number of repositories that name the model as their base and are called
    something else: fine-tunes and remixes, mostly.
    """

    repos: tuple[Repo, ...] = ()
    left_out: int = 0

    def find(self, repo_id: str) -> Repo | None:
        wanted = repo_id.casefold()
        return next((repo for repo in self.repos if repo.id.casefold() == wanted), None)


def tree_of(hits: Sequence[SearchHit], base: str, weights: int | None) -> Tree:
    """`hits` are what the Hub has for `base` (OWNER/REPO), of `weights` where that is known."""
    repos = [hit.details for hit in hits if list_variants(hit.details.files)]
    kept = [
        repo for repo in repos if is_model_of(repo.id, base) and agrees(weights_told(repo), weights)
    ]
    kept.sort(key=lambda repo: (-rank_of(repo.id, base), -(repo.downloads or 0)))
    return Tree(tuple(kept), len(repos) - len(kept))


def rank_of(repo_id: str, base: str) -> int:
    """2 for the publisher's own repositories, 1 for known packagers, 0 for all others."""
    if owner_of(repo_id) == owner_of(base):
        return 2
    return int(load_packagers().of(repo_id).is_known)


def is_model_of(repo_id: str, base: str) -> bool:
    """Whether the repository is called like `base`, but for words about files and owners.

    Anybody may name any base; a repository with another name holds another model.
    """
    owner = re.split(r"[-_.]", owner_of(base))
    return _without(_words(repo_id), owner) == _without(_words(base), owner)


def weights_told(repo: Repo) -> int | None:
    """Weights in a GGUF file of the repository, as the Hub read them; None where it did not."""
    total = repo.gguf.get("total")
    is_sane = isinstance(total, int) and not isinstance(total, bool) and 0 < total < _MOST_WEIGHTS
    return total if is_sane else None


def agrees(told: int | None, weights: int | None) -> bool:
    """Whether two counts may be of one model; what is not known may."""
    if not told or not weights:
        return True
    return max(told, weights) <= _LARGEST_DIFFERENCE * min(told, weights)


def owner_of(repo_id: str) -> str:
    return repo_id.partition("/")[0].casefold()


def _words(repo_id: str) -> list[str]:
    """`bartowski/Qwen_Qwen3-8B-Q4_K_M-GGUF` → qwen, qwen3, 8b."""
    name = repo_id.rpartition("/")[2]
    quant = parse_name(f"{name.casefold().removesuffix('-gguf')}.gguf").quant
    if quant is not None:
        pattern = re.escape(quant).replace(r"\-", "[-_.]").replace("_", "[-_.]")
        name = re.sub(rf"(?<![^\W_]){pattern}(?![^\W_])", "", name, flags=re.IGNORECASE)
    words = re.split(r"[-_.]+", name.casefold())
    return [word for word in words if word and word not in _PACKAGING]


def _without(words: list[str], owner: list[str]) -> list[str]:
    """Without the publisher's name before the model's: `google_gemma-…`, `Meta-Llama-…`."""
    for at, word in enumerate(words):
        if word not in owner:
            return words[at:]
    return words

"""Families and models as the catalog knows them; what is None here is shown as "unknown"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CatalogShape:
    """What the estimate needs to know of a model whose header is not at hand (counts, not bytes).

    `attention` is "full" for plain multi-head or grouped-query attention with a KV cache in every
    layer, and "other" for everything else (sliding window, MLA, hybrid…).
    """

    architecture: str | None
    n_layers: int | None
    n_embd: int | None
    n_head: int | None
    n_head_kv: int | None
    head_dim: int | None
    n_vocab: int | None
    n_expert: int | None = None
    n_expert_used: int | None = None
    context_length: int | None = None
    attention: str = "full"


@dataclass(frozen=True)
class Languages:
    count: int | None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CatalogModel:
    """One size of a family. Parameter counts are plain numbers (8_030_000_000)."""

    id: str
    name: str
    hub_repo: str
    gguf_repos: tuple[str, ...]
    shape: CatalogShape
    parameters: int | None
    active_parameters: int | None
    weights_count: int | None
    license: str
    languages: Languages
    modalities: tuple[str, ...]
    capabilities: tuple[str, ...]
    release_date: str | None
    lineage: tuple[str, ...] = ()
    """Repositories of the base models that the card does not name (licenses/lineage.py)."""
    unverified: tuple[str, ...] = ()
    """Names of the fields above that nobody checked yet."""


@dataclass(frozen=True)
class Family:
    id: str
    name: str
    publisher: str
    origin: str | None
    models: tuple[CatalogModel, ...]
    order: int = 1000


@dataclass(frozen=True)
class Catalog:
    families: tuple[Family, ...]
    as_of: str

    def find_model(self, repo: str) -> tuple[Family, CatalogModel] | None:
        """The model whose own or GGUF repository this is."""
        wanted = repo.casefold()
        for family in self.families:
            for model in family.models:
                repos = (model.hub_repo, *model.gguf_repos)
                if any(name.casefold() == wanted for name in repos):
                    return family, model
        return None

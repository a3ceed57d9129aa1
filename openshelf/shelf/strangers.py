"""A repository that a search found, as a row of the shelf, from what the Hub's list tells of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from openshelf.catalog.entries import (
    CHAT,
    EMBEDDING,
    Catalog,
    CatalogModel,
    CatalogShape,
    Family,
    Languages,
)
from openshelf.catalog.packagers import load_packagers
from openshelf.catalog.quants import expected_file_bytes
from openshelf.hub.entries import Repo, SearchHit
from openshelf.hub.variants import list_variants
from openshelf.licenses.claims import RepoClaims
from openshelf.shelf.rows import Variant
from openshelf.shelf.tree import agrees, is_model_of, weights_told

_LONGEST_NAME = 64
_WIDEST_HEAD = 128
_MOST_LAYERS = 80
_LARGEST_VOCABULARY = 262_144
_WEIGHTS_PER_LAYER_AND_WIDTH = 12
"""Times the width squared: attention and feed-forward part of a plain layer."""
_NOT_FOR_CHAT = {
    "feature-extraction": EMBEDDING,
    "sentence-similarity": EMBEDDING,
    "text-ranking": "ranking",
    "automatic-speech-recognition": "speech-recognition",
    "text-to-speech": "speech",
    "text-to-image": "images",
    "text-to-video": "video",
}
"""Tasks of the Hub whose models answer nobody."""
_SAME_WEIGHTS = 1.03
"""Files of one architecture whose counts differ by less have one shape."""


@dataclass(frozen=True)
class Found:
    """A hit with the family and model it is a build of; `is_known` says that they are the
    catalog's, otherwise they are made up of what the list tells."""

    hit: SearchHit
    family: Family
    model: CatalogModel
    is_known: bool


def found_in_catalog(hit: SearchHit, catalog: Catalog) -> Found:
    """The catalog's model that the repository holds, else one of its own."""
    repo = hit.details
    known = catalog.find_model(repo.id)
    if known is None:
        known = _base_of(repo, catalog, is_renamed=False)
    if known is not None:
        family, model = known
        return Found(hit, replace(family, models=(model,)), model, is_known=True)
    model = _stranger(hit, _base_of(repo, catalog, is_renamed=True))
    owner, _, name = repo.id.partition("/")
    family = Family(f"hub:{repo.id}", name.removesuffix("-GGUF"), owner, None, (model,))
    return Found(hit, family, model, is_known=False)


def variants_in(found: Found) -> list[Variant]:
    """What the names of its files tell, with expected sizes, the smallest first."""
    repo, variants = found.hit.details, {}
    for variant in list_variants(repo.files):
        size = expected_file_bytes(found.model, variant.quant) if variant.quant else None
        if variant.quant and size and variant.is_complete and variant.quant not in variants:
            variants[variant.quant] = Variant(
                family=found.family,
                model=found.model,
                repo=repo.id,
                quant=variant.quant,
                size_bytes=size,
                size_is_expected=True,
                packager=load_packagers().of(repo.id).name,
                target=f"{repo.id}:{variant.quant}",
                files=tuple(file.path for file in variant.files),
            )
    return sorted(variants.values(), key=lambda variant: variant.size_bytes)


def claims_in(repo: Repo) -> RepoClaims:
    """What a list tells of a license: the card's head and the base models, no text."""
    return RepoClaims(
        id=repo.id,
        commit=repo.commit or None,
        card=repo.card,
        files=tuple(file.path for file in repo.files),
        gated=repo.gated,
        base_models=repo.base_models,
    )


def _base_of(
    repo: Repo, catalog: Catalog, *, is_renamed: bool
) -> tuple[Family, CatalogModel] | None:
    """The catalog's model that the repository says to be made from, under its name or not."""
    for relation, base in repo.base_models:
        known = catalog.find_model(base)
        if known is None:
            continue
        is_same = relation == "quantized" and is_model_of(repo.id, base)
        if is_renamed or (is_same and agrees(weights_told(repo), known[1].file_weights)):
            return known
    return None


def _stranger(hit: SearchHit, base: tuple[Family, CatalogModel] | None) -> CatalogModel:
    repo = hit.details
    weights = weights_told(repo)
    return CatalogModel(
        id=f"hub:{repo.id}",
        name=repo.id,
        label=_size_label(weights),
        hub_repo=repo.id,
        gguf_repos=(repo.id,),
        shape=_shape(repo, weights, None if base is None else base[1]),
        parameters=weights,
        active_parameters=None,
        weights_count=weights,
        license=hit.license or "",
        languages=Languages(None),
        modalities=(),
        capabilities=(_ability(repo),),
        release_date=None,
        source="the Hub's list; not reviewed",
    )


def _ability(repo: Repo) -> str:
    """What the Hub's task says; chat where it says nothing of use, as for most GGUF files."""
    task = repo.card.get("pipeline_tag")
    return _NOT_FOR_CHAT.get(task, CHAT) if isinstance(task, str) else CHAT


def _size_label(weights: int | None) -> str:
    """`14.8B`, `135M`; empty where nobody counted."""
    if not weights:
        return ""
    return f"{weights / 1e9:.1f}B" if weights >= 1e9 else f"{weights / 1e6:.0f}M"


def _shape(repo: Repo, weights: int | None, base: CatalogModel | None) -> CatalogShape:
    """The base's where the counts agree; else a shape of that many weights that needs more context
    memory than any such model, so that what is worked out from it is an upper bound."""
    told = repo.gguf.get("architecture")
    architecture = told if isinstance(told, str) and len(told) <= _LONGEST_NAME else ""
    if base is not None and _is_one_shape(weights, base, architecture):
        return base.shape
    width = math.sqrt((weights or 0) / (_WEIGHTS_PER_LAYER_AND_WIDTH * _MOST_LAYERS))
    heads = max(1, round(width / _WIDEST_HEAD))
    context = repo.gguf.get("context_length")
    return CatalogShape(
        architecture=architecture,
        n_layers=_MOST_LAYERS,
        n_embd=heads * _WIDEST_HEAD,
        n_head=heads,
        n_head_kv=heads,
        head_dim=_WIDEST_HEAD,
        n_vocab=_LARGEST_VOCABULARY,
        context_length=context if type(context) is int and 0 < context < 1 << 32 else None,
        attention="other",
    )


def _is_one_shape(weights: int | None, base: CatalogModel, architecture: str) -> bool:
    own = base.file_weights
    if not weights or not own or architecture not in ("", base.shape.architecture):
        return False
    return max(weights, own) <= _SAME_WEIGHTS * min(weights, own)

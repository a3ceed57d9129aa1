"""Families and models as the catalog knows them; what is None here is shown as "unknown"."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

CHAT = "chat"
EMBEDDING = "embedding"
Key = int | float | bool | tuple[int, ...]
"""What a key of a header says; an array has one element per layer."""


@dataclass(frozen=True)
class CatalogShape:
    """What the estimate needs to know of a model whose header is not at hand (counts, not bytes).

    `attention` is "full" for plain multi-head or grouped-query attention with a KV cache in every
    layer, and "other" for everything else (sliding window, MLA, hybrid…), which `keys` describe.
    `is_complete` says that the parameters follow from these counts and keys (a test checks it); a
    partial shape is sized from the stated count of weights.
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
    n_ff: int | None = None
    expert_n_ff: int | None = None
    tied_embeddings: bool | None = None
    """True where the output layer shares the input embedding's weights."""
    is_complete: bool = False
    keys: tuple[tuple[str, Key], ...] = ()
    """What a GGUF's header of this model says besides: its keys without the architecture's name,
    sorted (attention.sliding_window, ssm.state_size…); they go before the counts above."""
    gguf_weights: int | None = None
    """Weights that a GGUF of the text model holds, where the counts above do not tell."""
    beside_weights: int | None = None
    """Weights of the stated count that it does not hold: vision, speech, heads that guess ahead."""

    @property
    def embedding_weights(self) -> int | None:
        """Weights of the input embedding (the output layer has as many)."""
        if self.n_vocab is None or self.n_embd is None:
            return None
        return self.n_vocab * self.n_embd

    @property
    def layer_weights(self) -> int | None:
        """Weights of all layers of the text model; None where a count is missing.

        Norms and biases are left out: below 0.1 % of any model.
        """
        counts = (self.n_layers, self.n_embd, self.n_head, self.n_head_kv, self.head_dim, self.n_ff)
        if self.attention != "full" or None in counts:
            return None
        layers, embd, head, head_kv, dim, feed_forward = (int(count or 0) for count in counts)
        attention = 2 * embd * dim * (head + head_kv)
        if self.n_expert is None:
            return layers * (attention + 3 * embd * feed_forward)
        if self.expert_n_ff is None:
            return None
        router = embd * self.n_expert
        return layers * (attention + router + 3 * embd * self.n_expert * self.expert_n_ff)

    @property
    def text_weights(self) -> int | None:
        """Weights that a GGUF of the text model holds: no vision tower, no untied copies."""
        if self.gguf_weights is not None:
            return self.gguf_weights
        layers, embedding = self.layer_weights, self.embedding_weights
        if layers is None or embedding is None or self.tied_embeddings is None:
            return None
        return layers + embedding * (1 if self.tied_embeddings else 2)


@dataclass(frozen=True)
class Languages:
    """`count` without `codes` means that the publisher names a number and no list."""

    count: int | None
    codes: tuple[str, ...] = ()
    basis: str | None = None


@dataclass(frozen=True)
class Openness:
    """What was released, in the publisher's layers: weights, training data, code."""

    weights: bool
    training_data: str
    code: str


@dataclass(frozen=True)
class CatalogModel:
    """One size of a family. Parameter counts are plain numbers (8_030_000_000).

    `weights_count` is the Hub's tensor count, with untied copies and extra heads; `parameters` is
    the publisher's number.
    """

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
    label: str = ""
    """The size as a card shows it beside the family's name: `14B`, `8B (Llama)`."""
    openness: Openness | None = None
    license_note: str | None = None
    lineage_source: str | None = None
    notes: str | None = None
    attention_note: str | None = None
    hub_model_type: str | None = None
    shape_source: str | None = None
    """The repository whose counts stand in the shape, where it is not the model's own."""
    source: str = ""
    is_unsure: bool = False
    gguf_evidence: tuple[tuple[str, ...], ...] = ()
    """Per repository of `gguf_repos`: who says that it exists."""
    is_new: bool = False
    """Found on the Hub and reviewed by nobody: its license counts as unknown."""
    gguf_quants: tuple[tuple[str, ...] | None, ...] = ()
    """Per repository of `gguf_repos`: what to expect in it (nothing worth offering where empty);
    None = what its packager usually makes."""
    native_quant: str | None = None
    """The quantization that the model was released in: making another one of it gains nothing."""
    specialty: str | None = None
    """The work (code, math, vision) that it is made for where its siblings are made for any."""

    @property
    def builds_known(self) -> tuple[tuple[str, tuple[str, ...] | None], ...]:
        """`gguf_repos`, each with its `gguf_quants`."""
        quants = itertools.chain(self.gguf_quants, itertools.repeat(None))
        return tuple(zip(self.gguf_repos, quants, strict=False))

    @property
    def is_for_chat(self) -> bool:
        """False for what turns text into vectors, or speech into text, and answers nobody."""
        return self.is_new or CHAT in self.capabilities

    @property
    def is_embedding(self) -> bool:
        return EMBEDDING in self.capabilities

    @property
    def file_weights(self) -> int | None:
        """Weights in a GGUF file of this model, as exactly as the catalog knows."""
        return self.shape.text_weights or self.weights_count or self.parameters


@dataclass(frozen=True)
class BaseModel:
    """A base that models of the shelf were made from and that is no row of its own."""

    repo: str
    license: str
    source: str
    origin: str | None = None
    verified: bool = False
    """Whether somebody read the license in that repository."""


@dataclass(frozen=True)
class Tradeoffs:
    """What a family gives and what it costs, in cells of a few words; None where nobody said.

    `judgement` and `unverified` name the cells that are an opinion, and those that nobody checked.
    """

    openness: str
    license: str
    strength: str
    weakness: str
    languages: str | None
    source: str
    judgement: tuple[str, ...]
    unverified: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """`origin` is the publisher's country, ISO 3166 alpha-2, several joined by a slash."""

    id: str
    name: str
    publisher: str
    origin: str | None
    models: tuple[CatalogModel, ...]
    order: int = 1000
    reviewed: str = ""
    bases: tuple[BaseModel, ...] = ()
    tradeoffs: Tradeoffs | None = None

    @property
    def kind(self) -> str:
        """`embedding` where every model only turns text into vectors, else `chat`."""
        return EMBEDDING if all(model.is_embedding for model in self.models) else CHAT

    @property
    def is_new(self) -> bool:
        """Found on the Hub and reviewed by nobody."""
        return any(model.is_new for model in self.models)

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(self.origin.split("/")) if self.origin else ()


@dataclass(frozen=True)
class Catalog:
    """`as_of` is the day of the oldest review among the families."""

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

    @property
    def architectures(self) -> frozenset[str]:
        """Of all models, as `general.architecture` names them."""
        found = (model.shape.architecture for family in self.families for model in family.models)
        return frozenset(name for name in found if name)

    def find_base(self, repo: str) -> BaseModel | None:
        """What is known of a repository that is only a base of models on the shelf."""
        wanted = repo.casefold()
        for family in self.families:
            for base in family.bases:
                if base.repo.casefold() == wanted:
                    return base
        return None

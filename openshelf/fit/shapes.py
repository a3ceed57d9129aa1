"""The figures of a model that the memory formulas need, exact from its header."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

from openshelf.fit.architectures import (
    CACHELESS_GRAPHS,
    INTERVAL_RECURRENT,
    MemoryClass,
    cache_class,
    memory_class,
)
from openshelf.fit.caches import (
    LayerCaches,
    head_lengths,
    is_latent,
    number,
    per_layer,
    read_caches,
    state_elements,
    trunk_layers,
    uniform_caches,
)
from openshelf.fit.graphs import EMBEDDING_NORM_IS_LAST, PARALLEL_ARCHITECTURES
from openshelf.fit.parts import Part
from openshelf.fit.projector import Projector
from openshelf.fit.repacking import ALWAYS_TWICE, NO_OUTPUT_LAYER, Rearranging
from openshelf.fit.tensor_sums import TensorFacts, sum_tensors, tensor_facts
from openshelf.gguf.header import Header

_RECURRENT_STATE_BYTES = 4
_PICTURE_POSITIONS = 4


@dataclass(frozen=True)
class LatentShape:
    """Multi-head latent attention: the compressed row, its rotated part, one head's own key."""

    rank: int
    rotated: int
    key_length: int
    value_length: int


@dataclass(frozen=True)
class StateShape:
    """A state-space layer: its inner width, the channels of its convolution, its heads."""

    inner: int
    channels: int
    heads: int
    state: int


@dataclass(frozen=True)
class ModelShape:
    """What the formulas need. `layer_bytes[i]` are the weights of layer i (experts included, as
    they lie in a buffer), `output_bytes` those that go with the output layer, `embedding_bytes`
    the input embedding (always on the CPU), `shared_bytes` what every device with a layer holds."""

    architecture: str
    known: bool
    n_layers: int
    n_embd: int
    n_head: int
    n_head_kv: int
    key_length: int
    value_length: int
    n_ff: int
    n_vocab: int
    n_expert: int
    n_expert_used: int
    layer_bytes: tuple[int, ...]
    embedding_bytes: int
    output_bytes: int
    tied_output: bool
    """The output layer uses the table of the input embedding (`table_bytes`)."""
    context_length: int | None
    parameters: int | None
    source: str
    """header, sibling (another file of the same model) or catalog."""
    expert_bytes: tuple[int, ...] = ()
    """Of each layer, what belongs to routed experts and can stay on the CPU."""
    n_ff_expert: int = 0
    shared_bytes: int = 0
    has_fused_qkv: bool = False
    n_head_full: int = 0
    """Heads of the layers that keep no window, where others have more; 0 = as many."""
    recurrent_bytes_per_layer: int = 0
    """State that does not grow with the context; only where the memory rules are unknown."""
    caches: LayerCaches | None = None
    """None = a full cache in every layer."""
    latent: LatentShape | None = None
    state: StateShape | None = None
    n_ff_shared: int = 0
    """Width of the experts that every token passes."""
    has_dense_layers: bool = False
    """Some layers of a mixture have one dense feed-forward part in place of experts."""
    has_post_norm: bool = False
    """The feed-forward part's result is normalized before it is added."""
    has_expert_bias: bool = False
    is_gated: bool = False
    """Each head's result is multiplied by a gate that is made with the queries."""
    has_short_convolution: bool = False
    n_appended: int = 0
    """Layers behind the last that predict further tokens: not loaded, but counted with the rest
    where layers are placed."""
    has_gate: bool = True
    """The feed-forward part multiplies two projections; without, it has one."""
    positions: int = 1
    """Numbers that tell where one token is: four where it may be part of a picture."""
    has_no_cache: bool = False
    """The model sees a whole text at once."""
    wkv_head: int = 0
    """Elements of a head of a state as RWKV keeps it; 0 for others."""
    indexer_heads: int = 0
    indexer_length: int = 0
    layer_inputs: int = 0
    """Elements of embeddings per token that are made for all layers together."""
    deepstack: int = 0
    """Embeddings per token that are added after the first layers."""
    is_parallel: bool = False
    """Attention and feed-forward part both start from the layer's input."""
    memory_class: str = ""
    table_bytes: int = 0
    """Of `embedding_bytes`, the table that a tied output layer uses as well."""
    table_type: str = ""
    """ggml's type of the table; empty where it is not known."""
    layer_grown: tuple[int, ...] = ()
    """Of each layer, what it takes more where a processor rearranges it for AMX; so the next two,
    of the output layer's own weights and of the table where it is tied."""
    output_grown: int = 0
    table_grown: int = 0
    has_stacked_matrices: bool = False
    """Some weights besides experts are three-dimensional and of a type that AMX rearranges."""
    projector: Projector | None = None
    """Of a file beside the model's own."""

    @property
    def placed_layers(self) -> int:
        """The layers that a number of GPU layers counts, the output layer not among them."""
        return self.n_layers + self.n_appended

    @property
    def has_output_layer(self) -> bool:
        """Whether it has weights of its own; else the table is multiplied where it lies."""
        return self.architecture not in NO_OUTPUT_LAYER

    @property
    def heads_of_full_layers(self) -> int:
        return self.n_head_full or self.n_head

    @functools.cached_property
    def layer_caches(self) -> LayerCaches:
        """What each layer keeps of the tokens before."""
        if self.caches is not None:
            return self.caches
        indexer = self.indexer_length * max(2, self.n_head_kv)
        return uniform_caches(
            self.n_layers,
            self.n_head_kv * self.key_length + indexer,
            self.n_head_kv * self.value_length,
            self.recurrent_bytes_per_layer,
        )

    @functools.cached_property
    def bytes_up_to(self) -> tuple[int, ...]:
        """Sums of `layer_bytes`: element i are the layers before i."""
        return (0, *itertools.accumulate(self.layer_bytes))

    @functools.cached_property
    def splits(self) -> dict[tuple[tuple[range, ...], int], tuple[tuple[range, Part], ...]]:
        """What devices have of it, as `splitting.split` found it before."""
        return {}

    @functools.cached_property
    def rearranging(self) -> Rearranging:
        """What the CPU's rearranging depends on."""
        has_tied = self.tied_output and self.has_output_layer
        return Rearranging(
            table=self.table_bytes if has_tied else 0,
            table_type=self.table_type,
            vocabulary=self.n_vocab,
            is_always_twice=self.architecture in ALWAYS_TWICE,
            grown=sum(self.layer_grown) + self.output_grown,
            table_grown=self.table_grown,
            has_stacked=self.has_stacked_matrices,
        )

    @functools.cached_property
    def _experts_up_to(self) -> tuple[int, ...]:
        return (0, *itertools.accumulate(self.expert_bytes))

    def experts_within(self, first: int, end: int) -> int:
        """Bytes of the routed experts of the layers from `first` to before `end`."""
        end = min(end, len(self.expert_bytes))
        if first >= end:
            return 0
        sums = self._experts_up_to
        return sums[end] - sums[first]

    @property
    def weights_bytes(self) -> int:
        """All weights, each once."""
        return self.bytes_up_to[-1] + self.embedding_bytes + self.output_bytes + self.shared_bytes

    @property
    def active_bytes(self) -> int:
        """Bytes read for each token: of experts only those in use, of embeddings one row, but the
        whole table where it is the output as well."""
        table = self.table_bytes if self.tied_output else 0
        weights = self.weights_bytes - max(0, self.embedding_bytes - table)
        if not self.n_expert:
            return weights
        experts = sum(self.expert_bytes)
        return weights - experts + experts * self.n_expert_used // self.n_expert

    @property
    def active_parameters(self) -> int | None:
        """Of a mixture of experts, about as many as each token passes; None for other models."""
        if not self.n_expert or not self.parameters:
            return None
        return self.parameters * self.active_bytes // max(1, self.weights_bytes)


def shape_from_header(header: Header) -> ModelShape:
    """The shape of a file, exact; `known` is False where the memory rules are not ours yet."""
    has_rules = has_cache_rules(header)
    tensors = header.tensors
    sums = sum_tensors(tensors, layers_run(header), skips_appended=has_rules)
    if header.architecture in EMBEDDING_NORM_IS_LAST:
        sums.move_to_output(tensors, "token_embd_norm")
    parameters = sum(tensor.elements for tensor in tensors)
    return shape_from_parts(header, tensor_facts(tensors, sums, parameters), source="header")


def has_cache_rules(header: Header) -> bool:
    """Whether it is known what each layer keeps, from the keys that there are."""
    return cache_class(header) is not MemoryClass.UNKNOWN


def layers_run(header: Header) -> int:
    """The layers that a model runs; all, where its rules are not known."""
    return trunk_layers(header) if has_cache_rules(header) else number(header, "block_count")


def shape_from_parts(header: Header, facts: TensorFacts, *, source: str) -> ModelShape:
    """The shape that metadata tell, and what is known of the tensors (`header` may lack them)."""
    kind = memory_class(header)
    has_rules = has_cache_rules(header)
    n_layers = layers_run(header)
    key_length, value_length = head_lengths(header)
    n_head = number(header, "attention.head_count")
    caches = read_caches(header) if has_rules else None
    return ModelShape(
        architecture=header.architecture,
        known=kind is not MemoryClass.UNKNOWN,
        n_layers=n_layers,
        n_embd=number(header, "embedding_length"),
        n_head=n_head,
        n_head_kv=number(header, "attention.head_count_kv", n_head),
        key_length=key_length,
        value_length=value_length,
        n_ff=facts.n_ff or number(header, "feed_forward_length"),
        n_vocab=facts.n_vocab or _vocabulary(header),
        n_expert=number(header, "expert_count") if any(facts.sums.experts) else 0,
        n_expert_used=number(header, "expert_used_count"),
        layer_bytes=facts.sums.layers,
        embedding_bytes=facts.sums.inputs,
        table_bytes=facts.table_bytes,
        table_type=facts.table_type,
        table_grown=facts.table_grown,
        layer_grown=facts.sums.grown,
        output_grown=facts.sums.output_grown,
        has_stacked_matrices=facts.sums.has_stacked,
        output_bytes=facts.sums.output,
        tied_output=facts.tied_output,
        context_length=header.get("context_length"),
        parameters=facts.parameters,
        source=source,
        expert_bytes=facts.sums.experts,
        n_ff_expert=facts.n_ff_expert,
        shared_bytes=facts.sums.shared,
        has_fused_qkv=facts.has_fused_qkv,
        n_head_full=_full_heads(header, caches.windowed) if caches else 0,
        recurrent_bytes_per_layer=0 if has_rules else _recurrent_bytes(header),
        caches=caches,
        latent=_latent(header),
        state=_state(header),
        n_ff_shared=facts.n_ff_shared,
        has_dense_layers=facts.has_dense_layers,
        has_post_norm=facts.has_post_norm,
        has_expert_bias=facts.has_expert_bias,
        is_gated=header.architecture in INTERVAL_RECURRENT,
        has_short_convolution=bool(number(header, "shortconv.l_cache")),
        n_appended=max(0, number(header, "block_count") - n_layers),
        has_gate=facts.has_gate,
        positions=_positions(header),
        has_no_cache=header.architecture in CACHELESS_GRAPHS,
        wkv_head=number(header, "wkv.head_size"),
        indexer_heads=number(header, "attention.indexer.head_count"),
        indexer_length=number(header, "attention.indexer.key_length"),
        layer_inputs=n_layers * number(header, "embedding_length_per_layer_input"),
        deepstack=number(header, "n_deepstack_layers"),
        is_parallel=header.architecture in PARALLEL_ARCHITECTURES,
        memory_class=kind.value,
    )


def _full_heads(header: Header, windowed: tuple[bool, ...]) -> int:
    heads = header.get("attention.head_count")
    if not isinstance(heads, tuple):
        return 0
    every = per_layer(header, "attention.head_count", len(windowed))
    return max((n for n, narrow in zip(every, windowed, strict=True) if not narrow), default=0)


def _positions(header: Header) -> int:
    sections = header.get("rope.dimension_sections")
    has_pictures = isinstance(sections, tuple) and len(sections) > 1 and all(sections[:2])
    return _PICTURE_POSITIONS if has_pictures else 1


def _latent(header: Header) -> LatentShape | None:
    if not is_latent(header):
        return None
    return LatentShape(
        rank=number(header, "attention.kv_lora_rank"),
        rotated=number(header, "rope.dimension_count"),
        key_length=number(header, "attention.key_length_mla"),
        value_length=number(header, "attention.value_length_mla"),
    )


def _state(header: Header) -> StateShape | None:
    inner = number(header, "ssm.inner_size")
    if not inner:
        return None
    state, groups = number(header, "ssm.state_size"), number(header, "ssm.group_count")
    return StateShape(
        inner=inner,
        channels=inner + 2 * groups * state,
        heads=number(header, "ssm.time_step_rank"),
        state=state,
    )


def _vocabulary(header: Header) -> int:
    count = header.array_lengths.get("tokenizer.ggml.tokens", header.get("vocab_size", 0))
    return int(count)


def _recurrent_bytes(header: Header) -> int:
    """An upper bound of one layer's state for one sequence, from whatever keys there are."""
    n_embd = number(header, "embedding_length")
    elements = state_elements(header)
    head_size = number(header, "wkv.head_size")
    elements += n_embd * (head_size + 2) if head_size else 0
    elements += n_embd * number(header, "shortconv.l_cache")
    elements += n_embd * number(header, "kda.head_dim") * 2
    return _RECURRENT_STATE_BYTES * elements

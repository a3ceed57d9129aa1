"""The figures of a model that the memory formulas need, exact from its header."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

from openshelf.fit.architectures import (
    CACHELESS_GRAPHS,
    EMBEDDING_NORM_IS_LAST,
    INTERVAL_RECURRENT,
    PARALLEL_ARCHITECTURES,
    MemoryClass,
    cache_class,
    memory_class,
)
from openshelf.fit.caches import (
    LayerCaches,
    head_lengths,
    is_latent,
    number,
    read_caches,
    state_elements,
    trunk_layers,
    uniform_caches,
)
from openshelf.fit.projector import Projector
from openshelf.fit.repacking import grown_bytes
from openshelf.fit.tensor_sums import buffer_bytes, has_gate, sum_tensors, width_of
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

    @property
    def weights_bytes(self) -> int:
        """All weights, each once."""
        return self.bytes_up_to[-1] + self.embedding_bytes + self.output_bytes + self.shared_bytes

    @property
    def active_bytes(self) -> int:
        """Bytes read for each token: of experts only those in use, of embeddings one row."""
        weights = self.weights_bytes - (0 if self.tied_output else self.embedding_bytes)
        if not self.n_expert:
            return weights
        experts = sum(self.expert_bytes)
        return weights - experts + experts * self.n_expert_used // self.n_expert


def shape_from_header(header: Header) -> ModelShape:
    """The shape of a file, exact; `known` is False where the memory rules are not ours yet."""
    kind = memory_class(header)
    has_rules = cache_class(header) is not MemoryClass.UNKNOWN
    n_layers = trunk_layers(header) if has_rules else number(header, "block_count")
    key_length, value_length = head_lengths(header)
    tensors = header.tensors
    parts = sum_tensors(tensors, n_layers, skips_appended=has_rules)
    if header.architecture in EMBEDDING_NORM_IS_LAST:
        parts.move_to_output(tensors, "token_embd_norm")
    names = {tensor.name for tensor in tensors}
    table = next((tensor for tensor in tensors if tensor.name == "token_embd.weight"), None)
    n_head = number(header, "attention.head_count")
    return ModelShape(
        architecture=header.architecture,
        known=kind is not MemoryClass.UNKNOWN,
        n_layers=n_layers,
        n_embd=number(header, "embedding_length"),
        n_head=n_head,
        n_head_kv=number(header, "attention.head_count_kv", n_head),
        key_length=key_length,
        value_length=value_length,
        n_ff=width_of(tensors, ".ffn_down.weight") or number(header, "feed_forward_length"),
        n_vocab=_vocabulary(header),
        n_expert=number(header, "expert_count") if any(parts.experts) else 0,
        n_expert_used=number(header, "expert_used_count"),
        layer_bytes=parts.layers,
        embedding_bytes=parts.inputs,
        table_bytes=buffer_bytes(table) if table else 0,
        table_type=table.type_name if table else "",
        table_grown=grown_bytes(table.type_name, table.shape) if table else 0,
        layer_grown=parts.grown,
        output_grown=parts.output_grown,
        has_stacked_matrices=parts.has_stacked,
        output_bytes=parts.output,
        tied_output="output.weight" not in names,
        context_length=header.get("context_length"),
        parameters=sum(tensor.elements for tensor in tensors),
        source="header",
        expert_bytes=parts.experts,
        n_ff_expert=width_of(tensors, ".ffn_down_exps."),
        shared_bytes=parts.shared,
        has_fused_qkv="blk.0.attn_qkv.weight" in names,
        recurrent_bytes_per_layer=0 if has_rules else _recurrent_bytes(header),
        caches=read_caches(header) if has_rules else None,
        latent=_latent(header),
        state=_state(header),
        n_ff_shared=width_of(tensors, ".ffn_down_shexp."),
        has_dense_layers=any(name.endswith(".ffn_down.weight") for name in names),
        has_post_norm="blk.0.post_ffw_norm.weight" in names,
        has_expert_bias=any(name.endswith(".ffn_down_exps.bias") for name in names),
        is_gated=header.architecture in INTERVAL_RECURRENT,
        has_short_convolution=bool(number(header, "shortconv.l_cache")),
        n_appended=number(header, "block_count") - n_layers,
        has_gate=has_gate(tensors),
        positions=_positions(header),
        has_no_cache=header.architecture in CACHELESS_GRAPHS,
        wkv_head=number(header, "wkv.head_size"),
        indexer_heads=number(header, "attention.indexer.head_count"),
        indexer_length=number(header, "attention.indexer.key_length"),
        deepstack=number(header, "n_deepstack_layers"),
        is_parallel=header.architecture in PARALLEL_ARCHITECTURES,
        memory_class=kind.value,
    )


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
    for tensor in header.tensors:
        if tensor.name in ("output.weight", "token_embd.weight") and len(tensor.shape) == 2:
            return tensor.shape[1]
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

"""Models of every memory class, written for the tests: no weights, but all keys and names.

Shapes are those that llama.cpp asks for when it loads the architecture; it refuses others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.gguf.builder import ARRAY, BOOL, F32, STRING, U32, Array, Build, Tensor

Shape = tuple[int, ...]
_Q4_K, _F32 = 12, 0
_HOLE_BYTES = 1 << 31


class Bare(Build):
    """A header with nothing behind it: a hole takes the place of the data."""

    def _tensor_infos(self) -> tuple[bytes, int]:
        infos, _ = super()._tensor_infos()
        return infos, 0


@dataclass(frozen=True)
class LayeredRecipe:
    """Keys (below the architecture's name) and the tensors of each layer."""

    architecture: str
    n_embd: int
    n_layers: int
    keys: Mapping[str, Any]
    layer: Callable[[int], dict[str, Shape]]
    n_vocab: int = 64_000
    is_tied: bool = True
    output_norm: str = "output_norm.weight"
    extra: Mapping[str, Shape] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        shapes: dict[str, Shape] = {"token_embd.weight": (self.n_embd, self.n_vocab)}
        if not self.is_tied:
            shapes["output.weight"] = (self.n_embd, self.n_vocab)
        shapes[self.output_norm] = (self.n_embd,)
        shapes |= self.extra
        for index in range(self.n_layers):
            shapes |= {f"blk.{index}.{name}": shape for name, shape in self.layer(index).items()}
        tensors = with_offsets(shapes)
        with path.open("wb") as file:
            file.write(Bare(keys=self._all_keys(), tensors=tensors).bytes())
            file.truncate((tensors[-1].offset or 0) + _HOLE_BYTES)
        return path

    def _all_keys(self) -> dict[str, tuple[int, Any]]:
        keys: dict[str, tuple[int, Any]] = {
            "general.architecture": (STRING, self.architecture),
            "tokenizer.ggml.model": (STRING, "no_vocab"),
        }
        common = {
            "block_count": self.n_layers,
            "context_length": 131072,
            "embedding_length": self.n_embd,
            "vocab_size": self.n_vocab,
            "attention.layer_norm_rms_epsilon": 1e-6,
            "attention.layer_norm_epsilon": 1e-6,
        }
        for name, content in {**common, **self.keys}.items():
            keys[f"{self.architecture}.{name}"] = typed(content)
        return keys


def typed(content: Any) -> tuple[int, Any]:
    if isinstance(content, tuple):
        kind = BOOL if isinstance(content[0], bool) else U32
        return ARRAY, Array(kind, content)
    if isinstance(content, bool):
        return BOOL, content
    return (F32 if isinstance(content, float) else U32), content


def with_offsets(shapes: Mapping[str, Shape]) -> list[Tensor]:
    """Tensors one behind the other: matrices of Q4_K where its blocks allow, else f32."""
    tensors, end = [], 0
    for name, shape in shapes.items():
        is_quantized = len(shape) > 1 and shape[0] % 256 == 0
        elements = 1
        for length in shape:
            elements *= length
        tensors.append(Tensor(name, shape, kind=_Q4_K if is_quantized else _F32, offset=end))
        size = elements // 256 * 144 if is_quantized else elements * 4
        end += (size + 31) // 32 * 32
    return tensors


def _attention(embd: int, queries: int, keys: int, values: int | None = None) -> dict[str, Shape]:
    return {
        "attn_q.weight": (embd, queries),
        "attn_k.weight": (embd, keys),
        "attn_v.weight": (embd, keys if values is None else values),
        "attn_output.weight": (queries, embd),
    }


def _feed_forward(embd: int, width: int) -> dict[str, Shape]:
    return {
        "ffn_gate.weight": (embd, width),
        "ffn_up.weight": (embd, width),
        "ffn_down.weight": (width, embd),
    }


def _experts(embd: int, width: int, count: int) -> dict[str, Shape]:
    return {
        "ffn_gate_inp.weight": (embd, count),
        "ffn_gate_exps.weight": (embd, width, count),
        "ffn_up_exps.weight": (embd, width, count),
        "ffn_down_exps.weight": (width, embd, count),
    }


def _norms(embd: int, *names: str) -> dict[str, Shape]:
    return {f"{name}.weight": (embd,) for name in names}


def _heads(count: int, count_kv: Any, length: int) -> dict[str, Any]:
    return {
        "attention.head_count": count,
        "attention.head_count_kv": count_kv,
        "attention.key_length": length,
        "attention.value_length": length,
        "rope.dimension_count": length,
    }


def _space(inner: int, state: int, heads: int, groups: int = 1) -> dict[str, Any]:
    return {
        "ssm.conv_kernel": 4,
        "ssm.inner_size": inner,
        "ssm.state_size": state,
        "ssm.time_step_rank": heads,
        "ssm.group_count": groups,
    }


def _mamba2(embd: int, inner: int, state: int, heads: int, groups: int = 1) -> dict[str, Shape]:
    channels = inner + 2 * groups * state
    return {
        "ssm_in.weight": (embd, inner + channels + heads),
        "ssm_conv1d.weight": (4, channels),
        "ssm_conv1d.bias": (channels,),
        "ssm_dt.bias": (heads,),
        "ssm_a": (1, heads),
        "ssm_d": (1, heads),
        "ssm_norm.weight": (inner // groups, groups),
        "ssm_out.weight": (inner, embd),
    }


def gemma2(embd: int = 2304) -> LayeredRecipe:
    norms = _norms(embd, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    layer = norms | _attention(embd, 2048, 1024) | _feed_forward(embd, 9216)
    keys = _heads(8, 4, 256) | {"feed_forward_length": 9216}
    return LayeredRecipe("gemma2", embd, 6, keys, lambda _: layer, n_vocab=256_000)


def gemma3(embd: int = 3840, *, window: int = 1024) -> LayeredRecipe:
    norms = _norms(embd, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    heads = _norms(256, "attn_q_norm", "attn_k_norm")
    layer = norms | heads | _attention(embd, 4096, 2048) | _feed_forward(embd, 15360)
    keys = _heads(16, 8, 256) | {"feed_forward_length": 15360, "attention.sliding_window": window}
    return LayeredRecipe("gemma3", embd, 8, keys, lambda _: layer, n_vocab=262_144)


def cohere2(embd: int = 4096) -> LayeredRecipe:
    layer = _norms(embd, "attn_norm") | _attention(embd, embd, 1024) | _feed_forward(embd, 14336)
    keys = _heads(32, 8, 128)
    keys |= {"feed_forward_length": 14336, "attention.sliding_window": 4096, "logit_scale": 0.25}
    return LayeredRecipe("cohere2", embd, 8, keys, lambda _: layer, n_vocab=256_000)


def olmo2(embd: int = 4096) -> LayeredRecipe:
    norms = _norms(embd, "attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm")
    layer = norms | _attention(embd, embd, embd) | _feed_forward(embd, 11008)
    keys = _heads(32, 32, 128) | {"feed_forward_length": 11008, "attention.sliding_window": 4096}
    return LayeredRecipe("olmo2", embd, 8, keys, lambda _: layer, n_vocab=100_278, is_tied=False)


def gpt_oss(embd: int = 2880) -> LayeredRecipe:
    layer = _norms(embd, "attn_norm", "post_attention_norm") | _attention(embd, 4096, 512)
    layer |= {"attn_sinks.weight": (64,), **_experts(embd, embd, 16)}
    layer |= {
        f"attn_{part}.bias": (size,) for part, size in zip("qkv", (4096, 512, 512), strict=True)
    }
    layer |= {"attn_output.bias": (embd,), "ffn_gate_inp.bias": (16,)}
    layer |= {f"ffn_{part}_exps.bias": (embd, 16) for part in ("gate", "up", "down")}
    keys = _heads(64, 8, 64) | {"attention.sliding_window": 128, "feed_forward_length": embd}
    keys |= {"expert_count": 16, "expert_used_count": 4, "expert_feed_forward_length": embd}
    return LayeredRecipe("gpt-oss", embd, 4, keys, lambda _: layer, n_vocab=201_088, is_tied=False)


def mamba(embd: int = 2560) -> LayeredRecipe:
    inner, state, rank = 2 * embd, 16, 160
    layer = _norms(embd, "attn_norm") | {
        "ssm_in.weight": (embd, 2 * inner),
        "ssm_conv1d.weight": (4, inner),
        "ssm_conv1d.bias": (inner,),
        "ssm_x.weight": (inner, rank + 2 * state),
        "ssm_dt.weight": (rank, inner),
        "ssm_dt.bias": (inner,),
        "ssm_a": (state, inner),
        "ssm_d": (inner,),
        "ssm_out.weight": (inner, embd),
    }
    keys = {**_space(inner, state, rank, 0), "feed_forward_length": 0, "attention.head_count": 0}
    return LayeredRecipe("mamba", embd, 6, keys, lambda _: layer)


def mamba2(embd: int = 2048) -> LayeredRecipe:
    inner, state, heads = 2 * embd, 128, 64
    layer = _norms(embd, "attn_norm") | _mamba2(embd, inner, state, heads, 8)
    keys = {**_space(inner, state, heads, 8), "feed_forward_length": 0, "attention.head_count": 0}
    return LayeredRecipe("mamba2", embd, 6, keys, lambda _: layer)


def falcon_h1(embd: int = 2048) -> LayeredRecipe:
    """As large as the 1.5B."""
    inner, state, heads = 3072, 256, 48
    layer = {"attn_norm.weight": (embd,), "ffn_norm": (embd,)}
    layer |= _mamba2(embd, inner, state, heads) | _attention(embd, 1024, 256)
    layer |= _feed_forward(embd, 4096)
    keys = _heads(8, 2, 128) | _space(inner, state, heads) | {"feed_forward_length": 4096}
    return LayeredRecipe("falcon-h1", embd, 24, keys, lambda _: layer)


def nemotron_h(embd: int = 4480) -> LayeredRecipe:
    inner, state, heads, kinds = 10240, 128, 128, "M-M*-M-M"
    parts = {
        "M": _mamba2(embd, inner, state, heads, 8),
        "*": _attention(embd, 5120, 1024),
        "-": {"ffn_up.weight": (embd, 15680), "ffn_down.weight": (15680, embd)},
    }
    keys = _heads(40, tuple(8 * (kind == "*") for kind in kinds), 128)
    keys |= _space(inner, state, heads, 8)
    keys |= {"feed_forward_length": tuple(15680 * (kind == "-") for kind in kinds)}

    def layer(index: int) -> dict[str, Shape]:
        return _norms(embd, "attn_norm") | parts[kinds[index]]

    return LayeredRecipe("nemotron_h", embd, len(kinds), keys, layer, is_tied=False)


def granite_hybrid(embd: int = 2048) -> LayeredRecipe:
    """Dense, where the model of the records is a mixture."""
    inner, state, heads, full = 4096, 128, 64, 3
    keys = _heads(16, tuple(4 * (index == full) for index in range(8)), 128)
    keys |= _space(inner, state, heads) | {"feed_forward_length": 8192}

    def layer(index: int) -> dict[str, Shape]:
        block = _norms(embd, "attn_norm", "ffn_norm") | _feed_forward(embd, 8192)
        if index == full:
            return block | _attention(embd, 2048, 512)
        return block | _mamba2(embd, inner, state, heads)

    return LayeredRecipe("granitehybrid", embd, 8, keys, layer, n_vocab=100_352)


def lfm2(embd: int = 2048) -> LayeredRecipe:
    full = (2, 5)
    keys = _heads(32, tuple(8 * (index in full) for index in range(8)), 64)
    keys |= {"shortconv.l_cache": 3, "feed_forward_length": 8192}

    def layer(index: int) -> dict[str, Shape]:
        block = _norms(embd, "attn_norm", "ffn_norm") | _feed_forward(embd, 8192)
        if index in full:
            heads = _norms(64, "attn_q_norm", "attn_k_norm")
            return block | heads | _attention(embd, embd, 512)
        return block | {
            "shortconv.conv.weight": (3, embd),
            "shortconv.in_proj.weight": (embd, 3 * embd),
            "shortconv.out_proj.weight": (embd, embd),
        }

    return LayeredRecipe("lfm2", embd, 8, keys, layer, output_norm="token_embd_norm.weight")


def qwen35(embd: int = 4096, *, moe: bool = False) -> LayeredRecipe:
    """A full layer after three with a delta rule; `moe` with experts and a shared one."""
    state, groups, heads = 128, 16, 32
    inner = state * heads
    keys = _heads(16, 4, 256) | _space(inner, state, heads, groups)
    keys |= {"rope.dimension_sections": (11, 11, 10, 0), "rope.dimension_count": 64}
    keys |= {"full_attention_interval": 4, "feed_forward_length": 12288}
    feed = _feed_forward(embd, 12288)
    if moe:
        keys |= {"expert_count": 128, "expert_used_count": 8, "expert_feed_forward_length": 512}
        keys |= {"expert_shared_feed_forward_length": 512}
        feed = _experts(embd, 512, 128) | {"ffn_gate_inp_shexp.weight": (embd,)}
        feed |= {n.replace(".w", "_shexp.w"): s for n, s in _feed_forward(embd, 512).items()}
    linear = {
        "attn_qkv.weight": (embd, 2 * state * groups + inner),
        "attn_gate.weight": (embd, inner),
        "ssm_conv1d.weight": (4, 2 * state * groups + inner),
        "ssm_dt.bias": (heads,),
        "ssm_a": (heads,),
        "ssm_beta.weight": (embd, heads),
        "ssm_alpha.weight": (embd, heads),
        "ssm_norm.weight": (state,),
        "ssm_out.weight": (inner, embd),
    }
    full = _norms(256, "attn_q_norm", "attn_k_norm") | _attention(embd, 8192, 1024)
    full["attn_output.weight"] = (4096, embd)

    def layer(index: int) -> dict[str, Shape]:
        block = _norms(embd, "attn_norm", "post_attention_norm") | feed
        return block | (linear if (index + 1) % 4 else full)

    name = "qwen35moe" if moe else "qwen35"
    return LayeredRecipe(name, embd, 8, keys, layer, n_vocab=248_320, is_tied=False)


def with_appended_layer(recipe: LayeredRecipe) -> LayeredRecipe:
    """The same with a layer that predicts further tokens, which llama.cpp does not load."""
    embd, last = recipe.n_embd, recipe.n_layers

    def layer(index: int) -> dict[str, Shape]:
        if index < last:
            return recipe.layer(index)
        norms = {f"nextn.{name}.weight": (embd,) for name in ("enorm", "hnorm")}
        return recipe.layer(last - 1) | norms | {"nextn.eh_proj.weight": (2 * embd, embd)}

    keys = {**recipe.keys, "nextn_predict_layers": 1}
    return replace(recipe, keys=keys, n_layers=last + 1, layer=layer)


def gemma4(embd: int = 2560, *, shared: int = 6) -> LayeredRecipe:
    """Other heads in its windows, layers that use another's cache, no embeddings per layer."""
    windows = (True,) * 5 + (False,) + (True,) * 5 + (False,)
    keys = _heads(8, tuple(4 if is_windowed else 2 for is_windowed in windows), 512)
    keys |= {"attention.key_length_swa": 256, "attention.value_length_swa": 256}
    keys |= {"attention.sliding_window": 512, "attention.sliding_window_pattern": windows}
    keys |= {"attention.shared_kv_layers": shared, "feed_forward_length": 10240}
    keys |= {"embedding_length_per_layer_input": 0, "rope.dimension_count_swa": 256}
    names = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")

    def layer(index: int) -> dict[str, Shape]:
        length, heads = (256, 4) if windows[index] else (512, 2)
        block = _norms(embd, *names) | _feed_forward(embd, 10240)
        block |= _norms(length, "attn_q_norm", "attn_k_norm")
        return block | _attention(embd, 8 * length, heads * length)

    extra = {"rope_freqs.weight": (256,)}
    return LayeredRecipe("gemma4", embd, 12, keys, layer, n_vocab=262_144, extra=extra)


LAYERED: Mapping[str, LayeredRecipe] = {
    "gemma2": gemma2(),
    "gemma3-12b": gemma3(),
    "gemma3-wide-window": gemma3(2560, window=4096),
    "cohere2": cohere2(),
    "olmo2": olmo2(),
    "gpt-oss": gpt_oss(),
    "mamba": mamba(),
    "mamba2": mamba2(),
    "falcon-h1": falcon_h1(),
    "nemotron_h": nemotron_h(),
    "granitehybrid": granite_hybrid(),
    "lfm2": lfm2(),
    "gemma4-own": gemma4(shared=0),
    "qwen35": qwen35(),
    "qwen35-appended": with_appended_layer(qwen35()),
    "qwen35moe": qwen35(2048, moe=True),
}
BOUNDED: Mapping[str, LayeredRecipe] = {"gemma4": gemma4()}
"""Their caches are known, their graphs are not."""

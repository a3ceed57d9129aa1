"""Projectors of the usual families, written for the tests: no weights, but all keys and names.

Shapes are those of the published files named beside them, or smaller ones of the same graph.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter

from openshelf.gguf.header import Header, read_header_bytes

Shape = tuple[int, ...]
_F16, _F32 = GGMLQuantizationType.F16, GGMLQuantizationType.F32


@dataclass(frozen=True)
class ProjectorRecipe:
    """A tower of `n_layers` equal layers and what is before and behind it.

    `part` is vision or audio; `keys` are below `clip.PART.`, `top` as they are written. Tensors
    with two or more dimensions are f16 save positions, all others f32.
    """

    type: str
    n_embd: int
    n_ff: int
    n_head: int
    n_layers: int
    projection: int
    keys: Mapping[str, Any]
    extra: Mapping[str, Shape]
    part: str = "vision"
    layer: Mapping[str, Shape] | None = None
    top: Mapping[str, Any] = field(default_factory=dict)
    array_keys: Mapping[str, list[int]] = field(default_factory=dict)

    def all_keys(self) -> dict[str, Any]:
        start = f"clip.{self.part}."
        common: dict[str, Any] = {
            f"clip.has_{self.part}_encoder": True,
            "clip.projector_type": self.type,
            "clip.use_gelu": True,
            f"{start}embedding_length": self.n_embd,
            f"{start}feed_forward_length": self.n_ff,
            f"{start}block_count": self.n_layers,
            f"{start}attention.head_count": self.n_head,
            f"{start}projection_dim": self.projection,
            f"{start}attention.layer_norm_epsilon": 1e-6,
        }
        if self.part == "vision":
            common |= {f"{start}image_mean": [0.5] * 3, f"{start}image_std": [0.5] * 3}
        own = {start + name: value for name, value in self.keys.items()}
        return {**common, **own, **self.top}

    def tensors(self) -> dict[str, Shape]:
        letter = self.part[0]
        layer = plain_layer(self.n_embd, self.n_ff) if self.layer is None else self.layer
        shapes = dict(self.extra)
        for index in range(self.n_layers):
            shapes |= {f"{letter}.blk.{index}.{name}": shape for name, shape in layer.items()}
        return shapes

    def header_bytes(self, folder: Path) -> tuple[bytes, int]:
        """The header as the `gguf` package writes it, and the size of the whole file."""
        path = folder / "projector.header"
        writer = GGUFWriter(path, "clip")
        for key, value in self.all_keys().items():
            _add(writer, key, value)
        size = 0
        for name, shape in self.tensors().items():
            is_half = len(shape) > 1 and "weight" in name and "position" not in name
            kind, width = (_F16, 2) if is_half else (_F32, 4)
            count = int(numpy.prod(shape))
            writer.add_tensor_info(
                name, shape[::-1], numpy.dtype(f"float{width * 8}"), count * width, raw_dtype=kind
            )
            size += -(-count * width // 32) * 32
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        writer.close()
        data = path.read_bytes()
        data += bytes(-len(data) % 32)
        return data, len(data) + size

    def header(self, folder: Path) -> Header:
        return read_header_bytes(*self.header_bytes(folder))

    def write(self, path: Path) -> Path:
        data, size = self.header_bytes(path.parent)
        with path.open("wb") as file:
            file.write(data)
            file.truncate(size)
        return path


def _add(writer: GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, numpy.int32):
        writer.add_int32(key, int(value))
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif all(isinstance(item, float) for item in value):
        writer.add_key_value(key, value, GGUFValueType.ARRAY, sub_type=GGUFValueType.FLOAT32)
    else:
        writer.add_key_value(key, value, GGUFValueType.ARRAY, sub_type=GGUFValueType.INT32)


def plain_layer(
    embd: int,
    n_ff: int,
    *,
    has_gate: bool = False,
    has_bias: bool = True,
    has_fused_qkv: bool = False,
    is_norm_biased: bool | None = None,
    no_key_bias: bool = False,
) -> dict[str, Shape]:
    """Attention and feed-forward part as `clip.cpp` names them."""
    names: dict[str, Shape] = {}
    parts = ("attn_qkv",) if has_fused_qkv else ("attn_q", "attn_k", "attn_v")
    for part in parts:
        width = embd * (3 if has_fused_qkv else 1)
        names[f"{part}.weight"] = (embd, width)
        if has_bias and not (no_key_bias and part == "attn_k"):
            names[f"{part}.bias"] = (width,)
    names["attn_out.weight"] = (embd, embd)
    names["ffn_up.weight"] = (embd, n_ff)
    names["ffn_down.weight"] = (n_ff, embd)
    if has_gate:
        names["ffn_gate.weight"] = (embd, n_ff)
    if has_bias:
        names |= {"attn_out.bias": (embd,), "ffn_up.bias": (n_ff,), "ffn_down.bias": (embd,)}
        if has_gate:
            names["ffn_gate.bias"] = (n_ff,)
    for norm in ("ln1", "ln2"):
        names[f"{norm}.weight"] = (embd,)
        if has_bias if is_norm_biased is None else is_norm_biased:
            names[f"{norm}.bias"] = (embd,)
    return names


def _patches(embd: int, patch: int, *, has_bias: bool = True) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {"v.patch_embd.weight": (patch, patch, 3, embd)}
    if has_bias:
        shapes["v.patch_embd.bias"] = (embd,)
    return shapes


def _linear(name: str, rows: int, columns: int, *, has_bias: bool = True) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {f"{name}.weight": (rows, columns)}
    if has_bias:
        shapes[f"{name}.bias"] = (columns,)
    return shapes


def _norm(name: str, embd: int, *, has_bias: bool = True) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {f"{name}.weight": (embd,)}
    if has_bias:
        shapes[f"{name}.bias"] = (embd,)
    return shapes


def _positions(embd: int, count: int, letter: str = "v") -> dict[str, Shape]:
    return {f"{letter}.position_embd.weight": (embd, count)}


def siglip(
    kind: str, embd: int, n_ff: int, heads: int, layers: int, image: int, patch: int,
    text: int, merge: int,
) -> ProjectorRecipe:  # fmt: skip
    """gemma3 or idefics3: a SigLIP tower and one matrix behind it."""
    extra = _patches(embd, patch) | _positions(embd, (image // patch) ** 2)
    extra |= _norm("v.post_ln", embd)
    if kind == "gemma3":
        extra |= {"mm.input_projection.weight": (text, embd), "mm.soft_emb_norm.weight": (embd,)}
    else:
        extra |= _linear("mm.model.fc", embd * merge * merge, text, has_bias=False)
    keys = {"image_size": image, "patch_size": patch, "projector.scale_factor": merge}
    return ProjectorRecipe(kind, embd, n_ff, heads, layers, text, keys, extra)


def qwen_vl(
    kind: str, embd: int, n_ff: int, heads: int, layers: int, patch: int, text: int
) -> ProjectorRecipe:
    """Two patch embeddings, for stills and film; 2 x 2 patches become a token."""
    is_25 = kind == "qwen2.5vl_merger"
    extra = _patches(embd, patch, has_bias=False)
    extra["v.patch_embd.weight.1"] = (patch, patch, 3, embd)
    extra |= _norm("v.post_ln", embd, has_bias=not is_25)
    extra |= _linear("mm.0", embd * 4, embd * 4) | _linear("mm.2", embd * 4, text)
    keys: dict[str, Any] = {"image_size": 560, "patch_size": patch}
    if is_25:
        keys["n_wa_pattern"] = 8
    layer = plain_layer(embd, n_ff, has_gate=is_25, is_norm_biased=not is_25)
    return ProjectorRecipe(
        kind,
        embd,
        n_ff,
        heads,
        layers,
        text,
        keys,
        extra,
        layer=layer,
        top={"clip.use_silu": True, "clip.use_gelu": False} if is_25 else {},
    )


def qwen3_vl(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    extra = _patches(embd, 16) | _positions(embd, 48 * 48)
    extra["v.patch_embd.weight.1"] = (16, 16, 3, embd)
    extra |= _norm("v.post_ln", embd)
    extra |= _linear("mm.0", embd * 4, embd * 4) | _linear("mm.2", embd * 4, text)
    for index in (layers // 4, layers // 2, layers * 3 // 4):
        start = f"v.deepstack.{index}"
        extra |= _norm(f"{start}.norm", embd * 4) | _linear(f"{start}.fc1", embd * 4, embd * 4)
        extra |= _linear(f"{start}.fc2", embd * 4, text)
    keys = {"image_size": 768, "patch_size": 16, "spatial_merge_size": 2}
    layer = plain_layer(embd, n_ff, has_fused_qkv=True)
    return ProjectorRecipe(
        "qwen3vl_merger", embd, n_ff, heads, layers, text, keys, extra, layer=layer
    )


def pixtral(
    embd: int, n_ff: int, heads: int, layers: int, text: int, *, merges: bool
) -> ProjectorRecipe:
    """With `merges` as Mistral Small 3.1 has it, without as Pixtral 12B."""
    patch = 14 if merges else 16
    extra = _patches(embd, patch, has_bias=False) | _norm("v.pre_ln", embd, has_bias=False)
    extra |= _linear("mm.1", embd, text) | _linear("mm.2", text, text)
    extra["v.token_embd.img_break"] = (text,)
    keys: dict[str, Any] = {"image_size": 1540 if merges else 1024, "patch_size": patch}
    if merges:
        extra |= {"mm.input_norm.weight": (embd,), "mm.patch_merger.weight": (embd * 4, embd)}
        keys["spatial_merge_size"] = 2
    layer = plain_layer(embd, n_ff, has_gate=True, has_bias=False)
    return ProjectorRecipe(
        "pixtral",
        embd,
        n_ff,
        heads,
        layers,
        text,
        keys,
        extra,
        layer=layer,
        top={"clip.use_silu": True, "clip.use_gelu": False},
    )


def internvl(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    layer = plain_layer(embd, n_ff) | {"ls1.weight": (embd,), "ls2.weight": (embd,)}
    extra = _patches(embd, 14) | _positions(embd, 32 * 32 + 1) | {"v.class_embd": (embd,)}
    extra |= _norm("mm.model.mlp.0", embd * 4) | _linear("mm.model.mlp.1", embd * 4, text)
    extra |= _linear("mm.model.mlp.3", text, text)
    keys = {"image_size": 448, "patch_size": 14, "projector.scale_factor": 2}
    return ProjectorRecipe("internvl", embd, n_ff, heads, layers, text, keys, extra, layer=layer)


def llama4(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    extra = {"v.patch_embd.weight": (14 * 14 * 3, embd)} | _positions(embd, 24 * 24 + 1)
    extra |= {"v.class_embd": (embd,)} | _norm("v.pre_ln", embd) | _norm("v.post_ln", embd)
    extra |= _linear("mm.model.mlp.1", n_ff, 4096, has_bias=False)
    extra |= _linear("mm.model.mlp.2", 4096, 4096, has_bias=False)
    extra |= _linear("mm.model.fc", 4096, text, has_bias=False)
    keys = {"image_size": 336, "patch_size": 14, "projector.scale_factor": 2}
    return ProjectorRecipe("llama4", embd, n_ff, heads, layers, text, keys, extra)


def llava(
    embd: int, n_ff: int, heads: int, layers: int, text: int, image: int = 336
) -> ProjectorRecipe:
    extra = _patches(embd, 14, has_bias=False) | _positions(embd, (image // 14) ** 2 + 1)
    extra |= {"v.class_embd": (embd,)} | _norm("v.pre_ln", embd)
    extra |= _linear("mm.0", embd, text) | _linear("mm.2", text, text)
    keys = {"image_size": image, "patch_size": 14}
    return ProjectorRecipe(
        "mlp", embd, n_ff, heads, layers, text, keys, extra, top={"clip.use_gelu": False}
    )


def minicpmv(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    extra = _patches(embd, 14) | _positions(embd, 70 * 70) | _norm("v.post_ln", embd)
    extra |= {"resampler.pos_embed_k": (text, 70 * 70), "resampler.query": (text, 64)}
    extra |= {"resampler.proj.weight": (text, text), "resampler.kv.weight": (embd, text)}
    for part in "qkv":
        extra |= _linear(f"resampler.attn.{part}", text, text)
    extra |= _linear("resampler.attn.out", text, text)
    for part in ("q", "kv", "post"):
        extra |= _norm(f"resampler.ln_{part}", text)
    keys = {"image_size": 448, "patch_size": 14}
    return ProjectorRecipe(
        "resampler",
        embd,
        n_ff,
        heads,
        layers,
        text,
        keys,
        extra,
        top={"clip.minicpmv_version": numpy.int32(3)},
    )


def lfm2(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    extra = _patches(embd, 16) | _positions(embd, 256) | _norm("v.post_ln", embd)
    extra |= _norm("mm.input_norm", embd * 4)
    extra |= _linear("mm.1", embd * 4, text) | _linear("mm.2", text, text)
    keys = {"image_size": 256, "patch_size": 16, "projector.scale_factor": 2}
    return ProjectorRecipe("lfm2", embd, n_ff, heads, layers, text, keys, extra)


def phi4(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    extra = _patches(embd, 16) | _positions(embd, 256) | _norm("v.post_ln", embd)
    extra |= _linear("mm.0", embd, text) | _linear("mm.2", text, text)
    keys = {"image_size": 256, "patch_size": 16, "image_min_pixels": 65536}
    keys["image_max_pixels"] = 921600
    return ProjectorRecipe("phi4", embd, n_ff, heads, layers, text, keys, extra)


def janus(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    extra = _patches(embd, 16) | _positions(embd, 576) | _norm("v.post_ln", embd)
    extra |= _linear("mm.0", embd, text) | _linear("mm.1", text, text)
    keys = {"image_size": 384, "patch_size": 16}
    return ProjectorRecipe("janus_pro", embd, n_ff, heads, layers, text, keys, extra)


def lightonocr(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    recipe = pixtral(embd, n_ff, heads, layers, text, merges=True)
    extra = {name: shape for name, shape in recipe.extra.items() if "img_break" not in name}
    return dataclasses.replace(recipe, type="lightonocr", extra=extra)


def kimivl(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    extra = _patches(embd, 14) | _positions(embd, 64 * 64) | _norm("v.post_ln", embd)
    extra |= _norm("mm.input_norm", embd) | _linear("mm.1", embd * 4, embd * 4)
    extra |= _linear("mm.2", embd * 4, text)
    keys = {"image_size": 896, "patch_size": 14, "projector.scale_factor": 2}
    return ProjectorRecipe("kimivl", embd, n_ff, heads, layers, text, keys, extra)


def glm4v(embd: int, n_ff: int, heads: int, layers: int, text: int, merged: int) -> ProjectorRecipe:
    extra = _patches(embd, 14) | _positions(embd, 24 * 24)
    extra["v.patch_embd.weight.1"] = (14, 14, 3, embd)
    extra |= _norm("v.norm_embd", embd, has_bias=False) | _norm("v.post_ln", embd, has_bias=False)
    extra |= _linear("mm.model.fc", text, text, has_bias=False) | _norm("mm.post_norm", text)
    extra |= _linear("mm.up", text, merged, has_bias=False)
    extra |= _linear("mm.gate", text, merged, has_bias=False)
    extra |= _linear("mm.down", merged, text, has_bias=False)
    extra |= {"mm.patch_merger.weight": (2, 2, embd, text), "mm.patch_merger.bias": (text,)}
    keys = {"image_size": 336, "patch_size": 14, "spatial_merge_size": 2}
    layer = plain_layer(embd, n_ff, has_gate=True, has_bias=False, has_fused_qkv=True)
    return ProjectorRecipe(
        "glm4v",
        embd,
        n_ff,
        heads,
        layers,
        text,
        keys,
        extra,
        layer=layer,
        top={"clip.use_silu": True, "clip.use_gelu": False},
    )


def gemma4v(embd: int, n_ff: int, heads: int, layers: int, text: int) -> ProjectorRecipe:
    extra = _patches(embd, 16, has_bias=False) | {"v.position_embd.weight": (embd, 10240, 2)}
    extra["mm.input_projection.weight"] = (embd, text)
    layer = plain_layer(embd, n_ff, has_gate=True, has_bias=False)
    head = embd // heads
    layer |= {"attn_q_norm.weight": (head,), "attn_k_norm.weight": (head,)}
    layer |= {"attn_post_norm.weight": (embd,), "ffn_post_norm.weight": (embd,)}
    keys = {"image_size": 768, "patch_size": 16}
    return ProjectorRecipe("gemma4v", embd, n_ff, heads, layers, text, keys, extra, layer=layer)


def whisper(
    kind: str, embd: int, n_ff: int, heads: int, layers: int, text: int, *, mels: int = 128
) -> ProjectorRecipe:
    """ultravox, voxtral or qwen2a: Whisper's encoder and a small projector."""
    extra = _positions(embd, 1500, "a") | _norm("a.post_ln", embd)
    extra |= {"a.conv1d.1.weight": (3, mels, embd), "a.conv1d.1.bias": (1, embd)}
    extra |= {"a.conv1d.2.weight": (3, embd, embd), "a.conv1d.2.bias": (1, embd)}
    keys: dict[str, Any] = {"num_mel_bins": mels}
    if kind == "ultravox":
        keys["projector.stack_factor"] = 8
        extra |= _linear("mm.a.mlp.1", embd * 8, text, has_bias=False)
        extra |= _linear("mm.a.mlp.2", text // 2, text, has_bias=False)
        extra |= {"mm.a.norm_pre.weight": (embd * 8,), "mm.a.norm_mid.weight": (text // 2,)}
    elif kind == "voxtral":
        keys["projector.stack_factor"] = 4
        extra |= _linear("mm.a.mlp.1", embd * 4, text, has_bias=False)
        extra |= _linear("mm.a.mlp.2", text, text, has_bias=False)
    else:
        extra |= _linear("mm.a.fc", embd, text)
    layer = plain_layer(embd, n_ff, no_key_bias=True)
    return ProjectorRecipe(
        kind, embd, n_ff, heads, layers, text, keys, extra, part="audio", layer=layer
    )


RECIPES: dict[str, ProjectorRecipe] = {
    "smolvlm2-500m": siglip("idefics3", 768, 3072, 12, 12, 512, 16, 960, 4),
    "smolvlm2-2.2b": siglip("idefics3", 1152, 4304, 16, 27, 384, 14, 2048, 3),
    "gemma3-4b": siglip("gemma3", 1152, 4304, 16, 27, 896, 14, 2560, 4),
    "gemma3-27b": siglip("gemma3", 1152, 4304, 16, 27, 896, 14, 5376, 4),
    "qwen2-vl-7b": qwen_vl("qwen2vl_merger", 1280, 5120, 16, 32, 14, 3584),
    "qwen2.5-vl-3b": qwen_vl("qwen2.5vl_merger", 1280, 3420, 16, 32, 14, 2048),
    "qwen2.5-vl-7b": qwen_vl("qwen2.5vl_merger", 1280, 3420, 16, 32, 14, 3584),
    "qwen2.5-vl-72b": qwen_vl("qwen2.5vl_merger", 1280, 3456, 16, 32, 14, 8192),
    "qwen3-vl-4b": qwen3_vl(1024, 4096, 16, 24, 2560),
    "qwen3-vl-30b": qwen3_vl(1152, 4304, 16, 27, 2048),
    "qwen3-vl-2b": qwen3_vl(1024, 4096, 16, 24, 2048),
    "qwen3-vl-8b": qwen3_vl(1152, 4304, 16, 27, 4096),
    "qwen3-vl-32b": qwen3_vl(1152, 4304, 16, 27, 5120),
    "internvl3-1b": internvl(1024, 4096, 16, 24, 896),
    "llava-1.6-mistral-7b": llava(1024, 4096, 16, 23, 4096),
    "phi4-vision": phi4(1152, 4304, 16, 27, 5120),
    "janus-pro-7b": janus(1024, 4096, 16, 24, 4096),
    "lightonocr-1b": lightonocr(1024, 4096, 16, 24, 1024),
    "smolvlm-256m": siglip("idefics3", 768, 3072, 12, 12, 512, 16, 576, 4),
    "gemma3-12b": siglip("gemma3", 1152, 4304, 16, 27, 896, 14, 3840, 4),
    "qwen2-vl-2b": qwen_vl("qwen2vl_merger", 1280, 5120, 16, 32, 14, 1536),
    "minicpm-v-4": minicpmv(1152, 4304, 16, 27, 2560),
    "gemma4-26b": gemma4v(1152, 4304, 16, 27, 2816),
    "ultravox-0.5-8b": whisper("ultravox", 1280, 5120, 20, 32, 4096),
    "voxtral-small-24b": whisper("voxtral", 1280, 5120, 20, 32, 5120),
    "pixtral-12b": pixtral(1024, 4096, 16, 24, 5120, merges=False),
    "mistral-small-3.1": pixtral(1024, 4096, 16, 24, 5120, merges=True),
    "llama4-scout": llama4(1408, 5632, 16, 34, 5120),
    "internvl3-8b": internvl(1024, 4096, 16, 24, 3584),
    "internvl3-38b": internvl(3200, 12800, 25, 45, 5120),
    "llava-1.5-7b": llava(1024, 4096, 16, 23, 4096),
    "minicpm-v-2.6": minicpmv(1152, 4304, 16, 27, 3584),
    "lfm2-vl-450m": lfm2(768, 3072, 12, 12, 1024),
    "lfm2-vl-1.6b": lfm2(1152, 4304, 16, 26, 2048),
    "kimi-vl-a3b": kimivl(1152, 4304, 16, 27, 2048),
    "glm-4.1v-9b": glm4v(1536, 4096, 12, 24, 4096, 13696),
    "gemma4-e4b": gemma4v(768, 3072, 12, 16, 2560),
    "gemma4-31b": gemma4v(1152, 4304, 16, 27, 5376),
    "ultravox-0.5-1b": whisper("ultravox", 1280, 5120, 20, 32, 2048),
    "voxtral-mini-3b": whisper("voxtral", 1280, 5120, 20, 32, 3072),
    "qwen2-audio-7b": whisper("qwen2a", 1280, 5120, 20, 32, 4096),
}


BOUNDED: dict[str, ProjectorRecipe] = {
    "paddleocr": dataclasses.replace(
        kimivl(1152, 4304, 16, 27, 1024),
        type="paddleocr",
        keys={
            "image_size": 384, "patch_size": 14,
            "image_min_pixels": 147384, "image_max_pixels": 2822400,
        },
    ),
    "kimik25": dataclasses.replace(kimivl(1152, 4304, 16, 27, 7168), type="kimik25"),
    "glm5v": dataclasses.replace(
        glm4v(1536, 4096, 12, 24, 4096, 13696),
        type="glm5v",
        keys={
            "image_size": 336, "patch_size": 14, "spatial_merge_size": 2, "swiglu_clamp": 7.0,
            "image_min_pixels": 12544, "image_max_pixels": 9633792,
        },
    ),
}  # fmt: skip
"""Known to the engine and not to the table."""

"""The closed form against the llama.cpp that is installed, for every architecture called plain.

Fails when an upgrade of the engine moves a buffer, or when a graph is not as plain as we say.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openshelf.fit.memory import FitRequest, ModelShape, Placement, estimate, shape_from_header
from openshelf.gguf.header import read_header
from openshelf.units import MIB
from tests.fit.machines import DATA, INDEX
from tests.fit.recipes import BOUNDED, LAYERED, Bare
from tests.gguf.builder import F32, STRING, U32, Tensor

CHILD = Path(__file__).with_name("engine_memory.py")
REQUESTS = [
    FitRequest(context, kv, kv, ubatch=ubatch, n_outputs_max=outputs, flash_attention=flash)
    for context, ubatch, outputs, kv, flash in [
        (4096, 512, 1, "f16", "on"),
        (16384, 512, 1, "f16", "on"),
        (8192, 512, 1, "q8_0", "on"),
        (8192, 128, 1, "f16", "on"),
        (32768, 2048, 1, "f16", "on"),
        (8192, 512, 0, "f16", "on"),
        (4096, 512, 1, "f16", "off"),
    ]
]
TYPE_NUMBERS = {"f16": 1, "q4_0": 2, "q8_0": 8}
ROUNDED_MIB = 0.01
MOST_OVER, MOST_UNDER = 0.03, 0.002
"""Of all buffers together, weights included."""


@dataclass(frozen=True)
class Recipe:
    """Sizes of a model that is written for this test: no weights, but all their names."""

    architecture: str
    n_embd: int = 2048
    n_layers: int = 4
    n_head: int = 16
    n_head_kv: int = 8
    head_length: int = 128
    n_ff: int = 6144
    n_vocab: int = 100_096
    n_expert: int = 0
    n_ff_expert: int = 768
    has_bias: bool = False
    has_head_norms: bool = False
    has_fused_qkv: bool = False
    is_tied: bool = False

    def keys(self) -> dict[str, tuple[int, Any]]:
        numbers = {
            "block_count": self.n_layers,
            "context_length": 131072,
            "embedding_length": self.n_embd,
            "feed_forward_length": self.n_ff,
            "attention.head_count": self.n_head,
            "attention.head_count_kv": self.n_head_kv,
            "attention.key_length": self.head_length,
            "attention.value_length": self.head_length,
            "rope.dimension_count": self.head_length,
            "rope.scaling.original_context_length": 8192,
            "vocab_size": self.n_vocab,
        }
        if self.n_expert:
            numbers |= {"expert_count": self.n_expert, "expert_used_count": 8}
            numbers |= {"expert_feed_forward_length": self.n_ff_expert}
        keys: dict[str, tuple[int, Any]] = {
            "general.architecture": (STRING, self.architecture),
            "tokenizer.ggml.model": (STRING, "no_vocab"),
        }
        start = f"{self.architecture}."
        keys |= {start + name: (U32, number) for name, number in numbers.items()}
        for name in ("attention.layer_norm_rms_epsilon", "logit_scale", "rope.freq_base"):
            keys[start + name] = (F32, 1e-5 if "epsilon" in name else 8.0)
        return keys

    def tensors(self) -> list[Tensor]:
        shapes = {"token_embd.weight": (self.n_embd, self.n_vocab)}
        if not self.is_tied:
            shapes["output.weight"] = (self.n_embd, self.n_vocab)
        shapes["output_norm.weight"] = (self.n_embd,)  # type: ignore[assignment]
        for layer in range(self.n_layers):
            for name, shape in self._layer().items():
                shapes[f"blk.{layer}.{name}"] = shape  # type: ignore[assignment]
        return _with_offsets(shapes)

    def _layer(self) -> dict[str, tuple[int, ...]]:
        embd, head = self.n_embd, self.head_length
        queries, keys = self.n_head * head, self.n_head_kv * head
        names: dict[str, tuple[int, ...]] = {
            "attn_norm.weight": (embd,),
            "ffn_norm.weight": (embd,),
            "attn_output.weight": (queries, embd),
        }
        if self.has_fused_qkv:
            names["attn_qkv.weight"] = (embd, queries + 2 * keys)
            names["ffn_up.weight"] = (embd, 2 * self.n_ff)
            names["ffn_down.weight"] = (self.n_ff, embd)
            return names
        for part, size in (("q", queries), ("k", keys), ("v", keys)):
            names[f"attn_{part}.weight"] = (embd, size)
            if self.has_bias:
                names[f"attn_{part}.bias"] = (size,)
        if self.has_head_norms:
            names |= {"attn_q_norm.weight": (head,), "attn_k_norm.weight": (head,)}
        if self.n_expert:
            width = self.n_ff if self.architecture == "llama" else self.n_ff_expert
            names["ffn_gate_inp.weight"] = (embd, self.n_expert)
            names["ffn_gate_exps.weight"] = names["ffn_up_exps.weight"] = (
                embd,
                width,
                self.n_expert,
            )
            names["ffn_down_exps.weight"] = (width, embd, self.n_expert)
        else:
            names["ffn_gate.weight"] = names["ffn_up.weight"] = (embd, self.n_ff)
            names["ffn_down.weight"] = (self.n_ff, embd)
        return names


def _with_offsets(shapes: dict[str, Any]) -> list[Tensor]:
    tensors, end = [], 0
    for name, shape in shapes.items():
        is_matrix = len(shape) > 1
        elements = 1
        for length in shape:
            elements *= length
        tensors.append(Tensor(name, shape, kind=12 if is_matrix else 0, offset=end))
        size = elements // 256 * 144 if is_matrix else elements * 4
        end += (size + 31) // 32 * 32
    return tensors


RECIPES = {
    "llama": Recipe("llama"),
    "llama-tied": Recipe("llama", n_embd=768, n_head=12, n_head_kv=4, head_length=64, is_tied=True),
    "llama-moe": Recipe("llama", n_expert=8, n_ff=2048),
    "qwen2": Recipe("qwen2", has_bias=True),
    "qwen3": Recipe("qwen3", has_head_norms=True),
    "qwen3-wide-heads": Recipe("qwen3", n_embd=1024, has_head_norms=True, is_tied=True),
    "qwen3moe": Recipe("qwen3moe", n_head=32, n_head_kv=4, n_expert=64, has_head_norms=True),
    "mistral3": Recipe("mistral3", n_embd=4096, n_head=32, n_ff=14336, n_vocab=131072),
    "phi3": Recipe("phi3", n_head_kv=16, has_fused_qkv=True),
    "smollm3": Recipe("smollm3", n_head_kv=4, n_ff=11008, is_tied=True),
    "granite": Recipe("granite", n_ff=8192, n_vocab=49152, is_tied=True),
}


def _write(recipe: Recipe, path: Path) -> Path:
    tensors = recipe.tensors()
    # the last offset and size, and room for the header; the hole costs no disk
    with path.open("wb") as file:
        file.write(Bare(keys=recipe.keys(), tensors=tensors).bytes())
        file.truncate((tensors[-1].offset or 0) + (1 << 31))
    return path


def ask_engine(path: Path, requests: Sequence[FitRequest] = REQUESTS) -> list[list[float]]:
    """The installed llama.cpp's [KV cache, compute buffer] in MiB, of the CPU, per request."""
    questions = [
        f"{r.context_length},{r.ubatch},{r.n_outputs_max},{TYPE_NUMBERS[r.kv_type_k]},"
        f"{int(r.flash_attention == 'on')}"
        for r in requests
    ]
    done = subprocess.run(
        [sys.executable, str(CHILD), str(path), *questions],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer: list[list[float]] = json.loads(done.stdout)
    return answer


def _compare(shape: ModelShape, path: Path) -> None:
    for request, (kv_cache, compute) in zip(REQUESTS, ask_engine(path), strict=True):
        (cpu,) = estimate(shape, request, Placement())
        assert cpu.kv_cache_bytes / MIB == pytest.approx(kv_cache, abs=ROUNDED_MIB), request
        truth = cpu.weights_bytes + (kv_cache + compute) * MIB
        difference = cpu.compute_buffer_bytes - compute * MIB
        assert -MOST_UNDER <= difference / truth <= MOST_OVER, (request, difference / MIB, compute)


@pytest.mark.parametrize("name", RECIPES)
def test_plain_architectures(name: str, tmp_path: Path) -> None:
    path = _write(RECIPES[name], tmp_path / "model.gguf")
    shape = shape_from_header(read_header(path))
    assert shape.known
    _compare(shape, path)


@pytest.mark.parametrize("name", LAYERED)
def test_other_memory_classes(name: str, tmp_path: Path) -> None:
    path = LAYERED[name].write(tmp_path / "model.gguf")
    shape = shape_from_header(read_header(path))
    assert shape.known
    assert shape.memory_class != "full"
    _compare(shape, path)


@pytest.mark.parametrize("name", BOUNDED)
def test_caches_are_exact_where_the_graph_is_a_bound(name: str, tmp_path: Path) -> None:
    path = BOUNDED[name].write(tmp_path / "model.gguf")
    shape = shape_from_header(read_header(path))
    assert not shape.known
    for request, (kv_cache, compute) in zip(REQUESTS, ask_engine(path), strict=True):
        (cpu,) = estimate(shape, request, Placement())
        assert cpu.kv_cache_bytes / MIB == pytest.approx(kv_cache, abs=ROUNDED_MIB), request
        assert cpu.compute_buffer_bytes / MIB >= compute


@pytest.mark.parametrize("name", ["gemma3-4b", "llama4-scout", "dsv2-lite", "granite4-h-tiny"])
def test_a_sample_of_the_records(name: str, tmp_path: Path) -> None:
    """The same headers whose buffers were recorded, in a hole as large as the file."""
    path = tmp_path / "model.gguf"
    path.write_bytes((DATA / "headers" / f"{name}.gguf.header").read_bytes())
    with path.open("r+b") as file:
        file.truncate(INDEX[name]["file_bytes"])
    _compare(shape_from_header(read_header(path)), path)


@pytest.mark.model
def test_the_starter_model(starter_model: Path) -> None:
    _compare(shape_from_header(read_header(starter_model)), starter_model)

"""A model file with a vocabulary of real size: what makes headers large, and nothing of weights."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from tests.fit.recipes import with_offsets
from tests.gguf.builder import ARRAY, F32, I32, STRING, U32, Array, Build

_LETTERS = "abcdefghijklmnopqrstuvwxyzĠéжの"


def words(count: int, seed: int = 1) -> tuple[str, ...]:
    """Distinct tokens of 1 to 13 letters."""
    dice = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        made["".join(dice.choices(_LETTERS, k=dice.randint(1, 13)))] = None
    return tuple(made)


def write_model(
    path: Path, n_tokens: int, *, n_layers: int = 32, n_embd: int = 4096, keeps_order: bool = True
) -> Path:
    """A llama in Q4_K with `n_tokens` in llama.cpp's order of keys, all a hole behind its header.

    As it is, an 8B of 4 to 6 GB. Without `keeps_order` the vocabulary comes first.
    """
    model = {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "Eight"),
        "llama.block_count": (U32, n_layers),
        "llama.context_length": (U32, 131072),
        "llama.embedding_length": (U32, n_embd),
        "llama.feed_forward_length": (U32, n_embd * 7 // 2),
        "llama.attention.head_count": (U32, n_embd // 128),
        "llama.attention.head_count_kv": (U32, max(1, n_embd // 512)),
        "llama.attention.layer_norm_rms_epsilon": (F32, 1e-5),
        "llama.vocab_size": (U32, n_tokens),
    }
    tokens = words(n_tokens)
    pairs = tuple(f"{a[:6]} {b[:6]}" for a, b in itertools.pairwise(tokens))
    vocabulary = {
        "tokenizer.ggml.model": (STRING, "gpt2"),
        "tokenizer.ggml.tokens": (ARRAY, Array(STRING, tokens)),
        "tokenizer.ggml.token_type": (ARRAY, Array(I32, (1,) * n_tokens)),
        "tokenizer.ggml.merges": (ARRAY, Array(STRING, pairs)),
        "tokenizer.chat_template": (STRING, "{{ messages }}" * 300),
    }
    shapes = {
        "token_embd.weight": (n_embd, n_tokens),
        "output.weight": (n_embd, n_tokens),
        "output_norm.weight": (n_embd,),
    }
    for layer in range(n_layers):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in _layer(n_embd).items()}
    tensors = with_offsets(shapes)
    keys = model | vocabulary if keeps_order else vocabulary | model
    data, _ = Build(keys=keys, tensors=tensors).header()
    last = tensors[-1]
    with path.open("wb") as file:
        file.write(data)
        file.truncate(len(data) + (last.offset or 0) + last.shape[0] * last.shape[1] // 256 * 144)
    return path


def _layer(n_embd: int) -> dict[str, tuple[int, ...]]:
    keys, feed_forward = max(1, n_embd // 512) * 128, n_embd * 7 // 2
    return {
        "attn_norm.weight": (n_embd,),
        "attn_q.weight": (n_embd, n_embd),
        "attn_k.weight": (n_embd, keys),
        "attn_v.weight": (n_embd, keys),
        "attn_output.weight": (n_embd, n_embd),
        "ffn_norm.weight": (n_embd,),
        "ffn_gate.weight": (n_embd, feed_forward),
        "ffn_up.weight": (n_embd, feed_forward),
        "ffn_down.weight": (feed_forward, n_embd),
    }

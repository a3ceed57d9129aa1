"""The smallest model that says something: a GGUF file of one layer, made in memory.

What it computes is known, so that an engine build can be told to be sound before it gets a model.
"""

from __future__ import annotations

import math
import struct

N_EMBEDDING, N_HEADS, N_VOCABULARY = 64, 4, 32
CONTEXT_LENGTH = 128
PROMPT = (1, 5, 9, 13, 17)
NEXT_TOKEN = 18
NEXT_LOGITS = (1.17822, -0.49194, -1.29575, 0.31336)
"""The first logits behind PROMPT, as llama.cpp computes them in 32-bit floats on a CPU."""

_U32, _F32, _STRING, _TENSOR_F32 = 4, 6, 8, 0
_ALIGNMENT = 32


def stub_model() -> bytes:
    """A llama of one layer without a tokenizer; every weight follows from its place."""
    keys = [
        _entry("general.architecture", "llama"),
        _entry("tokenizer.ggml.model", "no_vocab"),
        _entry("llama.vocab_size", N_VOCABULARY),
        _entry("llama.context_length", CONTEXT_LENGTH),
        _entry("llama.embedding_length", N_EMBEDDING),
        _entry("llama.block_count", 1),
        _entry("llama.feed_forward_length", N_EMBEDDING),
        _entry("llama.attention.head_count", N_HEADS),
        _entry("llama.attention.layer_norm_rms_epsilon", 1e-5),
    ]
    infos, data = b"", b""
    for name, shape in _tensors().items():
        infos += _string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        infos += struct.pack("<IQ", _TENSOR_F32, len(data))
        data += _weights(name, shape)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(_tensors()), len(keys)) + b"".join(keys) + infos
    return head + bytes(-len(head) % _ALIGNMENT) + data


def _tensors() -> dict[str, tuple[int, ...]]:
    """Name → shape, in the file's order."""
    square = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    return {
        "token_embd.weight": (N_EMBEDDING, N_VOCABULARY),
        "output_norm.weight": (N_EMBEDDING,),
        "output.weight": (N_EMBEDDING, N_VOCABULARY),
        **{f"blk.0.{name}.weight": (N_EMBEDDING, N_EMBEDDING) for name in square},
        **{f"blk.0.{name}.weight": (N_EMBEDDING,) for name in ("attn_norm", "ffn_norm")},
    }


def _weights(name: str, shape: tuple[int, ...]) -> bytes:
    count = math.prod(shape)
    if len(shape) == 1:
        return struct.pack(f"<{count}f", *([1.0] * count))
    start = len(name) * 11
    return struct.pack(f"<{count}f", *(((i * 37 + start) % 101 - 50) / 100 for i in range(count)))


def _entry(key: str, value: str | int | float) -> bytes:
    if isinstance(value, str):
        return _string(key) + struct.pack("<I", _STRING) + _string(value)
    kind, form = (_U32, "I") if isinstance(value, int) else (_F32, "f")
    return _string(key) + struct.pack(f"<I{form}", kind, value)


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw

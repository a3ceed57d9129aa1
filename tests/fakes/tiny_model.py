"""Tiny models with random weights, of architectures whose context memory behaves differently.

They answer nonsense, and the same nonsense each time: enough to see what the engine reuses.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np

EMBEDDING, HEADS, HEAD_LENGTH, FEED_FORWARD, LAYERS = 64, 4, 16, 128, 4
SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>"
    "{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<end_of_turn>\n"
    "{% endfor %}{{ '<start_of_turn>model\n' }}"
)


def write_sliding_window_model(path: Path, window: int = 64) -> None:
    """gemma3: most layers see only the last `window` tokens."""
    writer = _writer(path, "gemma3")
    writer.add_sliding_window(window)
    writer.add_key_length(HEAD_LENGTH)
    writer.add_value_length(HEAD_LENGTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    random = np.random.default_rng(1)
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            _add(writer, f"blk.{layer}.{name}", np.ones(EMBEDDING))
        # Loud enough to be heard beside the embeddings, which gemma multiplies by 8 here.
        for name in ("post_attention_norm", "post_ffw_norm"):
            _add(writer, f"blk.{layer}.{name}", np.full(EMBEDDING, 12.0))
        for name in ("attn_q_norm", "attn_k_norm"):
            _add(writer, f"blk.{layer}.{name}", np.ones(HEAD_LENGTH))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            _add(writer, f"blk.{layer}.{name}", random.normal(0, 0.3, (EMBEDDING, EMBEDDING)))
        for name in ("ffn_gate", "ffn_up"):
            _add(writer, f"blk.{layer}.{name}", random.normal(0, 0.3, (FEED_FORWARD, EMBEDDING)))
        _add(writer, f"blk.{layer}.ffn_down", random.normal(0, 0.3, (EMBEDDING, FEED_FORWARD)))
    _finish(writer)


def write_mrope_model(path: Path, *, sections: tuple[int, ...] = (2, 3, 3, 0)) -> None:
    """qwen2vl: a picture's tokens have places in time, height and width, and a picture of n × m
    tokens takes only max(n, m) positions of the conversation."""
    writer = _writer(path, "qwen2vl", ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>"))
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_sections(list(sections))
    random = np.random.default_rng(4)
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            _add(writer, f"blk.{layer}.{name}", np.ones(EMBEDDING))
        for name in ("attn_q", "attn_k", "attn_v"):
            _add(writer, f"blk.{layer}.{name}", random.normal(0, 0.3, (EMBEDDING, EMBEDDING)))
            _add(writer, f"blk.{layer}.{name}", np.zeros(EMBEDDING), suffix="bias")
        _add(writer, f"blk.{layer}.attn_output", random.normal(0, 0.3, (EMBEDDING, EMBEDDING)))
        for name in ("ffn_gate", "ffn_up"):
            _add(writer, f"blk.{layer}.{name}", random.normal(0, 0.3, (FEED_FORWARD, EMBEDDING)))
        _add(writer, f"blk.{layer}.ffn_down", random.normal(0, 0.3, (EMBEDDING, FEED_FORWARD)))
    _finish(writer)


def write_recurrent_model(path: Path) -> None:
    """mamba: a state instead of a cache, which cannot be rolled back."""
    inner, state, rank, kernel = 2 * EMBEDDING, 16, 4, 4
    writer = _writer(path, "mamba")
    writer.add_ssm_conv_kernel(kernel)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_head_count(0)
    random = np.random.default_rng(2)
    for layer in range(LAYERS):
        prefix = f"blk.{layer}"
        _add(writer, f"{prefix}.attn_norm", np.ones(EMBEDDING))
        _add(writer, f"{prefix}.ssm_in", random.normal(0, 0.2, (2 * inner, EMBEDDING)))
        _add(writer, f"{prefix}.ssm_conv1d", random.normal(0, 0.2, (inner, kernel)))
        _add(writer, f"{prefix}.ssm_conv1d", np.zeros(inner), suffix="bias")
        _add(writer, f"{prefix}.ssm_x", random.normal(0, 0.2, (rank + 2 * state, inner)))
        _add(writer, f"{prefix}.ssm_dt", random.normal(0, 0.2, (inner, rank)))
        _add(writer, f"{prefix}.ssm_dt", np.zeros(inner), suffix="bias")
        _add(writer, f"{prefix}.ssm_a", -np.ones((inner, state)), suffix="")
        _add(writer, f"{prefix}.ssm_d", np.ones(inner), suffix="")
        _add(writer, f"{prefix}.ssm_out", random.normal(0, 0.2, (EMBEDDING, inner)))
    _finish(writer)


def _writer(path: Path, architecture: str, marks: tuple[str, ...] = ()) -> gguf.GGUFWriter:
    """`marks` are further special tokens."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(4096)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("llama")
    letters = [*string.ascii_letters, *string.digits, "\u2581"]
    tokens = [*SPECIAL, *marks, *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    kinds = [gguf.TokenType.CONTROL] * (len(SPECIAL) + len(marks)) + [gguf.TokenType.BYTE] * 256
    kinds += [gguf.TokenType.NORMAL] * len(letters)
    kinds[3] = gguf.TokenType.UNKNOWN
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(0)
    _add(writer, "token_embd", random.normal(0, 1, (len(tokens), EMBEDDING)))
    output = random.normal(0, 1, (len(tokens), EMBEDDING))
    output[: -len(letters)] *= 0.01  # hardly ever drawn, so that answers are letters
    _add(writer, "output", output)
    _add(writer, "output_norm", np.ones(EMBEDDING))
    return writer


def _add(writer: gguf.GGUFWriter, name: str, values: np.ndarray, suffix: str = "weight") -> None:
    writer.add_tensor(f"{name}.{suffix}" if suffix else name, values.astype(np.float32))


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_byte_pair_model(
    path: Path,
    *,
    experts: int = 0,
    weights: Callable[[str, np.ndarray], np.ndarray] = lambda name, values: values,
) -> None:
    """llama with the tokenizer of GPT-2, of two layers; `weights` may put others in their place."""
    writer = gguf.GGUFWriter(path, "llama")
    layers = 2
    writer.add_context_length(4096)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    letters = [*string.ascii_letters, *string.digits, "\u0120", "\u010a", *".!?,<>|_", "he", "ll"]
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<|im_start|>", "<|im_end|>"]
    tokens = [*specials, *letters]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.CONTROL] * len(specials) + [gguf.TokenType.NORMAL] * len(letters)
    writer.add_token_types(kinds)
    writer.add_token_merges(["h e", "l l"])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_chat_template(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "<|im_start|>assistant\n"
    )
    random = np.random.default_rng(0)

    def add(name: str, values: np.ndarray) -> None:
        _add(writer, name, weights(name, values))

    add("token_embd", random.normal(0, 1, (len(tokens), EMBEDDING)))
    output = random.normal(0, 1, (len(tokens), EMBEDDING))
    output[: len(specials)] *= 0.01
    add("output", output)
    add("output_norm", np.ones(EMBEDDING))
    for layer in range(layers):
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{layer}.{name}", np.ones(EMBEDDING))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{name}", random.normal(0, 0.3, (EMBEDDING, EMBEDDING)))
        ending, several = ("_exps", (experts,)) if experts else ("", ())
        for name in ("ffn_gate", "ffn_up"):
            values = random.normal(0, 0.3, (*several, FEED_FORWARD, EMBEDDING))
            add(f"blk.{layer}.{name}{ending}", values)
        values = random.normal(0, 0.3, (*several, EMBEDDING, FEED_FORWARD))
        add(f"blk.{layer}.ffn_down{ending}", values)
        if experts:
            add(f"blk.{layer}.ffn_gate_inp", random.normal(0, 0.3, (experts, EMBEDDING)))
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(max(1, experts // 2))
    _finish(writer)

"""Files of a byte-pair llama that are wrong in what a list of broken headers does not name: the
vocabulary, the ids in it, keys of the architecture, the weights themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.mutations import Key, Parts, take_apart
from tests.fakes.tiny_model import write_byte_pair_model
from tests.gguf.builder import ARRAY, BOOL, F32, F64, I32, I64, STRING, U8, U32, U64, Array

_IDS = ("bos", "eos", "unknown", "padding", "eot", "eom", "fim_pre", "seperator", "mask", "cls")
_WEIGHTS = ("token_embd", "output", "output_norm", "blk.0.attn_q")
_OTHER_KINDS = (
    "bert", "nomic-bert", "t5", "t5encoder", "modern-bert", "gemma-embedding", "dream", "llada",
    "qwen2vl", "rwkv6", "deepseek2", "wavtokenizer-dec", "clip", "chameleon", "gpt-oss",
)  # fmt: skip


def with_key(parts: Parts, name: str, kind: int, content: Any) -> Parts:
    kept = tuple(key for key in parts.keys if key.name != name)
    return dataclasses.replace(parts, keys=(*kept, Key(name, kind, content)))


def without_keys(parts: Parts, *names: str) -> Parts:
    kept = tuple(key for key in parts.keys if not key.name.startswith(names))
    return dataclasses.replace(parts, keys=kept)


def with_tokens(parts: Parts, change: Callable[[list[Any]], list[Any]]) -> Parts:
    found = next(key for key in parts.keys if key.name == "tokenizer.ggml.tokens")
    tokens = change(list(found.content.items))
    return with_key(parts, found.name, ARRAY, Array(STRING, tuple(tokens)))


def odd_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    path = folder / "made.gguf"
    write_byte_pair_model(path)
    good = take_apart(path.read_bytes())
    write_byte_pair_model(path, experts=4)
    experts = take_apart(path.read_bytes())
    for name, parts in (
        *_vocabularies(good), *_keys(good), *_of_experts(experts), *_weights(path), ("good", good),
    ):  # fmt: skip
        yield name, parts.bytes()
    path.unlink()


def _vocabularies(good: Parts) -> Iterator[tuple[str, Parts]]:
    count = sum(len(k.content.items) for k in good.keys if k.name == "tokenizer.ggml.token_type")
    for model in ("t5", "bert", "rwkv", "plamo2", "llama", "no_vocab", "none", "x" * 9000):
        yield f"model {model:.9}", with_key(good, "tokenizer.ggml.model", STRING, model)
    for name in _IDS:
        key = f"tokenizer.ggml.{name}_token_id"
        yield f"{name} 2^31", with_key(good, key, U32, 1 << 31)
        yield f"{name} beyond", with_key(good, key, U32, count)
        yield f"{name} text", with_key(good, key, STRING, "x")
        yield f"{name} long", with_key(good, key, I64, -5)
    merges = "tokenizer.ggml.merges"
    yield "no merges", without_keys(good, merges)
    odd = ("", "x", "  ", " a", "a ", "\0", "a b c", "zz yy" * 1000)
    yield "odd merges", with_key(good, merges, ARRAY, Array(STRING, odd))
    yield "merges are numbers", with_key(good, merges, ARRAY, Array(U32, (1, 2)))
    yield "no tokenizer", without_keys(good, "tokenizer.")
    yield "tokens are numbers", with_key(good, "tokenizer.ggml.tokens", ARRAY, Array(U32, (1,) * 9))
    yield "tokens are text", with_key(good, "tokenizer.ggml.tokens", STRING, "abc")
    for kind, value in ((STRING, "3"), (U8, 3), (U64, 3), (I32, 3), (I32, 1 << 30)):
        types = Array(kind, (value,) * count)
        yield f"types {kind} {value}", with_key(good, "tokenizer.ggml.token_type", ARRAY, types)
    scores = Array(F64, (0.0,) * count)
    yield "scores too wide", with_key(good, "tokenizer.ggml.scores", ARRAY, scores)
    changes: dict[str, Callable[[list[Any]], list[Any]]] = {
        "same": lambda tokens: ["a"] * len(tokens),
        "empty": lambda tokens: [""] * len(tokens),
        "not UTF-8": lambda t: [*t[:20], *(b"\xff\xfe" + bytes([i]) for i in range(len(t) - 20))],
        "NUL": lambda tokens: [*tokens[:6], *("\0" + token for token in tokens[6:])],
        "escapes": lambda t: [*t[:6], *("\x1b[31m\u202e" + token for token in t[6:])],
        "10 MB": lambda tokens: [*tokens[:-1], "a" * 10_000_000],
        "16 KB each": lambda t: [*t[:6], *("\u00e9" * 8_000 + token for token in t[6:])],
        "more than types": lambda tokens: [*tokens, *(f"q{n}" for n in range(100))],
    }
    for name, change in changes.items():
        yield f"tokens {name}", with_tokens(good, change)
    more = with_tokens(without_keys(good, "tokenizer.ggml.token_type"), lambda t: [*t, "q"])
    yield "more than weights", more
    pre = "\x1b[31m" + "x" * 100_000
    yield "pre", with_key(good, "tokenizer.ggml.pre", STRING, pre)


def _keys(good: Parts) -> Iterator[tuple[str, Parts]]:
    template = "tokenizer.chat_template"
    for kind, content in ((U32, 3), (ARRAY, Array(STRING, ("a", "b"))), (STRING, b"\xff{{ 1 }}")):
        yield f"template {kind}", with_key(good, template, kind, content)
    yield "name", with_key(good, "general.name", STRING, "\x1b[31m\u202e\n" * 9000)
    for name, kind, content in (
        ("rope.freq_base", F32, float("nan")), ("rope.freq_base", F32, -1.0),
        ("rope.dimension_count", U32, 64), ("rope.dimension_count", U32, 0),
        ("rope.dimension_sections", ARRAY, Array(I32, (1 << 30, -1, 3, 4))),
        ("attention.head_count", ARRAY, Array(I32, (-4, 4))),
        ("attention.head_count_kv", ARRAY, Array(U32, (0, 4))),
        ("attention.key_length", U32, 1 << 20), ("attention.key_length", U32, 3),
        ("attention.causal", BOOL, False), ("attention.sliding_window", U32, 1),
        ("attention.max_alibi_bias", F32, 8.0), ("logit_scale", F32, 0.0),
        ("context_length", U32, 1 << 27), ("context_length", U32, 1), ("vocab_size", U32, 1),
        ("feed_forward_length", ARRAY, Array(U32, (0, 128))), ("pooling_type", U32, 1),
        ("expert_group_count", U32, 1), ("expert_used_count", U32, 1),
    ):  # fmt: skip
        yield f"{name} {content!r:.20}", with_key(good, f"llama.{name}", kind, content)
    for kind_of_file in ("adapter", "imatrix", "mmproj", "vocab"):
        yield f"type {kind_of_file}", with_key(good, "general.type", STRING, kind_of_file)
    for other in _OTHER_KINDS:
        keys = (Key(k.name.replace("llama.", f"{other}.", 1), k.kind, k.content) for k in good.keys)
        renamed = dataclasses.replace(good, keys=tuple(keys))
        yield f"is {other}", with_key(renamed, "general.architecture", STRING, other)


def _of_experts(experts: Parts) -> Iterator[tuple[str, Parts]]:
    yield "experts", experts
    for name, number in (
        ("expert_count", 1000), ("expert_used_count", 0), ("expert_used_count", 5),
        ("expert_group_count", 3), ("expert_group_count", 4), ("expert_group_count", 1 << 31),
        ("expert_gating_func", 77),
    ):  # fmt: skip
        yield f"{name} {number}", with_key(experts, f"llama.{name}", U32, number)
    groups = with_key(experts, "llama.expert_group_count", U32, 2)
    for number in (0, 2, 7):
        changed = with_key(groups, "llama.expert_group_used_count", U32, number)
        yield f"expert_group_used_count {number}", changed


def _weights(path: Path) -> Iterator[tuple[str, Parts]]:
    for value in (float("nan"), float("inf"), float("-inf"), 0.0, 3e38):
        for where in _WEIGHTS:

            def changed(name: str, values: Any, where: str = where, to: float = value) -> Any:
                return np.full_like(values, to) if name == where else values

            write_byte_pair_model(path, weights=changed)
            yield f"{where} {value}", take_apart(path.read_bytes())

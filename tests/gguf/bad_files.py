"""Files that are wrong in one way each, with the code that the reader must find."""

from __future__ import annotations

import struct

from tests.gguf.builder import (
    ARRAY,
    F32,
    I32,
    STRING,
    U8,
    U32,
    Array,
    Build,
    Tensor,
    model_keys,
    string,
)

_GOOD = Build().bytes()


def _keys(**changes: object) -> bytes:
    return Build(keys=model_keys(**changes)).bytes()  # type: ignore[arg-type]


def _tensors(*tensors: Tensor, **changes: int) -> bytes:
    return Build(tensors=list(tensors), **changes).bytes()  # type: ignore[arg-type]


def _extra(key: str, kind: int, raw: bytes) -> bytes:
    extra = string(key) + struct.pack("<I", kind) + raw
    return Build(extra_keys=extra, extra_key_count=1).bytes()


_NESTED = struct.pack("<IQ", ARRAY, 1) + struct.pack("<IQ", U8, 1) + b"\0"
_HUGE = 1 << 60

BAD_FILES: dict[str, tuple[str, bytes]] = {
    "empty": ("empty", b""),
    "three_bytes": ("magic", b"GGU"),
    "html": ("not_a_model", b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    "json_error": ("not_a_model", b'{"error": "Repository not found"}'),
    "lfs_pointer": ("lfs_pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
    "zip": ("magic", b"PK\x03\x04" + bytes(64)),
    "version_1": ("version", Build(version=1).bytes()),
    "version_4": ("version", Build(version=4).bytes()),
    "big_endian": ("big_endian", Build(version=0x03000000).bytes()),
    "cut_in_header": ("truncated", _GOOD[:200]),
    "cut_in_first_count": ("truncated", _GOOD[:12]),
    "cut_in_data": ("truncated", Build(missing_end=64).bytes()),
    "key_count_2_54": ("key_count", Build(key_count=1 << 54).bytes()),
    "key_count_2_63": ("key_count", Build(key_count=1 << 63).bytes()),
    "tensor_count_2_54": ("tensor_count", Build(tensor_count=1 << 54).bytes()),
    "tensor_count_2_64": ("tensor_count", Build(tensor_count=(1 << 64) - 1).bytes()),
    "one_key_too_many": ("truncated", Build(key_count=13, tensors=[]).bytes()),
    "key_too_long": ("string_too_long", Build(keys={"k" * 70_000: (U32, 1)}).bytes()),
    "string_past_end": ("truncated", _extra("x", STRING, struct.pack("<Q", _HUGE))),
    "array_past_end": ("truncated", _extra("x", ARRAY, struct.pack("<IQ", F32, _HUGE))),
    "strings_past_end": ("truncated", _extra("x", ARRAY, struct.pack("<IQ", STRING, _HUGE))),
    "string_in_array_past_end": (
        "truncated",
        _extra("x", ARRAY, struct.pack("<IQ", STRING, 1) + struct.pack("<Q", _HUGE)),
    ),
    "nested_array": ("nested_array", _extra("x", ARRAY, _NESTED)),
    "unknown_value_type": ("unknown_value_type", _extra("x", 99, b"")),
    "unknown_array_type": ("unknown_value_type", _extra("x", ARRAY, struct.pack("<IQ", 77, 1))),
    "duplicate_key": ("duplicate_key", _extra("general.name", U32, struct.pack("<I", 1))),
    "empty_key": ("empty_key", _extra("", U32, struct.pack("<I", 1))),
    "template_too_long": (
        "template_too_long",
        _keys(tokenizer__chat_template=(STRING, "x" * (256 * 1024 + 1))),
    ),
    "alignment_zero": ("alignment", _keys(general__alignment=(U32, 0))),
    "alignment_three": ("alignment", _keys(general__alignment=(U32, 3))),
    "alignment_text": ("alignment", _keys(general__alignment=(STRING, "32"))),
    "no_architecture": ("missing_key", _keys(general__architecture=None)),
    "architecture_number": ("missing_key", _keys(general__architecture=(U32, 5))),
    "architecture_ansi": ("architecture", _keys(general__architecture=(STRING, "\x1b[31mllama"))),
    "no_block_count": ("missing_key", _keys(llama__block_count=None)),
    "block_count_0": ("block_count", _keys(llama__block_count=(U32, 0))),
    "block_count_513": ("block_count", _keys(llama__block_count=(U32, 513))),
    "block_count_text": ("block_count", _keys(llama__block_count=(STRING, "2"))),
    "block_count_float": ("block_count", _keys(llama__block_count=(F32, 2.0))),
    "context_2_31": ("context_length", _keys(llama__context_length=(U32, 2**31 - 1))),
    "context_0": ("context_length", _keys(llama__context_length=(U32, 0))),
    "embedding_0": ("embedding_length", _keys(llama__embedding_length=(U32, 0))),
    "head_count_0": ("head_count", _keys(llama__attention__head_count=(U32, 0))),
    "head_count_missing": ("head_count", _keys(llama__attention__head_count=None)),
    "head_count_negative": ("head_count", _keys(llama__attention__head_count=(I32, -8))),
    "heads_do_not_divide": ("head_count", _keys(llama__attention__head_count=(U32, 7))),
    "kv_heads_do_not_divide": (
        "head_count_kv",
        _keys(llama__attention__head_count_kv=(U32, 3)),
    ),
    "head_array_too_short": (
        "head_count",
        _keys(llama__attention__head_count=(ARRAY, Array(U32, (8,)))),
    ),
    "rotated_odd": ("dimension_count", _keys(llama__rope__dimension_count=(U32, 7))),
    "rotated_2_20": ("dimension_count", _keys(llama__rope__dimension_count=(U32, 1 << 20))),
    "epsilon_negative": (
        "layer_norm_rms_epsilon",
        _keys(llama__attention__layer_norm_rms_epsilon=(F32, -1.0)),
    ),
    "epsilon_not_a_number": (
        "layer_norm_rms_epsilon",
        _keys(llama__attention__layer_norm_rms_epsilon=(F32, float("nan"))),
    ),
    "epsilon_text": (
        "layer_norm_epsilon",
        _keys(llama__attention__layer_norm_epsilon=(STRING, "small")),
    ),
    "experts_used_without_experts": (
        "expert_used_count",
        _keys(llama__expert_used_count=(U32, 2)),
    ),
    "expert_groups_beyond": (
        "expert_group_count",
        _keys(
            llama__expert_count=(U32, 4),
            llama__expert_used_count=(U32, 2),
            llama__expert_group_count=(U32, 4),
        ),
    ),
    "expert_groups_unequal": (
        "expert_group_count",
        _keys(
            llama__expert_count=(U32, 5),
            llama__expert_used_count=(U32, 2),
            llama__expert_group_count=(U32, 2),
            llama__expert_group_used_count=(U32, 1),
        ),
    ),
    "expert_groups_without_use": (
        "expert_group_count",
        _keys(
            llama__expert_count=(U32, 4),
            llama__expert_used_count=(U32, 2),
            llama__expert_group_count=(U32, 2),
        ),
    ),
    "token_of_20_kb": (
        "string_too_long",
        _keys(
            tokenizer__ggml__tokens=(ARRAY, Array(STRING, ("a", "b" * 20_000, "c"))),
        ),
    ),
    "experts_4096": ("expert_count", _keys(llama__expert_count=(U32, 4096))),
    "window_text": ("sliding_window", _keys(llama__attention__sliding_window=(STRING, "wide"))),
    "window_infinite": (
        "sliding_window",
        _keys(llama__attention__sliding_window=(F32, float("inf"))),
    ),
    "state_negative": ("head_size", _keys(llama__wkv__head_size=(I32, -1))),
    "vocabulary_of_many": (
        "vocab_size",
        _keys(llama__vocab_size=(ARRAY, Array(F32, (1.0, 2.0)))),
    ),
    "width_not_a_number": (
        "feed_forward_length",
        _keys(llama__feed_forward_length=(ARRAY, Array(F32, (float("nan"), 1.0)))),
    ),
    "rope_scaling": ("rope_scaling", _keys(llama__rope__scaling__type=(STRING, "spiral"))),
    "token_arrays": (
        "token_arrays",
        _keys(tokenizer__ggml__scores=(ARRAY, Array(F32, (0.0, 1.0)))),
    ),
    "shard_0_of_0_number": ("shard", _keys(split__no=(U32, 3), split__count=(U32, 2))),
    "shard_without_count": ("shard", _keys(split__no=(U32, 0))),
    "shard_count_2_31": ("shard", _keys(split__no=(U32, 0), split__count=(U32, 2**31))),
    "no_tensors": ("no_tensors", _tensors()),
    "tensor_5_dimensions": ("tensor_dimensions", _tensors(Tensor("a", n_dimensions=5))),
    "tensor_type_4": ("unknown_tensor_type", _tensors(Tensor("a", kind=4))),
    "tensor_type_2_31": ("unknown_tensor_type", _tensors(Tensor("a", kind=2**31))),
    "tensor_row": ("tensor_row", _tensors(Tensor("a", (100, 4), kind=12))),
    "tensor_zero": ("tensor_shape", _tensors(Tensor("a", (256, 0)))),
    "tensor_2_63": ("tensor_shape", _tensors(Tensor("a", (1 << 63, 1)))),
    "tensor_wraps": ("tensor_shape", _tensors(Tensor("a", (1 << 40, 1 << 40)))),
    "tensor_past_end": ("truncated", _tensors(Tensor("a", (1 << 40, 1 << 20)))),
    "tensor_name_too_long": ("string_too_long", _tensors(Tensor("a" * 64))),
    "tensor_twice": ("duplicate_tensor", _tensors(Tensor("a"), Tensor("a"))),
    "tensor_overlap": ("tensor_overlap", _tensors(Tensor("a"), Tensor("b", offset=0))),
    "tensor_unaligned": ("tensor_unaligned", _tensors(Tensor("a"), Tensor("b", offset=4097))),
    "tensor_gap": ("tensor_gap", _tensors(Tensor("a"), Tensor("b", offset=8192))),
    "tensor_offset_wraps": (
        "tensor_gap",
        _tensors(Tensor("a"), Tensor("b", offset=(1 << 64) - 4096)),
    ),
}

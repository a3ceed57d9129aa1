"""A GGUF file taken apart, changed in one or two places that mean something, and put together.

Random bytes never hurt the engine; one wrong integer or name did. So each change is one of those.
"""

from __future__ import annotations

import dataclasses
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.gguf.builder import ARRAY, F32, I32, STRING, U32, U64, Array, string, value

_ALIGNMENT = 32
_FORMATS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
INTEGERS = (
    0, 1, 2, 3, 5, 7, 31, 63, 65, 127, 255, 256, 511, 512, 513, 1000, 4095, 65535, 65536, 1 << 20,
    (1 << 24) + 1, (1 << 30) - 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
)  # fmt: skip
FLOATS = (0.0, -1.0, 1e-30, 1e30, float("inf"), float("-inf"), float("nan"), 0.5)
NAMES = (
    "", "bert", "none", "llama", "gpt2", "rwkv", "t5", "plamo2", "hybriddna", "default", "qwen2",
    "gemma3", "gemma3n", "mamba", "mamba2", "deepseek2", "t5encoder", "clip", "gpt-oss", "llada",
    "whisper", "unknown", "x" * 60, "\x1b[31m", "%s%n", "../../etc/passwd", "\u202ellama",
)  # fmt: skip
EXTRA_KEYS: tuple[tuple[str, int, Any], ...] = (
    ("{a}.expert_count", U32, 8), ("{a}.expert_used_count", U32, 2),
    ("{a}.rope.dimension_count", U32, 7), ("{a}.rope.dimension_count", U32, 1 << 20),
    ("{a}.rope.scaling.type", STRING, "yarn"), ("{a}.rope.scaling.factor", F32, 0.0),
    ("{a}.rope.freq_base", F32, 0.0), ("{a}.attention.causal", 7, False),
    ("{a}.attention.clamp_kqv", F32, float("nan")), ("{a}.pooling_type", U32, 99),
    ("{a}.vocab_size", U32, 1), ("{a}.vocab_size", U32, (1 << 31) - 1),
    ("{a}.leading_dense_block_count", U32, 1 << 30), ("{a}.attention.q_lora_rank", U32, 0),
    ("{a}.attention.kv_lora_rank", U32, 512), ("{a}.nextn_predict_layers", U32, 4),
    ("{a}.attention.sliding_window", U32, 1), ("{a}.ssm.group_count", U32, 0),
    ("{a}.attention.group_norm_groups", U32, 0), ("{a}.logit_scale", F32, float("inf")),
    ("{a}.final_logit_softcapping", F32, 0.0), ("{a}.residual_scale", F32, float("nan")),
    ("tokenizer.ggml.pre", STRING, "no-such"), ("tokenizer.ggml.precompiled_charsmap", STRING, "x"),
    ("tokenizer.ggml.merges", ARRAY, Array(STRING, ("a", "b c", " ", ""))),
    ("tokenizer.ggml.eot_token_id", U32, (1 << 32) - 1), ("tokenizer.ggml.mask_token_id", I32, -2),
    ("tokenizer.ggml.fim_pre_token_id", U32, 1 << 30), ("tokenizer.ggml.token_type_count", U32, 0),
    ("tokenizer.ggml.add_bos_token", U32, 1), ("general.file_type", U32, 999),
    ("general.quantization_version", U32, 99), ("general.type", STRING, "adapter"),
    ("adapter.type", STRING, "lora"), ("split.count", U32, 3), ("split.no", U32, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Key:
    name: str
    kind: int
    content: Any


@dataclass(frozen=True)
class Info:
    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class Parts:
    """`data` is everything behind the header."""

    keys: tuple[Key, ...]
    tensors: tuple[Info, ...]
    data: bytes

    def bytes(self) -> bytes:
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.keys))
        for key in self.keys:
            head += string(key.name) + struct.pack("<I", key.kind) + value(key.kind, key.content)
        for tensor in self.tensors:
            n = len(tensor.shape)
            head += string(tensor.name) + struct.pack(f"<I{n}Q", n, *tensor.shape)
            head += struct.pack("<IQ", tensor.kind, tensor.offset)
        return head + bytes(-len(head) % _ALIGNMENT) + self.data

    @property
    def architecture(self) -> str:
        return next(str(key.content) for key in self.keys if key.name == "general.architecture")


def take_apart(raw: bytes) -> Parts:
    """A right file; what is wrong raises whatever it raises."""
    at = 8

    def take(letter: str) -> Any:
        nonlocal at
        (found,) = struct.unpack_from(f"<{letter}", raw, at)
        at += struct.calcsize(f"<{letter}")
        return found

    def text() -> str:
        nonlocal at
        length = take("Q")
        at += length
        return raw[at - length : at].decode()

    def content(kind: int) -> Any:
        if kind == STRING:
            return text()
        if kind == ARRAY:
            inner, count = take("I"), take("Q")
            return Array(inner, tuple(content(inner) for _ in range(count)))
        return take(_FORMATS[kind])

    tensor_count, key_count = take("Q"), take("Q")
    keys = []
    for _ in range(key_count):
        name, kind = text(), take("I")
        keys.append(Key(name, kind, content(kind)))
    tensors = []
    for _ in range(tensor_count):
        name, n = text(), take("I")
        shape = tuple(take("Q") for _ in range(n))
        tensors.append(Info(name, shape, take("I"), take("Q")))
    return Parts(tuple(keys), tuple(tensors), raw[at + -at % _ALIGNMENT :])


# --- one change each ------------------------------------------------------------------------------

Change = Callable[[Parts, random.Random], tuple[str, Parts]]


def _with_key(parts: Parts, at: int, key: Key) -> Parts:
    return dataclasses.replace(parts, keys=(*parts.keys[:at], key, *parts.keys[at + 1 :]))


def _with_tensor(parts: Parts, at: int, tensor: Info) -> Parts:
    changed = (*parts.tensors[:at], tensor, *parts.tensors[at + 1 :])
    return dataclasses.replace(parts, tensors=changed)


def _other_value(parts: Parts, dice: random.Random) -> tuple[str, Parts]:
    at = dice.randrange(len(parts.keys))
    key = parts.keys[at]
    new: Any
    match key.kind:
        case 4 | 5 | 10 | 11:
            new = dice.choice(INTEGERS)
            new = new if key.kind != I32 or new < 1 << 31 else new - (1 << 32)
        case 6 | 12:
            new = dice.choice(FLOATS)
        case 8:
            new = dice.choice(NAMES)
        case 9:
            return _other_array(parts, at, dice)
        case _:
            new = not key.content
    return f"{key.name} = {new!r:.60}", _with_key(parts, at, Key(key.name, key.kind, new))


def _other_array(parts: Parts, at: int, dice: random.Random) -> tuple[str, Parts]:
    key = parts.keys[at]
    items = list(key.content.items)
    place = dice.randrange(len(items))
    how = dice.choice(("shorter", "longer", "item", "empty", "same"))
    match how:
        case "shorter":
            items = items[:place]
        case "longer":
            items += items[:3]
        case "item":
            bad: dict[int, Any] = {STRING: dice.choice(NAMES), F32: dice.choice(FLOATS)}
            items[place] = bad.get(key.content.kind, dice.choice((-1, 0, 99, 1 << 30)))
        case "empty":
            items = []
        case _:
            items = [items[place]] * len(items)
    array = Array(key.content.kind, tuple(items))
    return f"{key.name} {how} at {place}", _with_key(parts, at, Key(key.name, ARRAY, array))


def _other_kind(parts: Parts, dice: random.Random) -> tuple[str, Parts]:
    at = dice.randrange(len(parts.keys))
    key = parts.keys[at]
    kind, content = dice.choice(
        ((U32, 1), (I32, -1), (F32, 2.0), (STRING, "2"), (U64, 1 << 40), (7, True),
         (ARRAY, Array(U32, (1, 2))), (ARRAY, Array(STRING, ("x",))))
    )  # fmt: skip
    return f"{key.name} is {kind}", _with_key(parts, at, Key(key.name, kind, content))


def _no_key(parts: Parts, dice: random.Random) -> tuple[str, Parts]:
    at = dice.randrange(len(parts.keys))
    keys = parts.keys[:at] + parts.keys[at + 1 :]
    return f"no {parts.keys[at].name}", dataclasses.replace(parts, keys=keys)


def _one_more_key(parts: Parts, dice: random.Random) -> tuple[str, Parts]:
    name, kind, content = dice.choice(EXTRA_KEYS)
    name = name.format(a=parts.architecture)
    keys = (*(key for key in parts.keys if key.name != name), Key(name, kind, content))
    return f"{name} = {content!r:.60}", dataclasses.replace(parts, keys=keys)


def _architecture(parts: Parts, dice: random.Random) -> tuple[str, Parts]:
    """Another name, below which the keys are found all the same."""
    old, new = parts.architecture, dice.choice(NAMES[1:-5])
    keys = tuple(
        Key(key.name, STRING, new)
        if key.name == "general.architecture"
        else Key(key.name.replace(f"{old}.", f"{new}.", 1), key.kind, key.content)
        for key in parts.keys
    )
    return f"architecture {new}", dataclasses.replace(parts, keys=keys)


def _tensor(parts: Parts, dice: random.Random) -> tuple[str, Parts]:
    at = dice.randrange(len(parts.tensors))
    tensor = parts.tensors[at]
    how = dice.choice(("shape", "swap", "kind", "offset", "name", "less", "flat"))
    match how:
        case "shape":
            length = dice.choice(INTEGERS)
            new = dataclasses.replace(tensor, shape=(length, *tensor.shape[1:]))
        case "swap":
            new = dataclasses.replace(tensor, shape=tensor.shape[::-1])
        case "kind":
            new = dataclasses.replace(tensor, kind=dice.randrange(45))
        case "offset":
            offset = dice.choice((1, 31, 32, 4096, 1 << 40, (1 << 64) - 32, 0))
            new = dataclasses.replace(tensor, offset=offset)
        case "name":
            other = dice.choice(parts.tensors).name
            new = dataclasses.replace(tensor, name=dice.choice((other, "", "x" * 63, "blk.9.x")))
        case "less":
            tensors = parts.tensors[:at] + parts.tensors[at + 1 :]
            return f"no tensor {tensor.name}", dataclasses.replace(parts, tensors=tensors)
        case _:
            elements = 1
            for length in tensor.shape:
                elements *= length
            new = dataclasses.replace(tensor, shape=(elements,))
    return f"{tensor.name} {how}: {new!r:.120}", _with_tensor(parts, at, new)


def _data(parts: Parts, dice: random.Random) -> tuple[str, Parts]:
    how = dice.choice(("cut", "longer", "zeros", "not a number", "noise"))
    data = parts.data
    match how:
        case "cut":
            data = data[: dice.randrange(len(data))]
        case "longer":
            data += bytes(dice.randrange(1, 1 << 16))
        case "zeros":
            data = bytes(len(data))
        case "not a number":
            data = b"\xff" * len(data)
        case _:
            data = dice.randbytes(len(data))
    return f"data {how}", dataclasses.replace(parts, data=data)


_CHANGES: tuple[Change, ...] = (
    _other_value, _other_value, _other_value, _other_kind, _no_key, _one_more_key, _one_more_key,
    _architecture, _tensor, _tensor, _data,
)  # fmt: skip


def mutated(parts: Parts, seed: int) -> tuple[str, bytes]:
    """What was changed, and the file."""
    dice = random.Random(seed)
    told = []
    for _ in range(1 if dice.random() < 0.7 else 2):
        name, parts = dice.choice(_CHANGES)(parts, dice)
        told.append(name)
        if not any(key.name == "general.architecture" for key in parts.keys):
            break
    return f"{seed}: {'; '.join(told)}", parts.bytes()

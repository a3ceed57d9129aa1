"""Makes GGUF files byte by byte, right ones and wrong ones, and a right one by the real writer."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
from gguf import GGMLQuantizationType, GGUFWriter

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
_LETTERS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?"}
_LETTERS |= {U64: "Q", I64: "q", F64: "d"}
F32_TENSOR, Q4_K_TENSOR = 0, 12


@dataclass(frozen=True)
class Array:
    kind: int
    items: tuple[Any, ...]
    count: int | None = None
    """Written in place of the real length."""


@dataclass
class Tensor:
    name: str
    shape: tuple[int, ...] = (256, 4)
    kind: int = F32_TENSOR
    offset: int | None = None
    """None: right behind the tensor before."""
    n_dimensions: int | None = None


def string(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def value(kind: int, content: Any) -> bytes:
    if isinstance(content, bytes) and kind != STRING:
        return content  # raw bytes of a value that is wrong on purpose
    if kind == STRING:
        return string(content)
    if kind == ARRAY:
        count = len(content.items) if content.count is None else content.count
        body = b"".join(value(content.kind, item) for item in content.items)
        return struct.pack("<IQ", content.kind, count) + body
    return struct.pack(f"<{_LETTERS[kind]}", content)


def model_keys(**changes: tuple[int, Any] | None) -> dict[str, tuple[int, Any]]:
    """Keys of a small llama; a change to None takes a key away (dots written as `__`)."""
    keys: dict[str, tuple[int, Any]] = {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "Tiny"),
        "llama.block_count": (U32, 2),
        "llama.context_length": (U32, 4096),
        "llama.embedding_length": (U32, 256),
        "llama.feed_forward_length": (U32, 512),
        "llama.attention.head_count": (U32, 8),
        "llama.attention.head_count_kv": (U32, 2),
        "tokenizer.ggml.model": (STRING, "gpt2"),
        "tokenizer.ggml.tokens": (ARRAY, Array(STRING, ("a", "b", "c"))),
        "tokenizer.ggml.scores": (ARRAY, Array(F32, (0.0, 1.0, 2.0))),
        "tokenizer.ggml.token_type": (ARRAY, Array(I32, (1, 1, 1))),
    }
    for name, change in changes.items():
        key = name.replace("__", ".")
        if change is None:
            keys.pop(key)
        else:
            keys[key] = change
    return keys


@dataclass
class Build:
    """A GGUF file; each field that is None is written as it should be."""

    keys: dict[str, tuple[int, Any]] = field(default_factory=model_keys)
    tensors: list[Tensor] = field(
        default_factory=lambda: [Tensor("token_embd.weight"), Tensor("output_norm.weight", (256,))]
    )
    magic: bytes = b"GGUF"
    version: int = 3
    tensor_count: int | None = None
    key_count: int | None = None
    extra_keys: bytes = b""
    extra_key_count: int = 0
    alignment: int = 32
    missing_end: int = 0
    """Bytes cut from the end."""

    def header(self) -> tuple[bytes, int]:
        """All before the first tensor's data, and how many bytes of small tensors follow."""
        key_count = len(self.keys) + self.extra_key_count
        tensor_count = len(self.tensors)
        head = self.magic + struct.pack(
            "<IQQ",
            self.version,
            tensor_count if self.tensor_count is None else self.tensor_count,
            key_count if self.key_count is None else self.key_count,
        )
        for key, (kind, content) in self.keys.items():
            head += string(key) + struct.pack("<I", kind) + value(kind, content)
        head += self.extra_keys
        infos, data_bytes = self._tensor_infos()
        head += infos
        return head + bytes(-len(head) % self.alignment), data_bytes

    def bytes(self) -> bytes:
        head, data_bytes = self.header()
        whole = head + bytes(data_bytes)
        return whole[: len(whole) - self.missing_end] if self.missing_end else whole

    def _tensor_infos(self) -> tuple[bytes, int]:
        infos, end = b"", 0
        for tensor in self.tensors:
            offset = end if tensor.offset is None else tensor.offset
            dimensions = len(tensor.shape) if tensor.n_dimensions is None else tensor.n_dimensions
            infos += string(tensor.name) + struct.pack("<I", dimensions)
            infos += struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape)
            infos += struct.pack("<IQ", tensor.kind, offset)
            elements = 1
            for length in tensor.shape:
                elements *= length
            size = elements * 4 if tensor.kind == F32_TENSOR else elements // 256 * 144
            if size < 1 << 24:
                end += (size + self.alignment - 1) // self.alignment * self.alignment
        return infos, end

    def write(self, path: Path) -> Path:
        path.write_bytes(self.bytes())
        return path


def write_with_gguf(path: Path, *, n_layers: int = 2, tensors: int = 3) -> Path:
    """A model file as the `gguf` package writes it."""
    writer = GGUFWriter(path, "qwen2")
    writer.add_block_count(n_layers)
    writer.add_context_length(32768)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_feed_forward_length(128)
    writer.add_license("apache-2.0")
    writer.add_token_list(["a", "b", "c", "d"])
    writer.add_token_types([1, 1, 1, 1])
    for index in range(tensors):
        data = numpy.zeros((4, 64), dtype=numpy.float16)
        writer.add_tensor(f"blk.{index}.attn_q.weight", data, raw_dtype=GGMLQuantizationType.F16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

"""Shadows: the engine's view of a model kept, its weights and its tokenizer left out."""

from __future__ import annotations

import dataclasses
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openshelf.errors import EngineFailed
from openshelf.gguf.header import Header, read_header, read_header_bytes
from openshelf.gguf.shadow import shadow_bytes, shadow_file
from openshelf.gguf.split import read_model
from tests.gguf.builder import (
    ARRAY,
    BOOL,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Array,
    Build,
    Tensor,
    model_keys,
)
from tests.gguf.test_split import _write_shards

VALUES = {
    U8: st.integers(0, 2**8 - 1),
    I8: st.integers(-(2**7), 2**7 - 1),
    U16: st.integers(0, 2**16 - 1),
    I16: st.integers(-(2**15), 2**15 - 1),
    U32: st.integers(0, 2**32 - 1),
    I32: st.integers(-(2**31), 2**31 - 1),
    U64: st.integers(0, 2**64 - 1),
    I64: st.integers(-(2**63), 2**63 - 1),
    F32: st.floats(width=32, allow_nan=False),
    F64: st.floats(allow_nan=False),
    BOOL: st.booleans(),
    STRING: st.text(max_size=20),
}
SINGLE = st.sampled_from(sorted(VALUES)).flatmap(lambda k: st.tuples(st.just(k), VALUES[k]))
LISTS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda k: st.lists(VALUES[k], max_size=5).map(lambda v: (ARRAY, Array(k, tuple(v))))
)


def _shadow_of(header: Header) -> Header:
    data, size = shadow_bytes(header)
    return read_header_bytes(data, size)


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"other\.[a-z]{1,8}", fullmatch=True), SINGLE | LISTS))
def test_values_keep_their_types(extra: dict[str, tuple[int, object]]) -> None:
    data = Build(keys=model_keys() | extra).bytes()
    header = read_header_bytes(data, len(data))
    shadow = _shadow_of(header)
    for key in extra:
        assert shadow.metadata[key] == header.metadata[key]
        assert shadow.kinds[key] == header.kinds[key]
        assert shadow.array_lengths.get(key) == header.array_lengths.get(key)
    assert shadow.tensors == header.tensors


def test_the_tokenizer_becomes_a_number() -> None:
    tokens = Array(STRING, tuple(f"token {number}" for number in range(5000)))
    keys = model_keys(
        tokenizer__ggml__tokens=(ARRAY, tokens),
        tokenizer__ggml__scores=None,
        tokenizer__ggml__token_type=None,
        llama__vocab_size=(U32, 7),
    )
    data = Build(keys=keys | {"tokenizer.chat_template": (STRING, "{{ messages }}")}).bytes()
    shadow = _shadow_of(read_header_bytes(data, len(data)))
    named = {key: value for key, value in shadow.metadata.items() if key.startswith("tokenizer")}
    assert named == {"tokenizer.ggml.model": "no_vocab"}
    assert shadow.metadata["llama.vocab_size"] == 5000
    assert shadow.header_bytes < 1500 < len(data)


def test_a_file_without_tokens_keeps_its_claim() -> None:
    keys = model_keys(
        tokenizer__ggml__tokens=None,
        tokenizer__ggml__scores=None,
        tokenizer__ggml__token_type=None,
        llama__vocab_size=(U32, 128256),
    )
    data = Build(keys=keys).bytes()
    shadow = _shadow_of(read_header_bytes(data, len(data)))
    assert shadow.metadata["llama.vocab_size"] == 128256


def test_shards_become_one_file(tmp_path: Path) -> None:
    whole = read_model(_write_shards(tmp_path)[0])
    with shadow_file(whole, tmp_path) as path:
        shadow = read_header(path)
    assert shadow.shard is None
    assert [t.name for t in shadow.tensors] == [t.name for t in whole.tensors]
    assert [t.offset for t in shadow.tensors] == [0, 4096, 8192]


def test_alignment_is_kept(tmp_path: Path) -> None:
    odd = [Tensor("a.weight", (3,)), Tensor("b.weight", (5,))]
    build = Build(keys=model_keys() | {"general.alignment": (U32, 256)}, tensors=odd, alignment=256)
    header = read_header(build.write(tmp_path / "model.gguf"))
    shadow = _shadow_of(header)
    assert shadow.header_bytes % 256 == 0
    assert [t.offset for t in shadow.tensors] == [t.offset for t in header.tensors] == [0, 256]


@pytest.mark.model
def test_the_starter_model_takes_kilobytes(starter_model: Path, tmp_path: Path) -> None:
    header = read_header(starter_model)
    with shadow_file(header, tmp_path) as path:
        shadow, status = read_header(path), path.stat()
        assert status.st_size > 90_000_000
        assert getattr(status, "st_blocks", 0) * 512 <= 64 << 10
        assert path.parent.parent == tmp_path
    assert shadow.tensors == header.tensors
    assert shadow.header_bytes < 32 << 10
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    data = Build().bytes()
    header = read_header_bytes(data, len(data))

    def fail() -> None:
        with shadow_file(header, tmp_path) as path:
            assert path.is_file()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    old, fresh = tmp_path / "openshelf-shadow-old", tmp_path / "openshelf-shadow-fresh"
    for folder in (old, fresh):
        folder.mkdir()
        (folder / "model.gguf").write_bytes(b"")
    os.utime(old, (0, 0))
    data = Build().bytes()
    with shadow_file(read_header_bytes(data, len(data)), tmp_path):
        assert not old.exists()
        assert fresh.is_dir(), "another window's dry run"


def test_a_file_system_that_cannot_hold_it_is_told(tmp_path: Path) -> None:
    data = Build().bytes()
    header = read_header_bytes(data, len(data))
    huge = dataclasses.replace(header.tensors[-1], size_bytes=(1 << 63) - (1 << 20))
    with (
        pytest.raises(EngineFailed) as caught,
        shadow_file(dataclasses.replace(header, tensors=(*header.tensors, huge)), tmp_path),
    ):
        pass
    assert caught.value.why == "no_shadow"
    assert list(tmp_path.iterdir()) == []


def test_a_shadow_of_a_shadow_is_itself() -> None:
    data = Build().bytes()
    first, size = shadow_bytes(read_header_bytes(data, len(data)))
    again, _ = shadow_bytes(read_header_bytes(first, size))
    assert struct.unpack_from("<I", first, 4) == (3,)
    assert len(again) == len(first)

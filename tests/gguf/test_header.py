from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openshelf.errors import CorruptModel, NotFound
from openshelf.gguf.cursor import MAX_HEADER_BYTES, MAX_SKIPPED_STRINGS
from openshelf.gguf.header import IncompleteHeader, read_header, read_header_bytes
from tests.gguf.bad_files import BAD_FILES
from tests.gguf.builder import (
    ARRAY,
    STRING,
    U8,
    U32,
    Array,
    Build,
    Tensor,
    model_keys,
    write_with_gguf,
)

HEADERS = Path(__file__).parents[1] / "data" / "headers"
INDEX = json.loads((HEADERS / "index.json").read_text("utf-8"))
LIMIT_SECONDS = 1.0
LIMIT_BYTES = 200 << 20


@pytest.mark.model
def test_reads_the_starter_model_without_its_vocabulary(starter_model: Path) -> None:
    header = read_header(starter_model)
    assert header.architecture == "llama"
    assert header.get("block_count") == 30
    assert len(header.tensors) == 272
    assert header.array_lengths["tokenizer.ggml.tokens"] == 49152
    assert "tokenizer.ggml.tokens" not in header.metadata
    assert header.header_bytes + sum(t.size_bytes for t in header.tensors) <= header.file_bytes
    assert header.header_bytes % 32 == 0


@pytest.mark.parametrize("name", INDEX)
def test_reads_headers_of_all_kinds(name: str) -> None:
    expected = INDEX[name]
    path = HEADERS / f"{name}.gguf.header"
    header = read_header(path, file_bytes=expected["file_bytes"])
    assert header.architecture == expected["architecture"]
    assert len(header.tensors) == expected["tensors"]
    assert header.header_bytes == expected["header_bytes"]
    assert header.file_bytes == expected["file_bytes"]


def test_reads_what_the_gguf_package_writes(tmp_path: Path) -> None:
    header = read_header(write_with_gguf(tmp_path / "model.gguf"))
    assert header.version == 3
    assert header.architecture == "qwen2"
    assert header.get("context_length") == 32768
    assert header.metadata["general.license"] == "apache-2.0"
    assert header.array_lengths["tokenizer.ggml.tokens"] == 4
    assert [tensor.type_name for tensor in header.tensors] == ["F16"] * 3
    assert header.tensors[0].shape == (64, 4)
    assert header.tensors[0].size_bytes == 64 * 4 * 2


def test_version_2_reads_too() -> None:
    data = Build(version=2).bytes()
    assert read_header_bytes(data, len(data)).version == 2


def test_a_header_alone_needs_the_size_of_the_whole_file(tmp_path: Path) -> None:
    data = Build().bytes()
    header = read_header_bytes(data, len(data))
    path = tmp_path / "model.gguf.header"
    path.write_bytes(data[: header.header_bytes])
    with pytest.raises(CorruptModel) as caught:
        read_header(path)
    assert caught.value.why == "truncated"
    assert read_header(path, file_bytes=len(data)) == header


def test_per_layer_arrays_are_kept_and_large_ones_only_counted() -> None:
    keys = model_keys(
        llama__attention__head_count_kv=(ARRAY, Array(U32, (2, 4))),
        general__tags=(ARRAY, Array(STRING, ("chat", "en"))),
        tokenizer__ggml__precompiled_charsmap=(ARRAY, Array(U8, (0,) * 5000)),
    )
    header = read_header_bytes(data := Build(keys=keys).bytes(), len(data))
    assert header.get("attention.head_count_kv") == (2, 4)
    assert header.metadata["general.tags"] == ("chat", "en")
    assert header.array_lengths["tokenizer.ggml.precompiled_charsmap"] == 5000
    assert "tokenizer.ggml.precompiled_charsmap" not in header.metadata


def test_text_that_is_not_utf8_is_replaced() -> None:
    keys = model_keys(general__name=(STRING, b"\xff\xfename"))
    header = read_header_bytes(data := Build(keys=keys).bytes(), len(data))
    assert header.metadata["general.name"] == "��name"


def test_models_whose_heads_do_not_divide_say_their_key_length() -> None:
    keys = model_keys(
        llama__attention__head_count=(U32, 7),
        llama__attention__head_count_kv=(U32, 7),
        llama__attention__key_length=(U32, 64),
    )
    data = Build(keys=keys).bytes()
    assert read_header_bytes(data, len(data)).get("attention.head_count") == 7


def test_recurrent_models_have_no_heads() -> None:
    keys = model_keys(
        llama__attention__head_count=(U32, 0),
        llama__attention__head_count_kv=(U32, 0),
        llama__ssm__state_size=(U32, 16),
    )
    data = Build(keys=keys).bytes()
    assert read_header_bytes(data, len(data)).get("ssm.state_size") == 16


def test_projectors_have_no_layers() -> None:
    keys = {"general.architecture": (STRING, "clip"), "general.type": (STRING, "mmproj")}
    data = Build(keys=keys).bytes()
    assert read_header_bytes(data, len(data)).architecture == "clip"


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_end_in_a_reason(name: str, tmp_path: Path) -> None:
    why, data = BAD_FILES[name]
    path = tmp_path / f"{name}.gguf"
    path.write_bytes(data)
    start = time.perf_counter()
    with pytest.raises(CorruptModel) as caught:
        read_header(path)
    assert time.perf_counter() - start < LIMIT_SECONDS
    assert caught.value.why == why
    assert caught.value.path == str(path)
    assert len(caught.value.detail) < 300


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_header(tmp_path / "missing.gguf")
    with pytest.raises(CorruptModel) as caught:
        read_header(tmp_path)
    assert caught.value.why == "unreadable"


def _sparse(path: Path, head: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


_MANY_KEYS = b"".join(
    len(key := f"k{i}".encode()).to_bytes(8, "little") + key + (0).to_bytes(4, "little") + b"\0"
    for i in range(60_000)
)
_EMPTY_STRINGS = MAX_SKIPPED_STRINGS - 10
BOMBS = {
    # heads of sparse files of 1 TB, in which everything asked for does exist
    "strings": Build(
        keys={"x": (ARRAY, Array(STRING, (), count=1 << 30))}, tensors=[], tensor_count=1
    ),
    "strings_just_allowed": Build(
        keys={"x": (ARRAY, Array(STRING, (), count=_EMPTY_STRINGS))}, tensors=[], tensor_count=1
    ),
    "numbers": Build(keys={"x": (ARRAY, Array(U8, (), count=1 << 36))}, tensors=[]),
    "one_string": Build(keys={"x": (STRING, b"")}, tensors=[], key_count=1 << 16),
    "many_keys": Build(extra_keys=_MANY_KEYS, extra_key_count=60_000, tensor_count=1 << 16),
    "many_tensors": Build(tensor_count=(1 << 16) - 1),
    "header_of_64_MiB": Build(
        keys={f"x{i}": (ARRAY, Array(U8, (), count=MAX_HEADER_BYTES - 100)) for i in range(2)},
        tensors=[],
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_within_a_second_and_200_mb(name: str, tmp_path: Path) -> None:
    path = _sparse(tmp_path / "bomb.gguf", BOMBS[name].bytes(), 1 << 40)
    start = time.thread_time()
    with pytest.raises(CorruptModel):
        read_header(path)
    assert time.thread_time() - start < LIMIT_SECONDS
    tracemalloc.start()
    try:
        with pytest.raises(CorruptModel):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < LIMIT_BYTES
    finally:
        tracemalloc.stop()


def test_values_that_are_kept_stay_small() -> None:
    """Many values just small enough to keep must not add up."""
    big = b"\xf0\x9f\x98\x80" * (100 << 10)
    keys = model_keys() | {f"x{i}": (STRING, big) for i in range(60)}
    data = Build(keys=keys).bytes()
    tracemalloc.start()
    try:
        header = read_header_bytes(data, len(data))
        assert tracemalloc.get_traced_memory()[0] < 60 << 20
    finally:
        tracemalloc.stop()
    assert header.array_lengths["x59"] == len(big)
    assert "x59" not in header.metadata


def test_a_prefix_asks_for_more_until_it_is_whole() -> None:
    data = Build().bytes()
    size = 8
    needed: list[int] = []
    while True:
        try:
            header = read_header_bytes(data[:size], len(data))
            break
        except IncompleteHeader as more:
            needed.append(more.needed_bytes)
            size = more.needed_bytes
    assert len(needed) > 3
    assert needed == sorted(set(needed))
    assert header == read_header_bytes(data, len(data))
    assert size <= header.header_bytes


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_changed_bytes_never_raise_anything_else(data: st.DataObject) -> None:
    raw = bytearray(Build().bytes())
    header_bytes = read_header_bytes(bytes(raw), len(raw)).header_bytes
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, header_bytes - 1))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        raw[at : at + len(patch)] = patch
    cut = data.draw(st.integers(0, len(raw)))
    for content in (bytes(raw), bytes(raw[:cut])):
        with contextlib.suppress(CorruptModel):
            read_header_bytes(content, len(content))


_NUMBERS = st.one_of(
    st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**31, 2**32, 2**54, 2**63, 2**64 - 1])
)


@given(counts=st.tuples(_NUMBERS, _NUMBERS), shape=st.lists(_NUMBERS, max_size=4), kind=_NUMBERS)
@settings(max_examples=200, deadline=None)
def test_wrong_integers_never_raise_anything_else(
    counts: tuple[int, int], shape: list[int], kind: int
) -> None:
    tensor = Tensor("a", tuple(shape), kind=kind % 2**32, offset=0)
    builds = [
        Build(tensor_count=counts[0], key_count=counts[1]),
        Build(tensors=[tensor]),
        Build(keys=model_keys(llama__block_count=(U32, kind % 2**32))),
        Build(keys={"x": (ARRAY, Array(STRING, (), count=counts[0]))}),
    ]
    for build in builds:
        content = build.bytes()
        with contextlib.suppress(CorruptModel):
            read_header_bytes(content, len(content))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_raise_anything_else(content: bytes) -> None:
    for raw in (content, b"GGUF\x03\0\0\0" + content):
        with pytest.raises(CorruptModel):
            read_header_bytes(raw, len(raw))


def test_reading_needs_neither_numpy_nor_the_gguf_package() -> None:
    code = (
        "import sys; from pathlib import Path; from openshelf.gguf.header import read_header;"
        f"read_header(Path({str(HEADERS / 'llama2-7b.gguf.header')!r}),"
        f" file_bytes={INDEX['llama2-7b']['file_bytes']});"
        "sys.exit(int('numpy' in sys.modules or 'gguf' in sys.modules))"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    os.mkfifo(path)
    with pytest.raises(CorruptModel) as caught:
        read_header(path)
    assert (caught.value.why, caught.value.detail) == ("unreadable", "not a file")

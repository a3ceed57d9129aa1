"""A catalog's row with a header's keys gives what the header gives, and never a silent guess."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from typing import Any

import pytest

from openshelf.catalog.entries import CatalogShape
from openshelf.fit.architectures import VERIFIED
from openshelf.fit.expected import expected_shape, shape_from_catalog
from openshelf.fit.expected_tensors import NOT_MADE, expected_facts
from openshelf.fit.memory import FitRequest, ModelShape, PlacedDevice, Placement, estimate
from openshelf.fit.shapes import shape_from_header, shape_from_parts
from openshelf.gguf.header import Header, TensorInfo, read_header
from tests.fit.answers import Job, ask
from tests.fit.generated import written_keys
from tests.fit.machines import DATA, INDEX, shape_of
from tests.fit.test_architectures import WITHOUT_KEYS
from tests.gguf.builder import Array, Build

COUNTS = {
    "embedding_length": "n_embd",
    "vocab_size": "n_vocab",
    "attention.head_count": "n_head",
    "attention.head_count_kv": "n_head_kv",
    "feed_forward_length": "n_ff",
    "expert_count": "n_expert",
    "expert_used_count": "n_expert_used",
    "expert_feed_forward_length": "expert_n_ff",
    "context_length": "context_length",
}
ONE_GPU = Placement((PlacedDevice("G0", "vram"),), 999)
TWO_GPUS = Placement((PlacedDevice("G0", "a"), PlacedDevice("G1", "b")), 999)
REQUESTS = [
    FitRequest(context, kv_type, kv_type, ubatch=ubatch, flash_attention=flash_attention)
    for context in (2048, 32768, 131072)
    for kv_type in ("f16", "q8_0", "q4_0")
    for ubatch in (128, 512, 2048)
    for flash_attention in ("on", "off")
    if flash_attention == "on" or kv_type == "f16"
]
QUANTS = ("Q2_K", "Q3_K_M", "IQ4_XS", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16", "MXFP4")
MOST_SECONDS = 2.0  # four times the target: what it takes is for tests/benchmarks/shelf.py to say
FIELDS_OF_WEIGHTS = {
    "layer_bytes", "embedding_bytes", "output_bytes", "table_bytes", "table_type", "expert_bytes",
    "shared_bytes", "source", "parameters", "layer_grown", "output_grown", "table_grown",
    "has_stacked_matrices",
}  # fmt: skip


def row_of(header: Header) -> CatalogShape:
    """What a catalog's row would say of a model with this header: no tensor, counts and keys."""
    start = f"{header.architecture}."
    keys: dict[str, Any] = {
        name.removeprefix(start): value
        for name, value in header.metadata.items()
        if name.startswith(start) and isinstance(value, int | float | tuple)
    }
    appended = keys.get("nextn_predict_layers", 0)
    counts: dict[str, Any] = {
        field: keys.pop(key) for key, field in COUNTS.items() if isinstance(keys.get(key), int)
    }
    n_heads = counts.get("n_head", 1)
    if "n_head_kv" in counts:
        keys["attention.head_count_kv"] = counts["n_head_kv"]
    return CatalogShape(
        architecture=header.architecture,
        n_layers=keys.pop("block_count") - appended,
        head_dim=keys.get("attention.key_length", counts["n_embd"] // n_heads),
        attention="other",
        tied_embeddings=all(tensor.name != "output.weight" for tensor in header.tensors),
        keys=tuple(sorted(keys.items())),
        **{"n_head_kv": None, **counts},
    )


def recorded(name: str) -> Header:
    path = DATA / "headers" / f"{name}.gguf.header"
    return read_header(path, file_bytes=INDEX[name]["file_bytes"])


def total(shape: ModelShape, request: FitRequest, placement: Placement) -> int:
    return sum(device.total_bytes for device in estimate(shape, request, placement))


@pytest.mark.parametrize("name", INDEX)
def test_a_row_with_a_headers_keys_is_the_header(name: str) -> None:
    header, exact = recorded(name), shape_of(name)
    expected = shape_from_catalog(row_of(header), exact.weights_bytes, None, "Q4_K_M")
    assert (expected.known, expected.source) == (True, "catalog")
    for field in dataclasses.fields(ModelShape):
        if field.name not in FIELDS_OF_WEIGHTS:
            assert getattr(expected, field.name) == getattr(exact, field.name), field.name
    for request in REQUESTS:
        for placement in (Placement(), ONE_GPU, TWO_GPUS):
            ours, theirs = (estimate(shape, request, placement) for shape in (expected, exact))
            for one, other in zip(ours, theirs, strict=True):
                assert one.kv_cache_bytes == other.kv_cache_bytes
                assert one.compute_buffer_bytes == other.compute_buffer_bytes


@pytest.mark.parametrize("name", INDEX)
def test_the_weights_are_divided_nearly_as_in_the_file(name: str) -> None:
    header, exact = recorded(name), shape_of(name)
    expected = shape_from_catalog(row_of(header), exact.weights_bytes, None, "Q4_K_M")
    assert expected.weights_bytes == exact.weights_bytes
    counted = expected_shape(row_of(header), None).parameters
    assert counted == pytest.approx(exact.parameters, rel=0.002)
    request = FitRequest(8192)
    for placement in (Placement(), ONE_GPU):
        ours, theirs = (total(shape, request, placement) for shape in (expected, exact))
        assert ours == pytest.approx(theirs, rel=0.01)


OPTIONAL = {
    "hy_v3": "dense layers",
    "mimo2": "dense layers",
    "step35": "dense layers",
    "nemotron_h_moe": "a narrow layer around experts",
    "codeshell": "parts of one tensor",
    "chatglm": "parts of one tensor",
    "phi3": "parts of one tensor",
}
"""The engine makes what such a file may do without: the counts differ, or one fact."""
UNKEYED = re.compile(r"\.(scale|input_scale|in_s)$|^blk\.\d+\.ssm_in\.weight$")


@pytest.fixture(scope="module")
def made_by_the_engine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Header]:
    """Keys and tensors of each architecture, the tensors from llama.cpp."""
    folder = tmp_path_factory.mktemp("made")
    names = sorted(VERIFIED - set(WITHOUT_KEYS))
    for name in names:
        (folder / name).write_bytes(Build(keys=written_keys(name), tensors=[]).bytes())
    answers = ask([Job(folder / name, (), keys_only=True) for name in names])
    return {
        name: Header(3, _metadata(name), {}, _tensors(name, answer["tensors"]), 0, 0)
        for name, answer in zip(names, answers, strict=True)
    }


def _metadata(architecture: str) -> dict[str, Any]:
    keys = {name: value for name, (_, value) in written_keys(architecture).items()}
    return {
        name: value.items if isinstance(value, Array) else value for name, value in keys.items()
    }


def _tensors(architecture: str, told: list[tuple[str, list[int]]]) -> tuple[TensorInfo, ...]:
    """Once each; qwen3next's older name of another tensor, and scales, are left out."""
    shapes = {name: tuple(shape) for name, shape in told}
    is_hybrid = architecture in ("falcon-h1", "granitehybrid", "jamba", "mamba", "mamba2") or (
        architecture.startswith("nemotron_h")
    )
    return tuple(
        TensorInfo(name, shape, "F16", 0, 2 * math.prod(shape))
        for name, shape in shapes.items()
        if not UNKEYED.search(name) or (is_hybrid and name.endswith("ssm_in.weight"))
    )


@pytest.mark.parametrize("name", sorted(VERIFIED - set(WITHOUT_KEYS) - NOT_MADE - set(OPTIONAL)))
def test_tensors_are_those_that_the_engine_makes(
    name: str, made_by_the_engine: dict[str, Header]
) -> None:
    header = made_by_the_engine[name]
    exact = shape_from_header(header)
    facts = expected_facts(header, is_tied=exact.tied_output)
    ours = shape_from_parts(header, facts, source="header")
    for field in dataclasses.fields(ModelShape):
        if field.name not in FIELDS_OF_WEIGHTS:
            assert getattr(ours, field.name) == getattr(exact, field.name), field.name
    assert facts.parameters == pytest.approx(exact.parameters, rel=0.01)
    for one, other in zip(ours.layer_bytes, exact.layer_bytes, strict=True):
        assert one == pytest.approx(other, rel=0.03)
    for one, other in zip(ours.expert_bytes, exact.expert_bytes, strict=True):
        assert one == pytest.approx(other, rel=0.001)


@pytest.mark.parametrize("name", sorted(INDEX))
def test_a_row_without_one_of_its_keys_is_not_known(name: str) -> None:
    """No key is guessed: each that matters to a buffer makes the row a bound when it is gone."""
    header = recorded(name)
    row, exact = row_of(header), shape_of(name)
    for key, _ in row.keys:
        left = tuple(item for item in row.keys if item[0] != key)
        shape = shape_from_catalog(
            dataclasses.replace(row, keys=left), exact.weights_bytes, None, "Q4_K_M"
        )
        for request in REQUESTS[::5]:
            (ours,), (theirs,) = (estimate(s, request, Placement()) for s in (shape, exact))
            if shape.known:
                assert ours.kv_cache_bytes == theirs.kv_cache_bytes, key
                assert ours.compute_buffer_bytes == theirs.compute_buffer_bytes, key
            elif key != "attention.head_count_kv":
                assert ours.kv_cache_bytes >= theirs.kv_cache_bytes, key


def test_a_shelf_is_reckoned_in_time() -> None:
    """281 models with ten variants each, from nothing."""
    rows = [row_of(recorded(name)) for name in INDEX]
    models = [
        dataclasses.replace(rows[number % len(rows)], context_length=number + 1)
        for number in range(281)
    ]
    expected_shape.cache_clear()
    begin = time.process_time()
    for row in models:
        for quant in QUANTS:
            shape_from_catalog(row, 5 << 30, 8_000_000_000, quant)
    assert time.process_time() - begin < MOST_SECONDS

"""Weights that the processor rearranges, held against the engine's dry run on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import DeviceBytes, Plan
from openshelf.fit.expected import shape_of_sibling
from openshelf.fit.memory import FitRequest, ModelShape, Placement, estimate, shape_from_header
from openshelf.fit.repacking import grown_bytes, has_amx, repacked_types
from openshelf.fit.verdict import fit_on
from openshelf.gguf.header import read_header
from openshelf.gguf.shadow import shadow_file
from openshelf.hardware.cpu import probe_cpu
from openshelf.hardware.facts import Cpu
from openshelf.hardware.sources import Sources
from tests.fit.generated import KINDS, write_generated
from tests.fit.machines import INDEX, machine, nvidia, shape_of
from tests.fit.recipes import LAYERED

NEVER_LAID_OUT = ("plm", "rwkv6qwen2")
"""The engine aborts on these without real weights."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.start()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def features(engine: Engine) -> tuple[str, ...]:
    """Of this processor, as far as the engine can use them."""
    return probe_cpu(Sources()).features if engine.devices().has_extra_buffers else ()


def compare(
    engine: Engine, path: Path, features: tuple[str, ...]
) -> tuple[ModelShape, int, DeviceBytes]:
    """The shape, what the estimate says in all, and what the engine says."""
    header = read_header(path)
    shape = shape_from_header(header)
    (ours,) = estimate(shape, FitRequest(4096), Placement(cpu_features=features))
    with shadow_file(header) as shadow:
        (truth,) = engine.dry_run(shadow, Plan(4096)).devices
    if shape.known:
        assert (ours.weights_bytes, ours.kv_cache_bytes) == (
            truth.weights_bytes,
            truth.kv_cache_bytes,
        ), path.name
    return shape, ours.total_bytes - ours.overhead_bytes, truth


@pytest.mark.parametrize("name", ["gemma2", "gemma3-12b", "mamba2", "lfm2", "qwen35"])
def test_a_tied_table_is_kept_twice_where_it_is_rearranged(
    engine: Engine, features: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    shape, _, truth = compare(engine, LAYERED[name].write(tmp_path / name), features)
    if shape.tied_output and shape.table_type in repacked_types(features):
        grown = sum(shape.layer_grown) + shape.output_grown + shape.table_grown
        twice = shape.weights_bytes + shape.table_bytes
        assert truth.weights_bytes == twice + (grown if has_amx(features) else 0)


def test_what_each_processor_rearranges() -> None:
    assert repacked_types(()) == {}
    assert "Q2_K" not in repacked_types(("AVX", "AVX2"))
    assert repacked_types(("AVX2", "AVX-512"))["Q2_K"] == 8
    assert repacked_types(("NEON",)) == {}
    assert repacked_types(("NEON", "DotProd"))["Q6_K"] == 8
    amx = ("AVX2", "AVX-512", "AVX-512 VNNI", "AMX INT8")
    assert repacked_types(amx)["Q6_K"] == repacked_types(amx)["F16"] == 32
    assert has_amx(amx)
    assert not has_amx(("AVX2", "AMX INT8"))


@pytest.mark.parametrize(
    ("type_name", "shape", "grown"),
    [
        ("Q8_0", (4096, 1024), 4096 // 32 * 4 * 1024),
        ("Q4_K", (4096, 1024), 4096 // 256 * 4 * 1024),
        ("IQ4_XS", (4096, 1024), 4096 // 256 * 2 * 1024),
        ("Q6_K", (4096, 1024), 0),
        ("Q4_K", (4096, 1000), 0),
        ("Q4_K", (4096, 1024, 8), 0),
        ("Q8_0", (4096,), 0),
    ],
)
def test_what_grows_for_amx(type_name: str, shape: tuple[int, ...], grown: int) -> None:
    assert grown_bytes(type_name, shape) == grown


def test_appended_layers_leave_none_on_the_cpu(tmp_path: Path) -> None:
    """llama.cpp counts them among those that go to the GPU."""
    shape = shape_from_header(read_header(LAYERED["qwen35-appended"].write(tmp_path / "m")))
    assert shape.n_appended
    fit = fit_on(shape, machine(64, 60, nvidia(48, 47)), FitRequest())
    assert fit.gpu_layers == shape.n_layers + shape.n_appended + 1
    assert fit.devices[0].weights_bytes == shape.embedding_bytes
    assert fit.verdict.value == "fits_gpu"


@pytest.mark.endurance
@pytest.mark.parametrize("is_tied", [True, False])
def test_every_architecture(
    engine: Engine, features: tuple[str, ...], tmp_path: Path, *, is_tied: bool
) -> None:
    """Known ones to the byte, the others never too small."""
    models = {tmp_path / name: (name, {}) for name in KINDS if name not in NEVER_LAID_OUT}
    refused = write_generated(models, is_tied=is_tied)
    compared = 0
    for path in models:
        if path in refused or not path.exists():
            continue
        shape, ours, truth = compare(engine, path, features)
        compared += 1
        if not shape.known:
            assert ours >= (
                (truth.weights_bytes or 0)
                + (truth.kv_cache_bytes or 0)
                + truth.compute_buffer_bytes
            ), path.name
        path.unlink()
    assert compared > 100


def test_amx_is_kept_off_stacked_matrices() -> None:
    """llama.cpp aborts on them there, so such a model is loaded as it lies in its file."""
    features = ("AVX2", "AVX-512", "AVX-512 VNNI", "AMX INT8")
    latent = shape_of("dsv2-lite")
    assert latent.has_stacked_matrices
    (plain,) = estimate(latent, FitRequest(), Placement(cpu_features=features))
    assert plain.weights_bytes == latent.weights_bytes
    for shape, is_loaded_as_it_lies in ((latent, True), (shape_of("llama3.1-8b"), False)):
        for cpu, is_amx in ((features, True), (("AVX2",), False)):
            here = replace(machine(64, 60), cpu=Cpu("test", 8, 16, cpu))
            plan = fit_on(shape, here, FitRequest()).plan
            assert plan is not None
            assert plan.use_extra_buffers is not (is_loaded_as_it_lies and is_amx)


AVX2 = ("AVX2",)
AMX = ("AVX2", "AVX-512", "AVX-512 VNNI", "AMX INT8")


@pytest.mark.parametrize("features", [(), AVX2, AMX], ids=["none", "AVX2", "AMX"])
@pytest.mark.parametrize("name", INDEX)
def test_a_file_without_a_header_is_expected_to_be_rearranged_too(
    name: str, features: tuple[str, ...]
) -> None:
    """Never less than the header tells, and little more."""
    shape = shape_of(name)
    sibling = shape_of_sibling(shape, shape.weights_bytes, INDEX[name]["quant"])
    (exact,) = estimate(shape, FitRequest(4096), Placement(cpu_features=features))
    (ours,) = estimate(sibling, FitRequest(4096), Placement(cpu_features=features))
    assert 0.999 <= ours.weights_bytes / exact.weights_bytes <= 1.03

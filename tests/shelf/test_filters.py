"""What each filter leaves on the shelf, over the shipped catalog."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openshelf.catalog.entries import Catalog, CatalogModel, Family
from openshelf.catalog.loader import load_catalog
from openshelf.hardware.profiles import find_machine
from openshelf.licenses.clearance import Verdict
from openshelf.policy.verdict import Decision
from openshelf.shelf.builder import build_shelf
from openshelf.shelf.filters import matches_text, models_called, repos_of
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.rows import Shelf, ShelfQuestion
from tests.fakes.example_data import example_decision

SMALL = find_machine("CPU only 16 GB")


def _decide(model: CatalogModel, repo: str) -> Decision:
    return example_decision(Verdict.ALLOWED, model.license)


def shelf_with(catalog: Catalog, **question: object) -> Shelf:
    return build_shelf(SMALL, ShelfQuestion(**question), catalog, ShelfParts(_decide))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def models_on(shelf: Shelf) -> list[CatalogModel]:
    rows = [row.shown for row in shelf.rows] + [v for row in shelf.rows for v in row.alternatives]
    return [ranked.variant.model for ranked in rows if ranked is not None]


def test_fits_leaves_what_runs(catalog: Catalog) -> None:
    everything, fitting = shelf_with(catalog), shelf_with(catalog, fits_only=True)
    assert 0 < len(fitting.rows) < len(everything.rows)
    assert len(fitting.rows) == everything.fitting


@pytest.mark.parametrize("capability", ["reasoning", "tools", "TOOLS"])
def test_capability(catalog: Catalog, capability: str) -> None:
    found = models_on(shelf_with(catalog, capability=capability))
    assert found
    assert all(capability.casefold() in model.capabilities for model in found)
    assert not shelf_with(catalog, capability="flying").rows


def test_modality(catalog: Catalog) -> None:
    found = models_on(shelf_with(catalog, modality="vision"))
    assert found
    assert all("vision" in model.modalities for model in found)


def test_what_nobody_lists_is_no_reason_to_hide_a_model(catalog: Catalog) -> None:
    family = catalog.families[0]
    silent = tuple(replace(model, capabilities=(), modalities=()) for model in family.models)
    one = replace(catalog, families=(replace(family, models=silent),))
    assert shelf_with(one, capability="flying", modality="smell").rows


@pytest.mark.parametrize("packager", ["unsloth", "Unsloth", "LM Studio community", "publisher"])
def test_a_packager_is_an_account_a_name_or_the_publisher(catalog: Catalog, packager: str) -> None:
    shelf = shelf_with(catalog, packager=packager)
    shown = [row.shown for row in shelf.rows if row.shown is not None]
    assert shown
    for ranked in shown:
        variant = ranked.variant
        owner = variant.repo.partition("/")[0].casefold()
        if packager == "publisher":
            assert owner == variant.model.hub_repo.partition("/")[0].casefold()
        else:
            assert owner in ("unsloth", "lmstudio-community")
            assert owner[:3] == packager.casefold()[:2] + owner[2:3] or owner == packager.casefold()
    assert not shelf_with(catalog, packager="nobody-at-all").rows


def test_the_repositories_of_a_packager(catalog: Catalog) -> None:
    found = catalog.find_model("Qwen/Qwen3-14B")
    assert found is not None
    assert repos_of(found[1], "publisher") == ("Qwen/Qwen3-14B-GGUF",)
    assert repos_of(found[1], "BARTOWSKI") == ("bartowski/Qwen_Qwen3-14B-GGUF",)


def test_words_of_a_search() -> None:
    family = Family("q", "Qwen3", "Alibaba (Qwen)", "CN", ())
    assert matches_text(family, "ALI qwen")
    assert not matches_text(family, "qwen llama")


def test_the_models_that_words_name(catalog: Catalog) -> None:
    families = {family.name: family for family in catalog.families}
    qwen = families["Qwen3"]
    assert models_called(qwen, "alibaba qwen3") == qwen.models
    assert [model.name for model in models_called(qwen, "qwen3 14b")] == ["Qwen3 14B"]
    assert models_called(qwen, "llama") == ()

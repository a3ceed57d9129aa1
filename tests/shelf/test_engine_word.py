"""The shelf and the engine: what it has no architecture for is never offered, and who says so."""

from __future__ import annotations

import pytest

from openshelf import wording
from openshelf.catalog.entries import Catalog
from openshelf.catalog.loader import load_catalog
from openshelf.engine.architectures import EngineKnowledge
from openshelf.errors import EngineFailed
from openshelf.hardware.profiles import find_machine
from openshelf.shelf.builder import build_shelf
from openshelf.shelf.rows import Shelf, ShelfQuestion
from tests.shelf.test_builder import parts, row_of, shown_variants


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def shelf_with(engine: EngineKnowledge, catalog: Catalog, **question: object) -> Shelf:
    return build_shelf(
        find_machine("RTX 4060"),
        ShelfQuestion(**question),  # type: ignore[arg-type]
        catalog,
        parts(engine=engine),
    )


def test_what_the_engine_does_not_know_is_never_offered(catalog: Catalog) -> None:
    engine = EngineKnowledge("llama.cpp 9", unknown=frozenset({"llama"}))
    shelf = shelf_with(engine, catalog, all_variants=True)
    offered = shown_variants(shelf)
    assert offered
    assert "llama" not in {variant.variant.model.shape.architecture for variant in offered}
    row = row_of(shelf, "Llama 3.1")
    assert (row.recommended, row.nearest, row.alternatives) == (None, None, ())
    assert row.note is not None
    assert row.note.code == "shelf_engine_lacks"
    assert "llama.cpp 9" in wording.sentence(row.note)
    assert row.not_in_engine == row.family.models
    assert row.as_json()["not_in_engine"] == [model.name for model in row.family.models]


def test_a_family_keeps_what_the_engine_knows(catalog: Catalog) -> None:
    """The R1 distills are of three architectures."""
    engine = EngineKnowledge("llama.cpp 9", frozenset({"llama"}), frozenset({"qwen2", "qwen3"}))
    row = row_of(shelf_with(engine, catalog), "DeepSeek R1 Distill")
    assert row.recommended is not None
    assert row.recommended.variant.model.shape.architecture == "llama"
    assert row.recommended.engine.as_json() == {"supported": True, "basis": "engine"}
    left = {model.shape.architecture for model in row.not_in_engine}
    assert left == {"qwen2", "qwen3"}


def test_until_the_engine_was_asked_the_catalogs_word_counts(catalog: Catalog) -> None:
    shelf = shelf_with(EngineKnowledge(), catalog)
    shown = row_of(shelf, "Llama 3.1").recommended
    assert shown is not None
    assert shown.engine.as_json() == {"supported": True, "basis": "catalog"}
    assert shelf.as_json()["engine"] == {"version": None, "asked": False}
    assert "shelf_engine_not_asked" not in {reason.code for reason in shown.reasons}


def test_where_the_engine_cannot_be_asked_each_row_says_so(catalog: Catalog) -> None:
    engine = EngineKnowledge(failure=EngineFailed("engine_missing"))
    for variant in shown_variants(shelf_with(engine, catalog)):
        assert variant.engine.basis == "catalog"
        assert variant.reasons[-1].code == "shelf_engine_not_asked"

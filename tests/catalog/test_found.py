"""What the Hub lists, beside the reviewed catalog: whose it is, and whether it is new."""

from __future__ import annotations

import pytest

from openshelf.catalog.entries import Catalog
from openshelf.catalog.found import FoundRepo, with_found
from openshelf.catalog.loader import load_catalog


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def new_families(catalog: Catalog, *found: FoundRepo) -> dict[str, list[str]]:
    merged = with_found(catalog, found)
    return {
        family.name: [model.name for model in family.models]
        for family in merged.families
        if family.is_new
    }


def test_a_known_publishers_new_models_are_families_by_name(catalog: Catalog) -> None:
    assert new_families(
        catalog,
        FoundRepo("Qwen/Qwen9-8B-GGUF", None, None, "2026-11-20"),
        FoundRepo("bartowski/Qwen_Qwen9-30B-A3B-GGUF", "Qwen/Qwen9-30B-A3B", None, "2026-11-22"),
        FoundRepo("unsloth/Qwen9-8B-GGUF", "Qwen/Qwen9-8B", None, "2026-11-21"),
        FoundRepo("mistralai/Zephyr-Instruct_gguf", None, None, None),
    ) == {"Qwen9": ["Qwen9-30B-A3B", "Qwen9-8B"], "Zephyr": ["Zephyr-Instruct"]}


def test_what_strangers_made_is_left_out(catalog: Catalog) -> None:
    found = FoundRepo("bartowski/Wild-8B-GGUF", "stranger/Wild-8B", None, "2026-11-25")
    assert with_found(catalog, [found]) == catalog


def test_what_was_there_long_before_the_review_was_left_out_on_purpose(catalog: Catalog) -> None:
    old = FoundRepo("Qwen/Qwen1.5-7B-Chat-GGUF", None, None, "2024-02-03")
    assert with_found(catalog, [old]) == catalog


def test_builds_of_a_known_model_are_added_to_it(catalog: Catalog) -> None:
    model = catalog.families[0].models[0]
    found = [
        FoundRepo("unsloth/Brand-New-GGUF", model.hub_repo, None, "2024-01-01"),
        FoundRepo(model.gguf_repos[0].upper(), model.hub_repo, None, "2024-01-01"),
    ]
    merged = with_found(catalog, found)
    known = merged.find_model(model.hub_repo)
    assert known is not None
    assert known[1].gguf_repos == (*model.gguf_repos, "unsloth/Brand-New-GGUF")
    assert len(known[1].gguf_evidence) == len(known[1].gguf_repos)
    assert not known[0].is_new
    assert len(merged.families) == len(catalog.families)


def test_nothing_is_made_up_of_a_new_model(catalog: Catalog) -> None:
    found = FoundRepo("Qwen/Qwen9-8B-GGUF", "Qwen/Qwen9-8B", "qwen9\n", "2026-11-20")
    family = with_found(catalog, [found]).families[-1]
    (model,) = family.models
    assert (model.license, model.shape.architecture, model.parameters) == ("", None, None)
    assert (family.reviewed, model.release_date) == ("2026-11-20", "2026-11-20")
    assert with_found(catalog, [found]).as_of == catalog.as_of


def test_a_flood_is_cut(catalog: Catalog) -> None:
    flood = [FoundRepo(f"Qwen/Model{n}-GGUF", None, None, "2026-11-20") for n in range(5000)]
    assert len(with_found(catalog, flood).families) == len(catalog.families) + 300

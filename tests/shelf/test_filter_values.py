"""A filter that nothing can pass is named, with the values that come near."""

from __future__ import annotations

import pytest

from openshelf.catalog.entries import Catalog
from openshelf.catalog.loader import load_catalog
from openshelf.hardware.profiles import find_machine
from openshelf.licenses.facts import load_licenses
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.shelf.builder import build_shelf
from openshelf.shelf.decisions import CatalogDecisions
from openshelf.shelf.filter_values import FilterChoices, unknown_filters
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.rows import ShelfQuestion
from openshelf.wording import error_sentence
from tests.fakes.services import FakeRecords

SMALL = find_machine("CPU only 16 GB")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def parts(catalog: Catalog) -> ShelfParts:
    gate = Gate(load_licenses(), Policy(), FakeRecords())
    return ShelfParts(CatalogDecisions(catalog, gate).decide)


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("license", "apach-2.0", "apache-2.0"),
        ("license", "foo", "mit"),
        ("origin", "germany", "DE"),
        ("origin", "U", "US"),
        ("language", "klingon", "en"),
        ("capability", "codes", "code"),
        ("modality", "picture", "vision"),
        ("packager", "unslth", "unsloth"),
        ("family", "qwn3", "Qwen3"),
        ("use", "fun", "commercial"),
    ],
)
def test_a_value_that_nothing_has(
    catalog: Catalog, parts: ShelfParts, name: str, value: str, near: str
) -> None:
    question = ShelfQuestion(**{name: value})  # type: ignore[arg-type]
    (unknown,) = unknown_filters(question, catalog, parts)
    assert (unknown.what, unknown.name, unknown.exit_code) == (name, value, 2)
    assert near in unknown.candidates
    sentence = error_sentence(unknown)
    assert value in sentence
    assert near in sentence


def test_every_wrong_value_is_named(catalog: Catalog, parts: ShelfParts) -> None:
    question = ShelfQuestion(license="foo", origin="XX", language="de")
    found = unknown_filters(question, catalog, parts)
    assert [unknown.what for unknown in found] == ["license", "origin"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("license", "Apache 2.0"), ("license", "APACHE-2.0"), ("license", "llama-3.1"),
        ("license", "cohere-cc-by-nc"), ("origin", "us"), ("language", "DE"),
        ("capability", "Tools"), ("packager", "publisher"), ("packager", "LM Studio community"),
        ("family", "GEMMA"), ("use", "commercial"),
    ],
)  # fmt: skip
def test_other_ways_to_write_it_are_understood(
    catalog: Catalog, parts: ShelfParts, name: str, value: str
) -> None:
    question = ShelfQuestion(**{name: value})  # type: ignore[arg-type]
    assert unknown_filters(question, catalog, parts) == ()


def test_an_empty_catalog_has_nothing_to_propose(parts: ShelfParts) -> None:
    (unknown,) = unknown_filters(ShelfQuestion(license="foo"), Catalog((), ""), parts)
    assert unknown.candidates == ()
    assert "foo" in error_sentence(unknown)


def test_each_choice_leaves_something(catalog: Catalog, parts: ShelfParts) -> None:
    """Also a license that a licensor has a variant of, and a family of two countries."""
    choices = FilterChoices.of(catalog)
    offered = {
        "license": choices.licenses,
        "origin": choices.origins,
        "language": choices.languages,
        "capability": choices.capabilities,
        "modality": choices.modalities,
        "packager": choices.packagers,
    }
    for name, values in offered.items():
        for value in values:
            question = ShelfQuestion(**{name: value})  # type: ignore[arg-type]
            assert unknown_filters(question, catalog, parts) == (), (name, value)
    for name, value in (("license", "cc-by-nc-4.0"), ("origin", "VN")):
        question = ShelfQuestion(**{name: value})  # type: ignore[arg-type]
        shelf = build_shelf(SMALL, question, catalog, parts)
        assert shelf.rows, value
        assert shelf.unknown_filters == ()

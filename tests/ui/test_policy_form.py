"""What is typed into the Policy screen, and the words that stand there."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.policy.organization import Organization
from openshelf.ui.models.policy_form import (
    FACT_GROUPS,
    NotUnderstood,
    fact_text,
    parse_count,
    parse_fact,
    parse_region,
    parse_regions,
)
from openshelf.ui.models.policy_words import (
    class_words,
    classes_of,
    counts_words,
    fact_hint,
    fact_question,
    verdict_title,
)

QUESTIONS = [question for group in FACT_GROUPS.values() for question in group]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("  ", None), ("0", 0), ("50000", 50_000), ("50,000", 50_000),
        ("4 000 000", 4_000_000), ("4.000.000", 4_000_000), ("20M", 20_000_000),
        ("20 million", 20_000_000), ("1.5 bn", 1_500_000_000), ("$ 300k", 300_000),
        ("2,5 million", 2_500_000),
    ],
)  # fmt: skip
def test_counts(text: str, value: int | None) -> None:
    assert parse_count(text) == value


@pytest.mark.parametrize("text", ["a few", "-3", "1.5", "12 34", "1e9", "0.0000001M", "9" * 17])
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(NotUnderstood):
        parse_count(text)


def test_regions() -> None:
    assert parse_regions("de, FR;it  uk") == ("DE", "FR", "IT", "GB")
    assert parse_regions(" , ") is None
    assert parse_region("eu") == "EU"
    for text in ("Germany", "D", "D3", "ÄÖ"):
        with pytest.raises(NotUnderstood, match="two letters"):
            parse_regions(text)
    with pytest.raises(NotUnderstood):
        parse_region("DE, FR")


def test_what_is_shown_is_what_is_read_again() -> None:
    full = Organization(
        name="Example GmbH", domicile="DE", use_regions=("DE", "FR"), mau=50_000,
        annual_revenue_usd=4_000_000, monthly_revenue_usd=0,
    )  # fmt: skip
    for organization in (full, Organization()):
        for question in QUESTIONS:
            if question.kind != "flag":
                text = fact_text(organization, question.name)
                assert parse_fact(question.kind, text) == getattr(organization, question.name)


def test_every_fact_of_an_organization_is_asked_once(qapp: QApplication) -> None:
    assert sorted(q.name for q in QUESTIONS) == sorted(f.name for f in fields(Organization))
    kinds = {f.name: str(f.type) for f in fields(Organization)}
    for question in QUESTIONS:
        assert kinds[question.name].startswith("bool") == (question.kind == "flag")
        assert kinds[question.name].startswith("int") == (question.kind == "count")
        assert fact_question(question.name)
        assert not fact_hint(question.name) or fact_hint(question.name).endswith(".")


def test_every_class_has_words(qapp: QApplication) -> None:
    for name in classes_of(load_licenses()):
        assert class_words(name) != name or name in ("permissive", "copyleft", "non-commercial")


def test_counts_have_their_plural(qapp: QApplication) -> None:
    assert counts_words(2, 1).startswith("2 families · ")
    assert counts_words(1, 3).startswith("1 family · ")
    assert len({verdict_title(verdict) for verdict in Verdict}) == 4


def test_no_page_asks_for_a_path_with_a_nested_loop() -> None:
    pages = Path(__file__).parents[2] / "openshelf" / "ui"
    for file in pages.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "getOpenFileName" not in text
        assert "getSaveFileName" not in text


def test_a_list_is_typed_with_commas() -> None:
    assert parse_fact("list", " military , medical  advice;; military ") == (
        "military", "medical advice"
    )  # fmt: skip
    assert parse_fact("list", " , ") is None
    facts = Organization(fields_of_use=("military", "medical advice"))
    assert fact_text(facts, "fields_of_use") == "military, medical advice"

"""The install sheet's rows for all licenses: sentences and clauses, never a code of ours."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from PySide6.QtWidgets import QApplication

from openshelf import wording
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import RepoClaims, resolve
from openshelf.licenses.obligations import sheet_terms
from openshelf.policy.organization import Organization, Policy, policy_from_table
from openshelf.policy.rules import decide
from openshelf.policy.verdict import Decision
from openshelf.ui.models.terms import build_terms

LICENSES = load_licenses()
RAW = re.compile(r"\b[a-z]+_[a-z_]+\b|[{}]|None|\bLicenseRef")
"""A code of ours, an unfilled field, a missing value."""
EVERYTHING = policy_from_table(
    {
        "organization": {
            **{f.name: True for f in fields(Organization) if str(f.type).startswith("bool")},
            **{f.name: 10**11 for f in fields(Organization) if str(f.type).startswith("int")},
            "domicile": "DE",
            "use_regions": ["KR", "DE"],
            "internal_only": False,
        },
        "rules": {"allow_only": [], "require_osi": True, "deny_vendor_regions": ["CN", "US"]},
    }
)
POLICIES = {"unknown": Policy(), "everything": EVERYTHING}


def decided(license_id: str, policy: Policy) -> Decision:
    card = {"license": "other", "license_name": license_id}
    home = LICENSES[license_id].ids.organizations
    found = resolve(RepoClaims(f"{home[0] if home else 'a'}/m", card=card), lambda _: None)
    return decide(found, LICENSES, policy)


@pytest.mark.parametrize("policy", POLICIES)
def test_rows_are_plain(policy: str, qapp: QApplication) -> None:
    for license_id in LICENSES.keys() - {"none", "unknown"}:
        decision = decided(license_id, POLICIES[policy])
        shown = build_terms(decision, LICENSES)
        assert license_id in [head.id for head in shown.heads]
        rows = [(group.caption, row) for group in shown.groups for row in group.rows]
        for caption, row in rows:
            texts = (row.tag.text, row.text, row.ref, row.exact or "", row.note, caption)
            assert not [text for text in texts if RAW.search(text)], (license_id, texts)
            assert row.text[0].isupper(), (license_id, row.text)
            assert row.text.endswith("."), (license_id, row.text)
            assert row.ref.strip(), (license_id, row.text)
        assert not [text for text in shown.warnings if RAW.search(text)], license_id


@pytest.mark.parametrize("policy", POLICIES)
def test_reasons_are_sentences(policy: str) -> None:
    for license_id in LICENSES:
        decision = decided(license_id, POLICIES[policy])
        for reason in decision.reasons:
            sentence = wording.sentence(reason.as_reason())
            assert not RAW.search(sentence), sentence
            assert "?" not in sentence, sentence
        for name in decision.facts_missing:
            assert f"fact_{name}" in wording.TEMPLATES
        for duty in decision.obligations:
            assert all(f"trigger_{name}" in wording.TEMPLATES for name in duty.trigger)


def test_doubts_show_as_question_marks(qapp: QApplication) -> None:
    shown = build_terms(decided("jamba-open-model", Policy()), LICENSES)
    assert all("?" in row.tag.text for group in shown.groups for row in group.rows)
    clear = build_terms(decided("llama4", Policy()), LICENSES)
    assert not [row for group in clear.groups for row in group.rows if "?" in row.tag.text]


def test_limits_are_told() -> None:
    for license_id, entry in LICENSES.items():
        decision = decided(license_id, Policy())
        rows = sheet_terms(LICENSES, [license_id], decision.obligations, multimodal=True)
        limits = [line for line in entry.thresholds if line.effect != "display_required"]
        assert {row.text for row in rows.only_if} == {
            *(line.text for line in limits),
            *(region.text for region in entry.regions if region.applies_to != "none"),
            *(row.text for row in rows.only_if if row.kind == "field"),
        }
        ruled_out = [row.text for row in rows.only_if if row.kind == "field"]
        assert all(use in ruled_out[0] for use in entry.field_of_use), license_id
        assert bool(ruled_out) == bool(entry.field_of_use), license_id

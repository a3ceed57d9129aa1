"""The rows of the install sheet: must, only if, may; ordered by when a duty bites."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import RepoClaims, resolve
from openshelf.licenses.obligations import WHEN, SheetTerms, sheet_terms
from openshelf.policy.organization import Organization, Policy
from openshelf.policy.rules import decide

LICENSES = load_licenses()


def terms(*ids: str, organization: Organization | None = None) -> SheetTerms:
    license_ = resolve(RepoClaims("a/m", card={"license": list(ids)}), lambda _: None)
    decision = decide(license_, LICENSES, Policy(organization=organization or Organization()))
    return sheet_terms(
        LICENSES, license_.effective, decision.obligations, multimodal=license_.multimodal
    )


def test_llama_reads_like_the_sheet() -> None:
    found = terms("llama3.2")
    rows = {(row.kind, row.ref) for row in found.must}
    assert ("display", "§1.b.i(B)") in rows
    assert ("pass_on", "§1.b.i(A)") in rows
    assert ("pass_on", "§1.b.iii") in rows
    assert ("name", "§1.b.i") in rows
    assert ("use", "§1.b.iv") in rows
    assert [row.kind for row in found.only_if] == ["scale", "field"]
    assert found.only_if[1].ref == "§1.b.iv"
    assert "weapons" in found.only_if[1].text
    assert "700 million" in found.only_if[0].text
    assert all(row.kind == "allowed" and row.ref for row in found.may)
    assert found.must[0].when == "use"


def test_order_is_when_it_bites() -> None:
    places = [WHEN.index(row.when) for row in terms("llama4", "gemma", "apache-2.0").must]
    assert places == sorted(places)


def test_a_text_model_has_no_limit_for_multimodal_ones() -> None:
    duties = decide(
        resolve(RepoClaims("a/m", card={"license": "llama3.2"}), lambda _: None), LICENSES, Policy()
    ).obligations
    limited = sheet_terms(LICENSES, ["llama3.2"], duties, multimodal=True)
    assert [row.kind for row in limited.only_if] == ["scale", "region", "field"]
    duties = decide(resolve(RepoClaims("a/m", card={"license": "llama3.3"}), lambda _: None),
                    LICENSES, Policy()).obligations  # fmt: skip
    none_of_it = sheet_terms(LICENSES, ["llama3.3"], duties, multimodal=True)
    assert "region" not in [row.kind for row in none_of_it.only_if]
    assert "region" in [row.kind for row in terms("llama4").only_if]


def test_outputs_of_old_llamas() -> None:
    found = [row for row in terms("llama3").must if row.kind == "outputs"]
    assert [(row.ref, row.when) for row in found] == [("§1.b.v", "outputs")]
    assert not [row for row in terms("llama3.1").must if row.kind == "outputs"]


def test_the_same_duty_of_two_licenses_is_one_row() -> None:
    found = [row for row in terms("llama3.1", "gemma").must if "copy of the license" in row.text]
    assert len(found) == 1
    assert found[0].ref == "llama3.1 §1.b.i(A); gemma §3.1, 2nd condition"
    assert found[0].license == "llama3.1, gemma"


def test_exact_wording_is_for_copying() -> None:
    row = next(row for row in terms("gemma").must if row.exact)
    assert row.exact is not None
    assert row.exact.startswith("Gemma is provided under")


@pytest.mark.parametrize(("redistributes", "applies"), [(True, True), (False, False), (None, None)])
def test_whether_it_applies_is_told(redistributes: bool | None, applies: bool | None) -> None:
    facts = Organization(redistributes=redistributes, distributes_derivatives=False)
    row = next(r for r in terms("mit", organization=facts).must if r.kind == "pass_on")
    assert row.applies is applies


def test_unsure_facts_are_marked() -> None:
    gemma = replace(LICENSES["gemma"], unsure_fields=("obligations",))
    decision = decide(
        resolve(RepoClaims("a/m", card={"license": "gemma"}), lambda _: None), LICENSES, Policy()
    )
    found = sheet_terms({"gemma": gemma}, ["gemma"], decision.obligations)
    assert all(row.is_unsure for row in found.must)


def test_nothing_is_granted_where_nothing_is_known() -> None:
    assert terms("unheard-of") == SheetTerms((), (), ())

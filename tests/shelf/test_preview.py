"""What a policy would say to the whole catalog: counts, reasons, facts that decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from openshelf.catalog.loader import load_catalog
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.policy.organization import Organization, Policy, Rules
from openshelf.policy.waiver import Scope, Waiver
from openshelf.shelf.preview import PolicyPreview, ReasonGroup, ShelfPreview

CATALOG = load_catalog()
COMPANY = Organization(
    domicile="DE", use_regions=("DE",), commercial=True, internal_only=False, mau=1000,
    mau_over_on_release=False, annual_revenue_usd=1_000_000, monthly_revenue_usd=80_000,
    redistributes=False, distributes_product=False, makes_derivatives=False,
    distributes_derivatives=False, hosts_service=False, ai_work_assistant=False,
    trains_on_outputs=False, competes_with_licensor=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def shelf() -> ShelfPreview:
    return ShelfPreview(CATALOG, load_licenses())


def groups_of(preview: PolicyPreview, code: str) -> list[ReasonGroup]:
    return [group for group in preview.groups if group.reason.code == code]


def test_every_model_and_family_is_counted_once(shelf: ShelfPreview) -> None:
    for policy in (Policy(), Policy(COMPANY, sha256="x")):
        preview = shelf.under(policy)
        assert sum(preview.families.values()) == len(CATALOG.families)
        assert sum(preview.models.values()) == sum(len(f.models) for f in CATALOG.families)


def test_a_company_in_the_eu(shelf: ShelfPreview) -> None:
    preview = shelf.under(Policy(COMPANY, source="/p.toml", sha256="x"))
    excluded = groups_of(preview, "region_excluded")
    assert {group.reason.license for group in excluded} >= {"llama4", "llama3.2"}
    assert all(group.verdict is Verdict.BLOCKED for group in excluded)
    assert any("Scout" in name for group in excluded for name in group.models)
    research = groups_of(preview, "no_commercial_use")
    assert "qwen-research" in {group.reason.license for group in research}
    assert all(group.reason.clause for group in research)
    assert preview.waiting == {}


def test_facts_that_decide_are_counted_and_no_others(shelf: ShelfPreview) -> None:
    preview = shelf.under(Policy(Organization(domicile="US", use_regions=("US",)), sha256="x"))
    assert preview.waiting["mau_over_on_release"] >= 5
    assert preview.waiting["commercial"] >= 1
    assert "redistributes" not in preview.waiting, "it only decides about duties"


def test_only_what_leads_to_a_verdict_stands_below_it(shelf: ShelfPreview) -> None:
    # Blocked by the region, whatever else is unknown about the same model.
    policy = Policy(Organization(domicile="DE", use_regions=("DE",)), sha256="x")
    blocked = [g for g in shelf.under(policy).groups if g.verdict is Verdict.BLOCKED]
    assert {group.reason.code for group in blocked} == {"region_excluded"}


def test_a_rule_of_the_team_moves_everything_else(shelf: ShelfPreview) -> None:
    preview = shelf.under(Policy(COMPANY, Rules(allow_only=("mit",)), sha256="x"))
    denied = groups_of(preview, "policy.allow_only")
    assert {group.reason.license for group in denied} >= {"apache-2.0", "llama4"}
    assert preview.models[Verdict.BLOCKED] > preview.models[Verdict.ALLOWED] > 0
    assert [group.verdict for group in preview.groups] == sorted(
        (group.verdict for group in preview.groups),
        key=[Verdict.BLOCKED, Verdict.NEEDS_REVIEW, Verdict.ALLOWED_WITH_OBLIGATIONS,
             Verdict.ALLOWED].index,
    )  # fmt: skip
    fine = groups_of(preview, "nothing_asked")
    assert {group.reason.license for group in fine} == {"mit"}


def test_duties_that_may_apply_are_told_from_those_that_do(shelf: ShelfPreview) -> None:
    unknown = shelf.under(Policy())
    assert "apache-2.0" in {g.reason.license for g in groups_of(unknown, "duties_may_apply")}
    known = shelf.under(Policy(COMPANY, sha256="x"))
    assert "apache-2.0" not in {g.reason.license for g in groups_of(known, "duties_may_apply")}
    assert "llama3.1" in {g.reason.license for g in groups_of(known, "duties_apply")}


def test_a_waiver_of_the_policy_counts(shelf: ShelfPreview) -> None:
    denied = Rules(allow_only=("mit",))
    before = shelf.under(Policy(COMPANY, denied, sha256="x"))
    model = next(m for family in CATALOG.families for m in family.models if m.gguf_repos
                 and m.license == "apache-2.0")  # fmt: skip
    until = date(2999, 1, 1)
    waiver = Waiver(model.gguf_repos[0], until, (Scope(code="policy.allow_only"),), "Ada")
    after = shelf.under(Policy(COMPANY, replace(denied, waivers=(waiver,)), sha256="x"))
    assert after.models[Verdict.BLOCKED] == before.models[Verdict.BLOCKED] - 1

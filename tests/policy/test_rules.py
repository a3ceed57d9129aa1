"""Verdicts: each rule with its reason, and missing facts that are listed and never assumed."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf import wording
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import Fact, License, Threshold
from openshelf.licenses.lineage import EffectiveLicense, RepoClaims, resolve
from openshelf.policy.findings import EU, all_of, any_of, region_matches
from openshelf.policy.organization import Organization, Policy, Rules
from openshelf.policy.rules import LABEL_FLAGS, REVIEW_FLAGS, decide, names_of_nothing
from openshelf.policy.verdict import Decision
from openshelf.wording.licenses import TEMPLATES

LICENSES = load_licenses()
BLOCKED, REVIEW = Verdict.BLOCKED, Verdict.NEEDS_REVIEW
ALLOWED, WITH_DUTIES = Verdict.ALLOWED, Verdict.ALLOWED_WITH_OBLIGATIONS
HOBBY = Organization(
    domicile="US",
    use_regions=("US",),
    commercial=False,
    internal_only=False,
    mau=0,
    mau_over_on_release=False,
    annual_revenue_usd=0,
    monthly_revenue_usd=0,
    redistributes=False,
    distributes_product=False,
    makes_derivatives=False,
    distributes_derivatives=False,
    hosts_service=False,
    ai_work_assistant=False,
    trains_on_outputs=False,
)
COMPANY = replace(HOBBY, commercial=True, mau=1000, annual_revenue_usd=10**6)


def under(*ids: str, **more: Any) -> EffectiveLicense:
    tags = list(ids) if len(ids) > 1 else ids[0]
    license_ = resolve(RepoClaims("meta-llama/m", card={"license": tags}), lambda _: None)
    return replace(license_, **more)


def verdict(license_: EffectiveLicense, facts: Organization = HOBBY, **rules: Any) -> Decision:
    return decide(license_, LICENSES, Policy(facts, Rules(**rules), source="/policy.toml"))


def with_license(**changes: Any) -> Decision:
    """A made-up license in place of mit, for limits that the known ones do not have."""
    facts = changes.pop("facts", COMPANY)
    made: License = replace(LICENSES["mit"], **changes)
    return decide(under("mit"), {**LICENSES, "mit": made}, Policy(facts))


def line(**changes: Any) -> tuple[Threshold, ...]:
    base = Threshold("annual_revenue_usd", ">=", 10**7, "no_rights", "commercial", "§5")
    return (replace(base, **changes),)


def codes(decision: Decision) -> list[tuple[str, str]]:
    return [(reason.license, reason.code) for reason in decision.reasons]


def test_apache_on_your_own_machine_is_allowed() -> None:
    found = verdict(under("apache-2.0"))
    assert found.verdict is Verdict.ALLOWED
    assert found.reasons == ()
    assert found.facts_missing == ()
    assert all(duty.applies is False for duty in found.obligations)


def test_passing_on_brings_obligations() -> None:
    found = verdict(under("apache-2.0"), replace(HOBBY, redistributes=True))
    assert found.verdict is Verdict.ALLOWED_WITH_OBLIGATIONS
    applying = {duty.id for duty in found.obligations if duty.applies}
    assert applying == {"include_license_copy", "retain_notices", "notice_file"}


def test_without_facts_apache_may_have_obligations() -> None:
    """A missing fact that only decides about obligations never asks for a review."""
    found = verdict(under("apache-2.0"), Organization())
    assert found.verdict is Verdict.ALLOWED_WITH_OBLIGATIONS
    assert found.reasons == ()
    assert set(found.facts_missing) == {"redistributes", "distributes_derivatives"}
    assert {duty.applies for duty in found.obligations} == {None}


def test_without_facts_llama_needs_a_look() -> None:
    found = verdict(under("llama3.2"), Organization())
    assert found.verdict is Verdict.NEEDS_REVIEW
    assert [reason.ref for reason in found.reasons] == ["fact missing: mau for §2"]
    assert found.reasons[0].fact == "mau_over_on_release"


def test_old_llamas_ask_about_outputs() -> None:
    found = verdict(under("llama3"), replace(HOBBY, trains_on_outputs=None))
    assert found.reasons[0].ref == "fact missing: trains_on_outputs for §1.b.v"
    blocked = verdict(under("llama3"), replace(HOBBY, trains_on_outputs=True))
    assert blocked.verdict is Verdict.BLOCKED
    assert codes(blocked) == [("llama3", "outputs_prohibited")]
    assert verdict(under("llama3.1"), replace(HOBBY, trains_on_outputs=True)).reasons == ()


def test_scale_is_frozen_at_the_release() -> None:
    """Being large today does not matter, having been large then does."""
    large_now = replace(COMPANY, mau=10**9, mau_over_on_release=False)
    assert verdict(under("llama3.3"), large_now).verdict is Verdict.ALLOWED_WITH_OBLIGATIONS
    large_then = replace(COMPANY, mau=5, mau_over_on_release=True)
    found = verdict(under("llama3.3"), large_then)
    assert found.verdict is Verdict.BLOCKED
    assert (found.reasons[0].ref, found.reasons[0].value) == ("§2", "yes")
    assert found.reasons[0].source == "/policy.toml"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"domicile": "DE", "use_regions": ("US",)}, Verdict.BLOCKED),
        ({"domicile": "US", "use_regions": ("US", "FR")}, Verdict.BLOCKED),
        ({"domicile": "US", "use_regions": ("EU",)}, Verdict.BLOCKED),
        ({"domicile": "CH", "use_regions": ("GB",)}, Verdict.ALLOWED_WITH_OBLIGATIONS),
        ({"domicile": "US", "use_regions": None}, Verdict.NEEDS_REVIEW),
        ({"domicile": None, "use_regions": ()}, Verdict.NEEDS_REVIEW),
    ],
)
def test_llama_4_in_the_eu(facts: dict[str, Any], expected: Verdict) -> None:
    """Every Llama 4 model is concerned, also a text-only file."""
    assert verdict(under("llama4"), replace(HOBBY, **facts)).verdict is expected


def test_llama_3_2_in_the_eu_only_where_it_sees() -> None:
    german = replace(HOBBY, domicile="DE", use_regions=("DE",))
    assert verdict(under("llama3.2"), german).verdict is Verdict.ALLOWED_WITH_OBLIGATIONS
    assert verdict(under("llama3.2", multimodal=True), german).verdict is Verdict.BLOCKED


def test_naming_rule_is_an_obligation() -> None:
    publishing = replace(HOBBY, distributes_derivatives=True)
    duties = {d.id: d for d in verdict(under("llama3"), publishing).obligations}
    assert duties["name_prefix:Llama 3"].applies is True
    assert duties["name_prefix:Llama 3"].ref == "§1.b.i"


def test_training_on_outputs_alone_is_not_publishing() -> None:
    training = replace(HOBBY, trains_on_outputs=True)
    duties = {d.id: d for d in verdict(under("llama3.1"), training).obligations}
    assert duties["name_prefix:Llama"].applies is False


@pytest.mark.parametrize("name", ["unknown", "none"])
def test_what_is_unknown_needs_review(name: str) -> None:
    found = verdict(under("mit", effective=(name,)))
    assert found.verdict is Verdict.NEEDS_REVIEW
    assert (found.reasons[0].license, found.reasons[0].ref) == (name, "unknown")


def test_a_license_nobody_has_facts_for_needs_review() -> None:
    assert verdict(under("mit", effective=("removed-one",))).verdict is Verdict.NEEDS_REVIEW


@pytest.mark.parametrize("flag", REVIEW_FLAGS)
def test_doubts_of_the_resolver_need_review(flag: str) -> None:
    found = verdict(under("mit", flags=(flag,)))
    assert found.verdict is Verdict.NEEDS_REVIEW
    assert codes(found) == [("resolver", flag)]


@pytest.mark.parametrize("flag", LABEL_FLAGS)
def test_bad_labels_alone_lower_nothing(flag: str) -> None:
    assert verdict(under("mit", flags=(flag,))).verdict is Verdict.ALLOWED
    assert verdict(under("mit", flags=(flag,)), strict_labels=True).verdict is Verdict.NEEDS_REVIEW


@pytest.mark.parametrize(
    ("value", "commercial", "expected"),
    [
        ("yes", None, Verdict.ALLOWED),
        ("no", True, Verdict.BLOCKED),
        ("no", None, Verdict.NEEDS_REVIEW),
        ("no", False, Verdict.ALLOWED),
        ("conditional", True, Verdict.ALLOWED),
    ],
)
def test_commercial_use(value: str, commercial: bool | None, expected: Verdict) -> None:
    facts = replace(HOBBY, commercial=commercial)
    assert with_license(commercial_use=Fact(value, "§1"), facts=facts).verdict is expected


@pytest.mark.parametrize(
    ("changes", "facts", "expected"),
    [
        ({}, {"annual_revenue_usd": 10**7}, BLOCKED),
        ({"op": ">"}, {"annual_revenue_usd": 10**7}, ALLOWED),
        ({"op": ">"}, {"annual_revenue_usd": 10**7 + 1}, BLOCKED),
        ({"ambiguous_at_equal": True}, {"annual_revenue_usd": 10**7}, REVIEW),
        ({"ambiguous_at_equal": True}, {"annual_revenue_usd": 10**8}, BLOCKED),
        ({}, {"annual_revenue_usd": None}, REVIEW),
        ({}, {"annual_revenue_usd": None, "commercial": False}, ALLOWED),
        ({}, {"annual_revenue_usd": 10**8, "commercial": None}, REVIEW),
        ({}, {"annual_revenue_usd": 5, "commercial": None}, ALLOWED),
        ({"effect": "needs_separate_license"}, {"annual_revenue_usd": 10**8}, BLOCKED),
        ({"effect": "needs_review_by_licensor"}, {"annual_revenue_usd": 10**8}, REVIEW),
        ({"effect": "display_required"}, {"annual_revenue_usd": 10**8}, WITH_DUTIES),
        ({"effect": "display_required"}, {"annual_revenue_usd": 5}, ALLOWED),
        ({"effect": "display_required"}, {"annual_revenue_usd": None}, WITH_DUTIES),
        ({"when": "maas"}, {"annual_revenue_usd": 10**8}, ALLOWED),
        ({"when": "maas"}, {"annual_revenue_usd": 10**8, "hosts_service": True}, BLOCKED),
        ({"when": "maas"}, {"annual_revenue_usd": 10**8, "hosts_service": None}, REVIEW),
        ({"when": "maas_or_ai_work_assistant", "metric": "any", "value": 0},
         {"ai_work_assistant": True}, BLOCKED),
        ({"exempt_when": ("internal_only",)},
         {"annual_revenue_usd": 10**8, "internal_only": True}, ALLOWED),
        ({"metric": "competes_with_licensor", "value": 1}, {}, REVIEW),
    ],
)  # fmt: skip
def test_lines(changes: dict[str, Any], facts: dict[str, Any], expected: Verdict) -> None:
    found = with_license(thresholds=line(**changes), facts=replace(COMPANY, **facts))
    assert found.verdict is expected


def test_a_line_that_can_be_read_both_ways_says_so() -> None:
    facts = replace(COMPANY, annual_revenue_usd=10**7)
    found = with_license(thresholds=line(ambiguous_at_equal=True), facts=facts)
    assert (found.reasons[0].ref, found.reasons[0].value) == ("boundary §5", "10,000,000")


def test_unsure_facts_cap_the_verdict() -> None:
    over = replace(COMPANY, annual_revenue_usd=10**9)
    under_it = replace(COMPANY, annual_revenue_usd=1)
    for facts in (over, under_it):
        found = with_license(thresholds=line(), unsure_fields=("thresholds",), facts=facts)
        assert found.verdict is Verdict.NEEDS_REVIEW
        assert found.reasons[0].code == "unsure_fact"


def test_outputs_for_research_only() -> None:
    rule = Fact("research_only", "§4.b")
    training = replace(HOBBY, trains_on_outputs=True)
    assert with_license(train_other_models=rule, facts=training).verdict is Verdict.ALLOWED
    business = replace(training, commercial=True)
    assert with_license(train_other_models=rule, facts=business).verdict is Verdict.BLOCKED


def test_allow_only() -> None:
    found = verdict(under("gemma"), allow_only=("Apache-2.0", "mit"))
    assert found.verdict is Verdict.BLOCKED
    assert codes(found) == [("gemma", "policy.allow_only")]
    assert verdict(under("apache-2.0"), allow_only=("Apache-2.0",)).verdict is Verdict.ALLOWED
    spdx = ("LicenseRef-scancode-gemma-tou-2025-03-24",)
    assert verdict(under("gemma"), allow_only=spdx).reasons == ()
    assert verdict(under("mit"), allow_only=()).verdict is Verdict.BLOCKED


def test_a_disputed_claim_is_for_a_person() -> None:
    disputed = under("gemma", disputed=("gemma",))
    for rule in ({"allow_only": ("mit",)}, {"deny_classes": ("community",)}, {"require_osi": True}):
        assert verdict(disputed, **rule).verdict is Verdict.NEEDS_REVIEW
        assert verdict(under("gemma"), **rule).verdict is Verdict.BLOCKED


def test_vendor_regions() -> None:
    chinese = under("mit", vendor_regions=("CN",), unknown_vendors=())
    found = verdict(chinese, deny_vendor_regions=("CN", "RU"))
    assert [(r.license, r.ref) for r in found.reasons] == [("policy", "deny_vendor_regions:CN")]
    assert found.verdict is Verdict.BLOCKED
    german = under("mit", vendor_regions=("DE",), unknown_vendors=())
    assert verdict(german, deny_vendor_regions=("EU",)).verdict is Verdict.BLOCKED
    assert verdict(german, deny_vendor_regions=("CN",)).verdict is Verdict.ALLOWED
    unknown = under("mit", vendor_regions=(), unknown_vendors=("who/knows",))
    assert verdict(unknown, deny_vendor_regions=("CN",)).verdict is Verdict.NEEDS_REVIEW


def test_required_texts() -> None:
    assert verdict(under("apache-2.0"), require_license_text=True).verdict is Verdict.ALLOWED
    found = verdict(under("mit"), require_license_text=True)
    assert codes(found) == [("mit", "policy.require_license_text")]
    assert found.verdict is Verdict.NEEDS_REVIEW


def test_the_worst_rule_wins() -> None:
    facts = replace(COMPANY, mau_over_on_release=True, redistributes=True)
    found = verdict(under("mit", "llama3.1", flags=("cycle",)), facts)
    assert found.verdict is Verdict.BLOCKED
    assert ("resolver", "cycle") in codes(found)


def test_every_reason_and_flag_has_words() -> None:
    made = [
        verdict(under("llama3", "llama4"), Organization()),
        verdict(under("llama3", "llama4"), replace(COMPANY, domicile="DE", trains_on_outputs=True,
                mau_over_on_release=True)),
        verdict(under("mit", effective=("unknown", "none"), flags=REVIEW_FLAGS + LABEL_FLAGS,
                vendor_regions=("CN",)), allow_only=(), require_osi=True, strict_labels=True,
                deny_classes=("unknown",), deny_vendor_regions=("CN",), require_license_text=True),
        verdict(under("mit", vendor_regions=(), unknown_vendors=("a/b",)),
                deny_vendor_regions=("CN",)),
        with_license(commercial_use=Fact("no", "§1")),
        with_license(thresholds=line(ambiguous_at_equal=True),
                     facts=replace(COMPANY, annual_revenue_usd=10**7)),
        with_license(thresholds=line(), unsure_fields=("all",)),
    ]  # fmt: skip
    for effect in ("no_rights", "needs_separate_license", "needs_review_by_licensor"):
        rich = replace(COMPANY, annual_revenue_usd=10**9)
        made.append(with_license(thresholds=line(effect=effect), facts=rich))
    found = {reason.code for decision in made for reason in decision.reasons}
    assert len(found) >= 20
    for decision in made:
        for reason in decision.reasons:
            assert reason.code in TEMPLATES, reason.code
            assert "?" not in wording.sentence(reason.as_reason())
        for flag in decision.license.flags:
            assert flag in TEMPLATES


def test_every_fact_has_words() -> None:
    for field in fields(Organization):
        assert field.name == "name" or f"fact_{field.name}" in TEMPLATES


def test_three_values() -> None:
    assert any_of([False, None, True]) is True
    assert any_of([False, None]) is None
    assert any_of([]) is False
    assert all_of([True, None, False]) is False
    assert all_of([True, None]) is None
    assert all_of([]) is True


def test_the_eu_has_27_members() -> None:
    assert len(EU) == 27
    assert region_matches("de", "EU")
    assert region_matches("EU", "FR")
    assert not region_matches("GB", "EU")


_FACTS = st.builds(
    Organization,
    domicile=st.none() | st.sampled_from(["US", "DE", "CN"]),
    use_regions=st.none() | st.just(()) | st.just(("US",)) | st.just(("FR",)),
    commercial=st.none() | st.booleans(),
    mau_over_on_release=st.none() | st.booleans(),
    redistributes=st.none() | st.booleans(),
    distributes_product=st.none() | st.booleans(),
    distributes_derivatives=st.none() | st.booleans(),
    hosts_service=st.none() | st.booleans(),
    trains_on_outputs=st.none() | st.booleans(),
)
_ORDER = [Verdict.ALLOWED, Verdict.ALLOWED_WITH_OBLIGATIONS, Verdict.NEEDS_REVIEW, Verdict.BLOCKED]


@given(_FACTS, st.sampled_from(sorted(LICENSES)), st.sampled_from(sorted(LICENSES)))
def test_a_second_license_never_makes_it_milder(facts: Organization, one: str, two: str) -> None:
    alone = verdict(under("mit", effective=(one,)), facts).verdict
    both = verdict(under("mit", effective=(one, two)), facts).verdict
    assert _ORDER.index(both) >= _ORDER.index(alone)


@given(_FACTS, st.sampled_from(sorted(LICENSES)))
def test_knowing_less_never_allows_more_than_the_worst_answer(
    facts: Organization, name: str
) -> None:
    """With a fact unknown, the verdict is no milder than the mildest of its two answers."""
    license_ = under("mit", effective=(name,))
    for field in ("commercial", "mau_over_on_release", "trains_on_outputs", "redistributes"):
        answers = [verdict(license_, replace(facts, **{field: v})).verdict for v in (True, False)]
        unknown = verdict(license_, replace(facts, **{field: None})).verdict
        ranks = [_ORDER.index(answer) for answer in answers]
        assert min(ranks) <= _ORDER.index(unknown) <= max(*ranks, 2)


def test_a_variant_is_not_allowed_by_the_spdx_id_that_it_bears() -> None:
    """Cohere's CC BY-NC comes with a use policy; whoever lists the plain one has not allowed it."""
    card = {"license": "cc-by-nc-4.0"}
    cohere = resolve(RepoClaims("CohereLabs/aya-23-8B", card=card), lambda _: None)
    plain = resolve(RepoClaims("a/m", card=card), lambda _: None)
    facts = Organization(commercial=False, trains_on_outputs=False)
    listed = Policy(organization=facts, rules=Rules(allow_only=("CC-BY-NC-4.0",)))
    assert "policy.allow_only" in [r.code for r in decide(cohere, LICENSES, listed).reasons]
    assert "policy.allow_only" not in [r.code for r in decide(plain, LICENSES, listed).reasons]
    own = replace(listed, rules=Rules(allow_only=("cohere-cc-by-nc",)))
    assert "policy.allow_only" not in [r.code for r in decide(cohere, LICENSES, own).reasons]


def test_a_slip_of_the_pen_in_the_list_of_licenses_is_found() -> None:
    listed = ("mit", "Apache-2.0", "apache-2", "LicenseRef-scancode-llama-3.1-license-2024", "")
    assert names_of_nothing(Rules(allow_only=listed), LICENSES) == ("apache-2", "")
    assert names_of_nothing(Rules(), LICENSES) == ()

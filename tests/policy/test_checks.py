"""The questions behind a verdict, and the request for a review made of them."""

from __future__ import annotations

from dataclasses import replace

from openshelf.licenses.claims import RepoClaims
from openshelf.licenses.clearance import ClearedFile, Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import resolve
from openshelf.policy.checks import CHECKS, Check, checks_of
from openshelf.policy.organization import Organization, Policy, Rules
from openshelf.policy.review_request import ReviewSubject, is_possible, review_request
from openshelf.policy.rules import decide
from openshelf.policy.verdict import Decision
from tests.fakes.example_updates import NEW, example_change, license_of

LICENSES = load_licenses()
EU = Organization(name="Example GmbH", domicile="DE", use_regions=("DE",), commercial=True)
SUBJECT = ReviewSubject(
    target="unsloth/Model-GGUF:Q4_K_M",
    repo="unsloth/Model-GGUF",
    commit="5ab33fa" + "0" * 33,
    files=(ClearedFile("model.gguf", "ab" * 32, 3_420_000_000),),
    asked_by="Ada Lovelace",
    at="2026-11-26T12:00:00Z",
    note="Ticket 482",
)


def decided(license_id: str, policy: Policy, *, multimodal: bool = False) -> Decision:
    card = {"license": "other", "license_name": license_id}
    entry = LICENSES[license_id]
    if entry.ids.hub_license:
        card = {"license": entry.ids.hub_license[0]}
    claims = RepoClaims(id="example/model", card=card, region="US", multimodal=multimodal)
    return decide(resolve(claims, lambda repo: None), LICENSES, policy)


def by_code(decision: Decision, policy: Policy) -> dict[str, Check]:
    checks = checks_of(decision, policy, LICENSES)
    assert [CHECKS.index(c.code) for c in checks] == sorted(CHECKS.index(c.code) for c in checks)
    return {check.code: check for check in checks}


def test_what_is_fine_is_shown_beside_what_is_not() -> None:
    rules = Rules(allow_only=("mit",), deny_vendor_regions=("CN",), require_osi=True)
    policy = Policy(EU, rules, source="/p.toml", sha256="x")
    checks = by_code(decided("llama3.1", policy), policy)
    assert {code: check.verdict for code, check in checks.items()} == {
        "commercial": Verdict.ALLOWED,
        "scale": Verdict.NEEDS_REVIEW,
        "allow_only": Verdict.BLOCKED,
        "deny_vendor_regions": Verdict.ALLOWED,
        "require_osi": Verdict.BLOCKED,
    }
    assert checks["deny_vendor_regions"].detail == "US"
    assert checks["scale"].reasons[0].code == "fact_missing"


def test_each_question_weighs_by_its_own_reasons() -> None:
    policy = Policy(EU, sha256="x")
    checks = by_code(decided("llama4", policy, multimodal=True), policy)
    assert checks["region"].verdict is Verdict.BLOCKED
    assert checks["region"].detail == "DE"
    assert checks["commercial"].verdict is Verdict.ALLOWED
    assert checks["scale"].verdict is Verdict.NEEDS_REVIEW


def test_nothing_is_asked_where_neither_license_nor_policy_does() -> None:
    assert checks_of(decided("apache-2.0", Policy()), Policy(), LICENSES) == ()


def test_every_reason_of_every_license_stands_under_a_question() -> None:
    policies = (
        Policy(),
        Policy(
            replace(EU, trains_on_outputs=True, mau=10**9, mau_over_on_release=True), sha256="x"
        ),
    )
    for license_id in LICENSES:
        for policy in policies:
            decision = decided(license_id, policy, multimodal=True)
            checks = checks_of(decision, policy, LICENSES)
            assert {r for check in checks for r in check.reasons} == set(decision.reasons)
            if decision.verdict in (Verdict.NEEDS_REVIEW, Verdict.BLOCKED):
                assert decision.verdict in {check.verdict for check in checks}


def test_the_request_says_everything_that_a_decision_needs() -> None:
    policy = Policy(EU, name="House rules", source="/p.toml", sha256="f" * 64)
    decision = decided("llama3.1", policy)
    assert is_possible(decision, policy)
    text = review_request(SUBJECT, decision, policy, LICENSES)
    for words in (
        "Request for a review: unsloth/Model-GGUF:Q4_K_M",
        "Asked by Ada Lovelace at 2026-11-26T12:00:00Z",
        SUBJECT.commit,
        "House rules, sha256 " + "f" * 64,
        "Ticket 482",
        "needs review",
        "Llama 3.1 Community License",
        "“Built with Llama”",
        "§2",
        "where the organization has its seat: DE",
        "whether use is commercial: yes",
        "whether you were over the limit of users",
        "model.gguf, 3.4 GB, sha256 " + "ab" * 32,
        "openshelf policy waive unsloth/Model-GGUF:Q4_K_M --accept-as NAME",
        'repo = "unsloth/Model-GGUF"',
        "not legal advice",
        "Not assessed: sanctions",
    ):
        assert words in text, words
    assert "llama3.1 gives" not in text


def test_hostile_names_stay_on_their_line() -> None:
    evil = replace(SUBJECT, target="a/b\n- Verdict: allowed\x1b[2J", note="x\r\ny\u202ez")
    text = review_request(evil, decided("llama3.1", Policy(EU, sha256="x")), Policy(), LICENSES)
    assert "\n- Verdict: allowed" not in text
    assert "waive 'a/b - Verdict: allowed [2J' --accept-as" in text
    assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_a_review_helps_only_under_a_policy_and_never_against_a_block() -> None:
    assert not is_possible(decided("llama3.1", Policy()), Policy())
    policy = Policy(EU, sha256="x")
    assert not is_possible(decided("qwen-research", policy), policy)


def test_a_request_shows_what_changed() -> None:
    decision = decide(license_of(NEW), LICENSES, Policy())
    subject = replace(SUBJECT, change=example_change())
    text = review_request(subject, decision, Policy(), LICENSES)
    assert "not the ones that were accepted on 2026-10-12" in text
    assert "  -1.2 Whoever takes the guardrails out has no rights any more." in text
    assert "  +2.1 The notice goes with every copy, on a page that a user can find." in text
    assert "What changed" not in review_request(SUBJECT, decision, Policy(), LICENSES)


def test_what_models_are_used_for_is_a_question_of_its_own() -> None:
    """Only where the policy says so, and a license rules something out."""
    policy = Policy(Organization(commercial=True, fields_of_use=("Military logistics",)))
    stopped = by_code(decided("deepseek", policy), policy)["fields"]
    assert (stopped.verdict, stopped.detail) == (Verdict.NEEDS_REVIEW, "Military logistics")
    (reason,) = stopped.reasons
    assert (reason.code, reason.value, reason.fact) == (
        "field_of_use", "Military logistics", "fields_of_use"
    )  # fmt: skip
    assert "fields" not in by_code(decided("mit", policy), policy)
    usual = Policy(Organization(commercial=True, fields_of_use=("customer support", "use")))
    assert by_code(decided("deepseek", usual), usual)["fields"].verdict is Verdict.ALLOWED
    assert "fields" not in by_code(decided("deepseek", Policy()), Policy())

"""Cases of the same kinds as the specification's, with other licenses, figures and chains."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import License, Threshold
from openshelf.policy.cases import evaluate_cases
from openshelf.policy.limits import DISPLAY
from openshelf.policy.organization import Policy, policy_from_table
from openshelf.policy.rules import decide

LICENSES = load_licenses()
COMPANY: dict[str, Any] = {
    "commercial": True, "domicile": "US", "use_regions": ["US"], "mau": 1000,
    "mau_over_on_release": False, "annual_revenue_usd": 100_000, "monthly_revenue_usd": 8000,
    "redistributes": False, "distributes_product": False, "makes_derivatives": False,
    "distributes_derivatives": False, "hosts_service": False, "ai_work_assistant": False,
    "internal_only": False, "trains_on_outputs": False, "competes_with_licensor": False,
}  # fmt: skip
PERSON = {**COMPANY, "commercial": False}
IDS = sorted(LICENSES)
ORDER = ("allowed", "allowed_with_obligations", "needs_review", "blocked")


def policy_of(facts: dict[str, Any], **rules: Any) -> Policy:
    known = {key: value for key, value in facts.items() if value is not None}
    return policy_from_table({"organization": known, "rules": rules})


def under(*ids: str) -> EffectiveLicense:
    return EffectiveLicense(effective=ids, expression="", flags=(), lineage=())


def verdict(license_id: str, facts: dict[str, Any], **rules: Any) -> str:
    return decide(under(license_id), LICENSES, policy_of(facts, **rules)).verdict.value


def answer(repo: dict[str, Any], facts: dict[str, Any], **case: Any) -> dict[str, Any]:
    case = {"id": "U", "repo": repo, "profiles": ["p"], **case}
    (found,) = evaluate_cases({"profiles": {"p": facts}, "cases": [case]})["cases"]
    assert isinstance(found, dict)
    return found


def card(license_: Any = None, base: Any = None, name: str | None = None) -> dict[str, Any]:
    given = {"license": license_, "license_name": name, "base_model": base}
    return {key: value for key, value in given.items() if value is not None}


def node(repo: str, *args: Any, **more: Any) -> dict[str, Any]:
    return {"id": repo, "cardData": card(*args, **more)}


LINES = [
    (entry, line)
    for entry in LICENSES.values()
    for line in entry.thresholds
    if line.metric in ("mau", "annual_revenue_usd", "monthly_revenue_usd") and not line.frozen_at
]


def in_scope(line: Threshold) -> dict[str, Any]:
    return {**COMPANY, "hosts_service": line.when.startswith("maas")}


@pytest.mark.parametrize(
    ("entry", "line"), LINES, ids=[f"{e.id}-{t.metric}-{t.effect}" for e, t in LINES]
)
def test_exactly_on_each_line(entry: License, line: Threshold) -> None:
    def found(value: int) -> str:
        return verdict(entry.id, {**in_scope(line), line.metric: value})

    below, at, above = found(line.value - 1), found(line.value), found(line.value + 1)
    if entry.is_unsure("thresholds"):
        assert {at, above} <= {"needs_review", "allowed"}
        assert above == "needs_review"
        assert below == ("allowed" if line.only_rises else "needs_review")
    elif line.ambiguous_at_equal:
        assert (below, at, above) == ("allowed", "needs_review", "blocked")
    elif line.effect == DISPLAY:
        assert (at, above) == (below, "allowed_with_obligations")
    else:
        expected = "needs_review" if line.effect == "needs_review_by_licensor" else "blocked"
        assert (at, above) == (below, expected)
        assert below in ("allowed", "allowed_with_obligations")


@pytest.mark.parametrize(
    ("license_id", "facts", "expected"),
    [
        # Hosts and assistants: any size (Qwen Community), above a size (Max, Kimi K3, GLM-5.3).
        ("qwen-community-1.0", {}, "allowed"),
        ("qwen-community-1.0", {"hosts_service": True}, "blocked"),
        ("qwen-community-1.0", {"ai_work_assistant": True}, "blocked"),
        ("qwen-community-1.0", {"ai_work_assistant": None}, "needs_review"),
        ("qwen3.8-max", {"annual_revenue_usd": 10**9}, "allowed"),
        ("qwen3.8-max", {"annual_revenue_usd": 10**9, "ai_work_assistant": True}, "blocked"),
        ("qwen3.8-max", {"monthly_revenue_usd": 10**8}, "allowed_with_obligations"),
        ("kimi-k3", {"annual_revenue_usd": 10**8, "hosts_service": True}, "blocked"),
        ("kimi-k3", {"annual_revenue_usd": 10**8, "hosts_service": True,
                     "internal_only": True}, "allowed"),
        ("kimi-k3", {"mau": 10**9, "internal_only": True}, "allowed"),
        ("kimi-k3", {"mau": 10**9}, "allowed_with_obligations"),
        ("glm-5.3", {"annual_revenue_usd": 2 * 10**10, "hosts_service": True}, "needs_review"),
        ("glm-5.3", {"annual_revenue_usd": 2 * 10**10}, "allowed"),
        # No exception for internal use, nor for people who do not sell.
        ("mistral-modified-mit", {"monthly_revenue_usd": 3 * 10**7, "commercial": False,
                                  "internal_only": True}, "blocked"),
        ("mistral-modified-mit", {"monthly_revenue_usd": None}, "needs_review"),
        ("kimi-modified-mit", {"monthly_revenue_usd": 3 * 10**7, "commercial": False}, "allowed"),
        # Frozen lines ask about the past.
        ("databricks-open-model", {"mau": 10**9}, "allowed_with_obligations"),
        ("databricks-open-model", {"mau_over_on_release": True}, "blocked"),
        ("qwen", {"mau": 2 * 10**8}, "blocked"),
        ("qwen", {"mau": 2 * 10**8, "commercial": False}, "allowed"),
        # Research, non-commercial.
        ("mrl", {}, "blocked"),
        ("mrl", {"commercial": False}, "allowed_with_obligations"),
        ("mrl", {"commercial": None}, "needs_review"),
        ("cc-by-nc-4.0", {}, "blocked"),
        ("cc-by-nc-nd-4.0", {"commercial": False, "distributes_derivatives": True},
         "allowed_with_obligations"),
        # Outputs.
        ("tongyi-qianwen", {"trains_on_outputs": True}, "blocked"),
        ("exaone-1.1-nc", {"commercial": False, "trains_on_outputs": True}, "blocked"),
        ("exaone-1.2-nc", {"commercial": False, "trains_on_outputs": True}, "needs_review"),
        ("glm-4", {"trains_on_outputs": True}, "needs_review"),
        ("deepseek", {"trains_on_outputs": True}, "allowed_with_obligations"),
        ("stabilityai-community", {"trains_on_outputs": True}, "blocked"),
        ("stabilityai-community", {"annual_revenue_usd": 10**6}, "allowed_with_obligations"),
        # Territory.
        ("tencent-hunyuan-community", {"use_regions": ["US", "GB"]}, "blocked"),
        ("tencent-hunyuan-community", {"use_regions": ["JP"]}, "allowed_with_obligations"),
        ("tencent-hunyuan-community", {"use_regions": None}, "needs_review"),
        # Competitors of the licensor.
        ("hyperclovax-seed", {}, "allowed_with_obligations"),
        ("hyperclovax-seed", {"competes_with_licensor": True}, "blocked"),
        ("hyperclovax-seed", {"competes_with_licensor": None}, "needs_review"),
        # What nobody could confirm.
        ("jamba-open-model", {}, "needs_review"),
        ("arcee-model-license", {}, "needs_review"),
        ("internlm2", {}, "needs_review"),
        ("kanana", {}, "needs_review"),
        ("grok2-community", {}, "needs_review"),
        ("health-ai-developer-foundations", {}, "needs_review"),
        ("jamba-open-model", {"commercial": False}, "allowed"),
        ("gpl-3.0", {}, "allowed"),
        ("gpl-3.0", {"redistributes": True}, "needs_review"),
        ("agpl-3.0", {"hosts_service": True}, "needs_review"),
        ("qwen-research", {}, "blocked"),
        ("polyform-small-business-1.0.0", {"annual_revenue_usd": 900_000}, "allowed"),
        ("polyform-small-business-1.0.0", {"annual_revenue_usd": 1_200_000}, "needs_review"),
        # Permissive.
        ("cc0-1.0", {"redistributes": True}, "allowed"),
        ("bsd-3-clause", {}, "allowed_with_obligations"),
        ("openmdw-1.1", {"trains_on_outputs": True}, "allowed"),
        ("nvidia-nemotron", {"redistributes": None}, "allowed_with_obligations"),
    ],
)  # fmt: skip
def test_verdicts(license_id: str, facts: dict[str, Any], expected: str) -> None:
    assert verdict(license_id, {**COMPANY, **facts}) == expected


@pytest.mark.parametrize("license_id", IDS)
@pytest.mark.parametrize("facts", [COMPANY, PERSON, {}], ids=["company", "person", "unknown"])
def test_each_reason_names_license_and_clause(license_id: str, facts: dict[str, Any]) -> None:
    found = decide(under(license_id), LICENSES, policy_of(facts, allow_only=["mit"]))
    for reason in found.reasons:
        assert reason.license == license_id
        assert reason.clause or reason.code.startswith("policy."), reason
        assert reason.ref


@pytest.mark.parametrize("license_id", IDS)
def test_not_commercial_is_blocked_for_a_company(license_id: str) -> None:
    value, found = LICENSES[license_id].commercial_use.value, verdict(license_id, COMPANY)
    if value == "no":
        assert found == "blocked"
    elif value == "unknown":
        assert found == "needs_review"
    else:
        assert found != "blocked"


@pytest.mark.parametrize("license_id", IDS)
def test_doubts_never_block_and_never_pass(license_id: str) -> None:
    """An unconfirmed fact that decides gives needs_review, on both sides of what it says."""
    entry = LICENSES[license_id]
    if entry.is_unsure("commercial_use"):
        for revenue in (0, 10**12):
            assert verdict(license_id, {**COMPANY, "annual_revenue_usd": revenue}) == "needs_review"
    if entry.is_unsure("outputs") and entry.commercial_use.value != "no":
        assert verdict(license_id, {**PERSON, "trains_on_outputs": True}) == "needs_review"


FACTS = st.fixed_dictionaries(
    {
        key: st.one_of(st.none(), st.booleans())
        for key, value in COMPANY.items()
        if isinstance(value, bool)
    }
    | {
        key: st.sampled_from([None, 0, 10**6, 10**7, 2 * 10**7, 10**8, 10**8 + 1, 10**11])
        for key in ("mau", "annual_revenue_usd", "monthly_revenue_usd")
    }
    | {
        "domicile": st.sampled_from([None, "US", "DE", "KR"]),
        "use_regions": st.sampled_from([None, ["US"], ["FR", "US"], ["GB"]]),
    }
)


@given(FACTS, st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True))
def test_the_verdict_is_the_worst_of_its_parts(facts: dict[str, Any], ids: list[str]) -> None:
    policy = policy_of(facts)
    together = decide(under(*ids), LICENSES, policy).verdict.value
    apart = [decide(under(id_), LICENSES, policy).verdict.value for id_ in ids]
    assert together == max(apart, key=ORDER.index)


@given(FACTS, st.sampled_from(IDS))
def test_what_is_decided_has_its_reason(facts: dict[str, Any], license_id: str) -> None:
    found = decide(under(license_id), LICENSES, policy_of(facts))
    stops = found.verdict in (Verdict.BLOCKED, Verdict.NEEDS_REVIEW)
    assert stops == bool(found.reasons)
    owed = any(duty.applies is not False for duty in found.obligations)
    assert stops or (found.verdict is Verdict.ALLOWED_WITH_OBLIGATIONS) == owed


@given(FACTS, st.sampled_from(IDS))
def test_no_fact_is_assumed(facts: dict[str, Any], license_id: str) -> None:
    """Every missing fact that is listed is really missing, and learning none changes nothing."""
    found = decide(under(license_id), LICENSES, policy_of(facts))
    assert all(facts.get(name) is None for name in found.facts_missing)
    if not found.facts_missing:
        filled = {k: COMPANY[k] if v is None else v for k, v in facts.items()}
        assert decide(under(license_id), LICENSES, policy_of(filled)).verdict is found.verdict


def test_a_merge_of_three_families_is_under_all() -> None:
    found = answer(
        node("x/merge-GGUF", base="x/merge"),
        COMPANY,
        chain=[
            node("x/merge", base=["meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-72B", "a/seed"]),
            node("meta-llama/Llama-3.1-8B", "llama3.1"),
            node("Qwen/Qwen2.5-72B", "other", name="qwen"),
            node("a/seed", "other", name="hyperclovax-seed"),
        ],
    )
    assert set(found["effective"]) == {"none", "llama3.1", "qwen", "hyperclovax-seed"}
    assert "name_rule_conflict" in found["flags"]
    assert found["verdict"] == "needs_review"


def test_a_list_license_with_one_unknown_is_unknown_too() -> None:
    found = answer(node("x/m", ["apache-2.0", "my-terms"]), COMPANY)
    assert set(found["effective"]) == {"apache-2.0", "unknown"}
    assert "list_license" in found["flags"]
    assert found["verdict"] == "needs_review"


def test_a_cycle_of_any_length_ends_in_a_review() -> None:
    for length in range(1, 7):
        chain = [node(f"a/m{i}", "mit", f"a/m{(i + 1) % length}") for i in range(length)]
        found = answer(chain[0], COMPANY, chain=chain[1:])
        assert found["effective"] == ["mit"]
        assert "cycle" in found["flags"]
        assert found["verdict"] == "needs_review"


def test_mislabelled_derivatives_of_research_models_stay_blocked() -> None:
    for label, base, name in itertools.product(
        ("apache-2.0", "mit", "llama3.1"),
        ("Qwen/Qwen2.5-3B", "mistralai/Mistral-Large-2407"),
        ("qwen-research", "mrl"),
    ):
        found = answer(
            node("s/m-GGUF", label, base), COMPANY, chain=[node(base, "other", name=name)]
        )
        assert set(found["effective"]) == {label, name}
        assert "label_conflict" in found["flags"]
        assert found["verdict"] == "blocked"


def test_a_region_that_is_only_claimed_asks_a_person() -> None:
    facts = {**COMPANY, "deny_vendor_regions": ["CN"]}
    base = node("meta-llama/Llama-3.1-8B", "llama3.1")
    claimed = node("s/m-GGUF", "other", "meta-llama/Llama-3.1-8B", "deepseek")
    found = answer(claimed, facts, chain=[base])
    assert found["verdict"] == "needs_review"
    assert ("policy", "deny_vendor_regions:CN") in {
        (r["license"], r["ref"]) for r in found["reasons"]
    }
    real = node("s/m-GGUF", base="deepseek-ai/DeepSeek-V2")
    maker = node("deepseek-ai/DeepSeek-V2", "other", name="deepseek")
    assert answer(real, facts, chain=[maker])["verdict"] == "blocked"


def test_an_earlier_acceptance_of_the_same_license_changes_nothing() -> None:
    repo = node("nvidia/x", "other", name="nvidia-nemotron-open-model-license")
    for earlier, flagged in (("nvidia-nemotron", False), ("nvidia-open-model", True)):
        found = answer(repo, COMPANY, earlier_acceptance={"license": earlier})
        assert ("license_changed" in found["flags"]) is flagged
        assert (found["verdict"] == "needs_review") is flagged

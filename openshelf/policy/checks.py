"""A decision as a list of questions that were asked of a model, each with its answer.

The install sheet and a request for a review show these, so that what is fine can be seen too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.license import License
from openshelf.policy.organization import Policy
from openshelf.policy.rules import REVIEW_FLAGS
from openshelf.policy.verdict import Decision, PolicyReason

CHECKS = (
    "lineage",
    "license",
    "commercial",
    "scale",
    "region",
    "outputs",
    "fields",
    "allow_only",
    "deny_classes",
    "deny_vendor_regions",
    "require_osi",
    "require_license_text",
    "strict_labels",
)
"""In the order of the sheet: what the licenses say, then what the team says."""
_REGION_FACTS = {"domicile", "use_regions"}
_WORST = (Verdict.ALLOWED, Verdict.NEEDS_REVIEW, Verdict.BLOCKED)


@dataclass(frozen=True)
class Check:
    """One question. `code` is one of CHECKS; `verdict` is allowed, needs_review or blocked.

    `detail` is what was looked at (a country, the vendors' regions), "" where there is none.
    """

    code: str
    verdict: Verdict
    reasons: tuple[PolicyReason, ...] = ()
    detail: str = ""


def checks_of(
    decision: Decision, policy: Policy, licenses: Mapping[str, License]
) -> tuple[Check, ...]:
    """Every question that licenses or policy put, also those that nothing speaks against."""
    found: dict[str, list[PolicyReason]] = {}
    for reason in decision.reasons:
        found.setdefault(_check_of(reason), []).append(reason)
    asked = _asked(decision, policy, licenses)
    return tuple(
        Check(code, _worst(found.get(code, []), decision.verdict), tuple(found.get(code, ())),
              asked.get(code, ""))
        for code in CHECKS
        if code in asked or code in found
    )  # fmt: skip


def _worst(reasons: list[PolicyReason], whole: Verdict) -> Verdict:
    weights = [reason.verdict or whole for reason in reasons]
    ranked = [weight for weight in weights if weight in _WORST]
    return max(ranked, key=_WORST.index, default=Verdict.ALLOWED)


def _asked(decision: Decision, policy: Policy, licenses: Mapping[str, License]) -> dict[str, str]:
    """The questions that come up for this model here, with what was looked at."""
    facts, rules = policy.organization, policy.rules
    entries = [licenses[id_] for id_ in decision.license.effective if id_ in licenses]
    asked: dict[str, str] = {}
    if facts.commercial and all(_is_clear(entry) for entry in entries):
        asked["commercial"] = ""
    lines = [line for entry in entries for line in entry.thresholds]
    is_sure = not any(entry.is_unsure("thresholds") for entry in entries)
    if is_sure and any(line.effect != "display_required" for line in lines):
        asked["scale"] = ""
    multimodal = decision.license.multimodal
    if any(r.concerns(multimodal=multimodal) for entry in entries for r in entry.regions):
        asked["region"] = facts.domicile or ""
    if facts.trains_on_outputs and not any(entry.is_unsure("outputs") for entry in entries):
        asked["outputs"] = ""
    if facts.fields_of_use and any(entry.field_of_use for entry in entries):
        asked["fields"] = ", ".join(facts.fields_of_use)
    asked |= {
        name: ""
        for name in ("require_osi", "require_license_text", "strict_labels", "deny_classes")
        if getattr(rules, name)
    }
    if rules.allow_only is not None:
        asked["allow_only"] = ""
    if rules.deny_vendor_regions:
        asked["deny_vendor_regions"] = ", ".join(decision.license.vendor_regions)
    return asked


def _is_clear(entry: License) -> bool:
    """Whether the license says about commercial use what could be confirmed."""
    known = entry.commercial_use.value in ("yes", "conditional", "no")
    return known and not entry.is_unsure("commercial_use")


def _check_of(reason: PolicyReason) -> str:
    code = reason.code.removeprefix("policy.")
    if code != reason.code:
        return "deny_vendor_regions" if code == "vendor_region_unknown" else code
    if code in REVIEW_FLAGS:
        return "lineage"
    if code == "fact_missing":
        return _check_of_fact(set((reason.fact or "").split("/")))
    known = {
        "no_commercial_use": "commercial",
        "region_excluded": "region",
        "outputs_prohibited": "outputs",
        "field_of_use": "fields",
        "unknown_license": "license",
        "unsure_fact": "license",
    }
    return known.get(code, "scale")


def _check_of_fact(facts: set[str]) -> str:
    if facts & _REGION_FACTS:
        return "region"
    if "trains_on_outputs" in facts:
        return "outputs"
    return "commercial" if facts == {"commercial"} else "scale"

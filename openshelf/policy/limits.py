"""What a license itself forbids or limits: commercial use, scale, regions, outputs, fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.license import License, RegionRestriction, Threshold
from openshelf.policy.fields_of_use import check_fields
from openshelf.policy.findings import Findings, all_of, any_of, region_matches
from openshelf.policy.organization import Organization
from openshelf.policy.verdict import PolicyReason

DISPLAY = "display_required"
UNREAD_OUTPUTS = "clause on outputs"
"""Stands for the number of a clause that nobody could read."""
_FACTS_OF_SCOPE: dict[str, tuple[str, ...]] = {
    "any": (),
    "commercial": ("commercial",),
    "maas": ("hosts_service",),
    "maas_or_ai_work_assistant": ("hosts_service", "ai_work_assistant"),
}
_EFFECTS = {
    "no_rights": Verdict.BLOCKED,
    "needs_separate_license": Verdict.BLOCKED,
    "needs_review_by_licensor": Verdict.NEEDS_REVIEW,
}


def check_limits(entry: License, findings: Findings, *, multimodal: bool) -> None:
    """All limits of one license; display lines are duties and counted there."""
    _check_commercial(entry, findings)
    limits = [threshold for threshold in entry.thresholds if threshold.effect != DISPLAY]
    for threshold in limits:
        _check_threshold(entry, threshold, findings)
    if not limits and entry.is_unsure("thresholds"):
        _check_unknown_limits(entry, findings)
    for region in entry.regions:
        if region.concerns(multimodal=multimodal):
            _check_region(entry, region, findings)
    _check_outputs(entry, findings)
    check_fields(entry, findings)


def _check_commercial(entry: License, findings: Findings) -> None:
    fact, commercial = entry.commercial_use, findings.organization.commercial
    clause = fact.ref or ""
    if fact.value not in ("yes", "conditional", "no"):
        reason = PolicyReason("unknown_license", entry.id, "unknown", clause=clause)
        findings.add(Verdict.NEEDS_REVIEW, reason)
    elif entry.is_unsure("commercial_use") and commercial is not False:
        findings.add(Verdict.NEEDS_REVIEW, findings.from_fact("unsure_fact", entry.id, clause))
    elif fact.value == "no" and commercial:
        reason = findings.from_fact("no_commercial_use", entry.id, clause, "commercial")
        findings.add(Verdict.BLOCKED, reason)
    elif fact.value == "no" and commercial is None:
        findings.lacks_deciding(entry.id, clause, ("commercial",), "commercial")


def threshold_state(
    threshold: Threshold, organization: Organization
) -> tuple[bool | None, bool, tuple[str, ...]]:
    """(is it met, is the value exactly on an ambiguous line, names of the missing facts)."""
    scope_facts = _FACTS_OF_SCOPE.get(threshold.when, (threshold.when,))
    in_scope = any_of(_answers(organization, scope_facts)) if scope_facts else True
    exempt = any_of(_answers(organization, threshold.exempt_when))
    reached, on_the_line, metric_fact = _reached(threshold, organization)
    met = all_of((in_scope, None if exempt is None else not exempt, reached))
    if met is not None:
        return met, on_the_line and met, ()
    candidates = [*scope_facts, *threshold.exempt_when, *([metric_fact] if metric_fact else [])]
    missing = tuple(fact for fact in candidates if getattr(organization, fact, None) is None)
    return None, False, missing


def _reached(
    threshold: Threshold, organization: Organization
) -> tuple[bool | None, bool, str | None]:
    if threshold.metric == "any":
        return True, False, None
    if threshold.frozen_at and threshold.metric == "mau":
        # Tested once, in the month before the release: today's figure says nothing about it.
        return organization.mau_over_on_release, False, "mau_over_on_release"
    value = getattr(organization, threshold.metric, None)
    if value is None:
        return None, False, threshold.metric
    at_line = threshold.ambiguous_at_equal and value == threshold.value
    above = value > threshold.value or (threshold.op == ">=" and value == threshold.value)
    return above or at_line, at_line, threshold.metric


def _check_threshold(entry: License, threshold: Threshold, findings: Findings) -> None:
    met, on_the_line, missing = threshold_state(threshold, findings.organization)
    fact = _fact_of(threshold, findings.organization)
    code, clause, verdict = threshold.effect, threshold.ref, Verdict.NEEDS_REVIEW
    if met is None:
        shown = "/".join(missing) if threshold.metric == "any" else threshold.metric
        findings.lacks_deciding(entry.id, clause, missing, shown)
        return
    if entry.is_unsure("thresholds") and _line_decides(threshold, findings.organization):
        code = "unsure_fact"
    elif on_the_line:
        code, clause = "on_the_line", f"boundary {clause}"
    elif met:
        verdict = _EFFECTS.get(threshold.effect, verdict)
    else:
        return
    findings.add(verdict, findings.from_fact(code, entry.id, clause, fact))


def _fact_of(threshold: Threshold, organization: Organization) -> str:
    """The fact that a reason names: the figure, or the business where any size is meant."""
    if threshold.metric == "any":
        business = _FACTS_OF_SCOPE.get(threshold.when, ()) or ("commercial",)
        return next((fact for fact in business if getattr(organization, fact)), business[0])
    return "mau_over_on_release" if threshold.frozen_at else threshold.metric


def _line_decides(threshold: Threshold, organization: Organization) -> bool:
    """Whether another figure in an unconfirmed line could change the answer.

    It could not for whom the line does not bind, nor below a line that only ever rises.
    """
    met, _, _ = threshold_state(replace(threshold, value=-1), organization)
    if met is False:
        return False
    reached, _, _ = _reached(threshold, organization)
    return not (threshold.only_rises and reached is False)


def _check_unknown_limits(entry: License, findings: Findings) -> None:
    """Nobody could say whether a license limits commercial use by scale."""
    fact, commercial = entry.commercial_use, findings.organization.commercial
    if fact.value == "conditional" and commercial is not False:
        reason = findings.from_fact("unsure_fact", entry.id, fact.ref or "")
        findings.add(Verdict.NEEDS_REVIEW, reason)


def _check_region(entry: License, region: RegionRestriction, findings: Findings) -> None:
    organization = findings.organization
    for fact, places in (
        ("domicile", (organization.domicile,) if organization.domicile else ()),
        ("use_regions", organization.use_regions or ()),
    ):
        if any(region_matches(place, wanted) for place in places for wanted in region.excluded):
            reason = findings.from_fact("region_excluded", entry.id, region.ref, fact)
            findings.add(Verdict.BLOCKED, reason)
            return
    missing = [fact for fact in ("domicile", "use_regions") if getattr(organization, fact) is None]
    if missing:
        findings.lacks_deciding(entry.id, region.ref, missing, "/".join(missing))


def _check_outputs(entry: License, findings: Findings) -> None:
    rule, organization = entry.train_other_models, findings.organization
    clause = rule.ref or ""
    if entry.is_unsure("outputs"):
        _check_unsure_outputs(entry, clause or UNREAD_OUTPUTS, findings)
        return
    if rule.value not in ("prohibited", "research_only"):
        return
    broken: bool | None = organization.trains_on_outputs
    facts: tuple[str, ...] = ("trains_on_outputs",)
    if rule.value == "research_only":
        broken = all_of((broken, organization.commercial))
        facts = ("trains_on_outputs", "commercial")
    if broken:
        reason = findings.from_fact("outputs_prohibited", entry.id, clause, "trains_on_outputs")
        findings.add(Verdict.BLOCKED, reason)
    elif broken is None:
        missing = [fact for fact in facts if getattr(organization, fact) is None]
        findings.lacks_deciding(entry.id, clause, missing, "/".join(missing))


def _check_unsure_outputs(entry: License, clause: str, findings: Findings) -> None:
    trains = findings.organization.trains_on_outputs
    if trains:
        reason = findings.from_fact("unsure_fact", entry.id, clause, "trains_on_outputs")
        findings.add(Verdict.NEEDS_REVIEW, reason)
    elif trains is None:
        findings.lacks_deciding(entry.id, clause, ("trains_on_outputs",), "trains_on_outputs")


def _answers(organization: Organization, facts: Iterable[str]) -> list[bool | None]:
    return [getattr(organization, fact, None) for fact in facts]

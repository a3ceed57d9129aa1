"""Which obligations bite for an organization, and which might because a fact is missing."""

from __future__ import annotations

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.license import License, Threshold
from openshelf.policy.findings import Findings, all_of, any_of
from openshelf.policy.limits import DISPLAY, threshold_state
from openshelf.policy.verdict import AppliedObligation

_FACTS: dict[str, tuple[str, ...]] = {
    "commercial_use": ("commercial",),
    "redistribute": ("redistributes",),
    "redistribute_commercial": ("redistributes", "commercial"),
    "distribute_product": ("distributes_product",),
    "distribute_derivative": ("distributes_derivatives",),
    "make_derivative": ("makes_derivatives",),
    "host_service": ("hosts_service",),
    "train_on_outputs_distribute": ("trains_on_outputs", "distributes_derivatives"),
}
"""Facts that must all hold for a trigger. `use` always holds; others are not asked for."""
_LATER = ("termination",)


def applied_obligations(entry: License, findings: Findings) -> tuple[AppliedObligation, ...]:
    """Every duty of a license with `applies`; raises the verdict where one bites or may bite."""
    duties = [
        _applied(entry, duty.id, duty.trigger, (duty.text, duty.exact, duty.ref), findings)
        for duty in entry.obligations
    ]
    if rule := entry.naming_rule:
        text = rule.text or f"Start the name of what you publish with “{rule.prefix}”."
        terms = (text, rule.prefix, rule.ref)
        duties.append(_applied(entry, f"name_prefix:{rule.prefix}", rule.trigger, terms, findings))
    duties += [
        _display_line(entry, threshold, findings)
        for threshold in entry.thresholds
        if threshold.effect == DISPLAY
    ]
    if any(duty.applies is not False for duty in duties):
        findings.raise_to(Verdict.ALLOWED_WITH_OBLIGATIONS)
    if entry.is_unsure("obligations") and (biting := [d for d in duties if d.applies]):
        # What is owed here could not be confirmed, so that nobody can say that it was done.
        reason = findings.from_fact("unsure_fact", entry.id, biting[0].ref)
        findings.add(Verdict.NEEDS_REVIEW, reason)
    return tuple(duties)


def _applied(
    entry: License,
    duty_id: str,
    trigger: tuple[str, ...],
    terms: tuple[str, str | None, str],
    findings: Findings,
) -> AppliedObligation:
    applies = any_of(_holds(name, findings) for name in trigger)
    if applies is None:
        for name in trigger:
            facts = _FACTS.get(name, ())
            if _holds(name, findings) is None:
                findings.lacks(*(f for f in facts if getattr(findings.organization, f) is None))
    text, exact, ref = terms
    return AppliedObligation(duty_id, entry.id, trigger, applies, text, exact, ref)


def _holds(trigger: str, findings: Findings) -> bool | None:
    if trigger == "use":
        return True
    if trigger in _LATER:
        return False
    facts = _FACTS.get(trigger)
    if facts is None:
        return None
    return all_of(getattr(findings.organization, fact) for fact in facts)


def _display_line(entry: License, threshold: Threshold, findings: Findings) -> AppliedObligation:
    """A line above which a name must be shown: a duty, not a limit."""
    met, _, missing = threshold_state(threshold, findings.organization)
    findings.lacks(*missing)
    text = threshold.text or "Show the model's name prominently in the user interface."
    return AppliedObligation(
        "display_badge",
        entry.id,
        (threshold.when,),
        met,
        text,
        threshold.display,
        threshold.ref,
    )

"""Applies waivers to a decision, reads them from the log, and makes new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from openshelf.licenses.clearance import Verdict
from openshelf.policy.findings import worst
from openshelf.policy.verdict import AppliedObligation, Decision, PolicyReason, WaivedReason
from openshelf.policy.waiver import Scope, Waiver


def stops(reason: PolicyReason) -> bool:
    return reason.verdict in (Verdict.BLOCKED, Verdict.NEEDS_REVIEW)


def apply_waivers(decision: Decision, waivers: Iterable[Waiver], today: date) -> Decision:
    """The decision as it is without the reasons that somebody waived."""
    in_force = tuple(waivers)
    repo = target_of(decision)
    left: list[PolicyReason] = []
    waived: list[WaivedReason] = []
    for reason in decision.reasons:
        found = next((w for w in in_force if w.covers(reason, repo, today)), None)
        if found is None:
            left.append(reason)
        else:
            until = found.until.isoformat()
            waived.append(WaivedReason(reason, until, found.record_id, found.source))
    if not waived:
        return decision
    owed = any(duty.applies is not False for duty in decision.obligations)
    least = Verdict.ALLOWED_WITH_OBLIGATIONS if owed else Verdict.ALLOWED
    verdict = worst([least, *(reason.verdict for reason in left if reason.verdict)])
    return replace(decision, verdict=verdict, reasons=tuple(left), waived=tuple(waived))


def target_of(decision: Decision) -> str:
    """The repository that a decision is about, or NAME@HASH of a file on disk."""
    if not decision.license.lineage:
        return ""
    node = decision.license.lineage[0]
    # Any file can be given any name; only its hash says which one was meant.
    return node.repo if "/" in node.repo else f"{node.repo}@{node.commit or ''}"


def waiver_from_record(record: Mapping[str, Any]) -> Waiver | None:
    """The waiver in a record of the log; None where the record holds none that can be read."""
    stated = record.get("waiver")
    model = record.get("model")
    if not isinstance(stated, Mapping) or not isinstance(model, Mapping):
        return None
    reasons, repo = stated.get("reasons"), stated.get("repo")
    try:
        until = date.fromisoformat(str(stated.get("until")))
    except ValueError:
        return None
    if not isinstance(reasons, list) or not isinstance(repo, str):
        return None
    scopes = tuple(
        Scope(str(entry.get("code")), str(entry.get("license")), str(entry.get("ref")))
        for entry in reasons
        if isinstance(entry, Mapping)
    )
    return Waiver(repo, until, scopes, record_id=str(record.get("record_id")), source="log")


@dataclass(frozen=True)
class WaiverRequest:
    """What is to be waived: of which license, by which rule (a reason's code), for which duty; or
    just these reasons (`only`).

    None stands for everything that stops the model now.
    """

    until: date
    license: str | None = None
    rule: str | None = None
    obligation: str | None = None
    only: tuple[PolicyReason, ...] | None = None

    def chosen(self, decision: Decision) -> tuple[PolicyReason, ...]:
        """The reasons that stop the model and are meant; others are left as they are."""
        return tuple(
            reason for reason in decision.reasons if stops(reason) and self._means(reason, decision)
        )

    def _means(self, reason: PolicyReason, decision: Decision) -> bool:
        if self.only is not None and _scope_of(reason) not in map(_scope_of, self.only):
            return False
        if self.license is not None and reason.license != self.license:
            return False
        if self.rule is not None and self.rule not in (reason.code, reason.ref):
            return False
        return self.obligation is None or any(
            _is_about(reason, duty) for duty in decision.obligations if duty.id == self.obligation
        )


def _scope_of(reason: PolicyReason) -> tuple[str, str, str]:
    return reason.code, reason.license, reason.ref


def _is_about(reason: PolicyReason, duty: AppliedObligation) -> bool:
    return reason.license == duty.license and duty.ref in (reason.ref, reason.clause)


def waiver_part(decision: Decision, request: WaiverRequest) -> dict[str, Any]:
    """What a waiver's record says under `waiver`: model, day, and exactly the reasons."""
    return {
        "repo": target_of(decision),
        "until": request.until.isoformat(),
        "license": request.license,
        "obligation": request.obligation,
        "reasons": [
            {"code": reason.code, "license": reason.license, "ref": reason.ref}
            for reason in request.chosen(decision)
        ],
    }

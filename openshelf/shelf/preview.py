"""What a policy would say to everything in the catalog: counts, reasons, facts that are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from openshelf.catalog.entries import Catalog
from openshelf.licenses.clearance import ClearedFile, Verdict
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.license import License
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.policy.rules import decide
from openshelf.policy.verdict import Decision, PolicyReason
from openshelf.policy.waiving import apply_waivers
from openshelf.shelf.decisions import CatalogDecisions

FINEST_FIRST = (
    Verdict.ALLOWED,
    Verdict.ALLOWED_WITH_OBLIGATIONS,
    Verdict.NEEDS_REVIEW,
    Verdict.BLOCKED,
)
NOTHING_ASKED = "nothing_asked"
DUTIES_APPLY = "duties_apply"
DUTIES_MAY_APPLY = "duties_may_apply"


@dataclass(frozen=True)
class PreviewModel:
    """One model of the catalog with its decision under the policy that is tried out."""

    family: str
    name: str
    decision: Decision


@dataclass(frozen=True)
class ReasonGroup:
    """Models of one verdict that share a reason; `reason.license` is an id, or a source."""

    verdict: Verdict
    reason: PolicyReason
    models: tuple[str, ...]


@dataclass(frozen=True)
class PolicyPreview:
    """Counts per verdict; a family counts by the model of it that comes off best.

    `groups` are ordered by verdict, blocked first, then by the number of models. `waiting` says of
    each missing fact for how many models it decides between allowed and blocked.
    """

    families: Mapping[Verdict, int]
    models: Mapping[Verdict, int]
    groups: tuple[ReasonGroup, ...]
    waiting: Mapping[str, int]


class _Nothing:
    def find_acceptance(
        self, repo: str, commit: str, files: tuple[ClearedFile, ...], flag: str = ""
    ) -> str | None:
        return None

    def same_terms(self, *_: object) -> tuple[Mapping[str, Any], ...]:
        return ()

    def waivers(self) -> tuple[Mapping[str, Any], ...]:
        return ()


class ShelfPreview:
    """The catalog's licenses, worked out once, and any policy held against them."""

    def __init__(self, catalog: Catalog, licenses: Mapping[str, License]) -> None:
        self._licenses = licenses
        self._models = _resolved(catalog, licenses)

    def under(self, policy: Policy) -> PolicyPreview:
        """Pure, a few milliseconds for the whole catalog."""
        return summarize(
            PreviewModel(family, name, self._decide(license, policy))
            for family, name, license in self._models
        )

    def _decide(self, license: EffectiveLicense, policy: Policy) -> Decision:
        """With the waivers of the policy itself; those of the log belong to this machine."""
        found = decide(license, self._licenses, policy, what_if=True)
        waivers = policy.rules.waivers
        return apply_waivers(found, waivers, datetime.now(UTC).date()) if waivers else found


def summarize(judged: Iterable[PreviewModel]) -> PolicyPreview:
    """The counts and groups of decisions that are there already."""
    families: dict[str, Verdict] = {}
    models = dict.fromkeys(FINEST_FIRST, 0)
    grouped: dict[tuple[Verdict, PolicyReason], list[str]] = {}
    waiting: dict[str, int] = {}
    for model in judged:
        verdict = model.decision.verdict
        models[verdict] += 1
        best = families.get(model.family, verdict)
        families[model.family] = min(best, verdict, key=FINEST_FIRST.index)
        for reason in _reasons_of(model.decision):
            grouped.setdefault((verdict, reason), []).append(model.name)
        for fact in _deciding_facts(model.decision):
            waiting[fact] = waiting.get(fact, 0) + 1
    groups = [
        ReasonGroup(verdict, reason, tuple(names)) for (verdict, reason), names in grouped.items()
    ]
    groups.sort(key=lambda group: (-FINEST_FIRST.index(group.verdict), -len(group.models)))
    counted = list(families.values())
    return PolicyPreview(
        families={verdict: counted.count(verdict) for verdict in FINEST_FIRST},
        models=models,
        groups=tuple(groups),
        waiting=waiting,
    )


def _resolved(
    catalog: Catalog, licenses: Mapping[str, License]
) -> list[tuple[str, str, EffectiveLicense]]:
    """(family, model, license) of every model, by its first GGUF repository."""
    decisions = CatalogDecisions(catalog, Gate(licenses, Policy(), _Nothing()))
    return [
        (family.name, model.name, decisions.decide(model, repo).license)
        for family in catalog.families
        for model in family.models
        for repo in (model.gguf_repos or (model.hub_repo,))[:1]
    ]


def _reasons_of(decision: Decision) -> tuple[PolicyReason, ...]:
    """Why a model has its verdict: what weighs as much, or the licenses that ask something."""
    if decision.verdict in (Verdict.BLOCKED, Verdict.NEEDS_REVIEW):
        return tuple(r for r in decision.reasons if r.verdict in (decision.verdict, None))
    if decision.verdict is Verdict.ALLOWED:
        return tuple(PolicyReason(NOTHING_ASKED, id_, "") for id_ in decision.license.effective)
    reasons = []
    for id_ in decision.license.effective:
        duties = [duty for duty in decision.obligations if duty.license == id_]
        for code, applies in ((DUTIES_APPLY, True), (DUTIES_MAY_APPLY, None)):
            refs = dict.fromkeys(duty.ref for duty in duties if duty.applies is applies)
            if refs:
                clauses = ", ".join(ref for ref in refs if ref)
                reasons.append(PolicyReason(code, id_, clauses, clause=clauses))
    return tuple(reasons)


def _deciding_facts(decision: Decision) -> set[str]:
    reasons = (reason for reason in decision.reasons if reason.code == "fact_missing")
    return {fact for reason in reasons for fact in (reason.fact or "").split("/") if fact}

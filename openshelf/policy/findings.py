"""Three-valued facts, and the collection of what each rule found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from openshelf.licenses.clearance import Verdict
from openshelf.policy.organization import Organization
from openshelf.policy.verdict import PolicyReason

_ORDER = (
    Verdict.ALLOWED,
    Verdict.ALLOWED_WITH_OBLIGATIONS,
    Verdict.NEEDS_REVIEW,
    Verdict.BLOCKED,
)
EU = frozenset(
    (
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    )
)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of these; allowed where there is none."""
    return max(verdicts, key=_ORDER.index, default=Verdict.ALLOWED)


def _is_worse(one: Verdict, other: Verdict | None) -> bool:
    return other is None or _ORDER.index(one) > _ORDER.index(other)


def any_of(values: Iterable[bool | None]) -> bool | None:
    """True if one is true; else unknown if one is unknown; else False."""
    known = list(values)
    return True if True in known else (None if None in known else False)


def all_of(values: Iterable[bool | None]) -> bool | None:
    known = list(values)
    return False if False in known else (None if None in known else True)


def region_matches(region: str, wanted: str) -> bool:
    """Whether a country is the wanted one or lies in the wanted union; EU meets its members."""
    one, other = region.upper(), wanted.upper()
    if one == other:
        return True
    return (other == "EU" and one in EU) or (one == "EU" and other in EU)


@dataclass
class Findings:
    """The worst verdict so far, why, and which facts would have been needed."""

    organization: Organization
    source_of: Callable[[str], str] = lambda key: ""
    """Dotted key of a fact or rule → the file that states it."""
    verdict: Verdict = Verdict.ALLOWED
    reasons: list[PolicyReason] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def raise_to(self, verdict: Verdict) -> None:
        if _is_worse(verdict, self.verdict):
            self.verdict = verdict

    def add(self, verdict: Verdict, reason: PolicyReason) -> None:
        reason = replace(reason, verdict=verdict)
        if reason not in self.reasons:
            self.reasons.append(reason)
        elif _is_worse(verdict, self.reasons[self.reasons.index(reason)].verdict):
            self.reasons[self.reasons.index(reason)] = reason
        self.raise_to(verdict)

    def lacks(self, *facts: str) -> None:
        """A fact is missing; whether that decides anything is the rule's business."""
        self.missing.extend(fact for fact in facts if fact not in self.missing)

    def lacks_deciding(
        self, license_id: str, clause: str, facts: Iterable[str], shown: str
    ) -> None:
        """A missing fact that decides between allowed and blocked: a person has to look."""
        names = tuple(facts)
        self.lacks(*names)
        reason = PolicyReason(
            "fact_missing",
            license_id,
            f"fact missing: {shown} for {clause}",
            fact="/".join(names),
            clause=clause,
        )
        self.add(Verdict.NEEDS_REVIEW, reason)

    def from_fact(
        self, code: str, license_id: str, clause: str, fact: str | None = None
    ) -> PolicyReason:
        """A reason with the fact's value and the file that states it."""
        value = getattr(self.organization, fact, None) if fact else None
        return PolicyReason(
            code,
            license_id,
            clause,
            fact=fact,
            clause=clause,
            value="" if value is None else _written(value),
            source=self.source_of(f"organization.{fact}") if value is not None else "",
        )


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(str(entry) for entry in value)
    return f"{value:,}" if isinstance(value, int) else str(value)

"""The verdict on a license for an organization, each reason with license, clause and fact."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.effective import EffectiveLicense
from openshelf.reasons import Reason


@dataclass(frozen=True)
class PolicyReason:
    """`license` is an id, or policy, resolver, none; `fact` is the name of the fact used.

    `ref` is what the command line shows; `clause` the license's clause alone, `value` the fact's
    value and `source` the file that states it. `verdict` is what this reason alone leads to, None
    where nobody said.
    """

    code: str
    license: str
    ref: str
    fact: str | None = None
    clause: str = ""
    value: str = ""
    source: str = ""
    verdict: Verdict | None = field(default=None, compare=False)

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "license": self.license,
            "ref": self.ref,
            "fact": self.fact,
            "clause": self.clause,
            "value": self.value,
            "source": self.source,
            "verdict": self.verdict.value if self.verdict else None,
        }

    def as_reason(self) -> Reason:
        """For wording.sentence()."""
        return Reason(self.code, self.as_json())


@dataclass(frozen=True)
class AppliedObligation:
    """An obligation with the answer to "does it bite here?"; None where a fact is missing."""

    id: str
    license: str
    trigger: tuple[str, ...]
    applies: bool | None
    text: str
    exact: str | None
    ref: str

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "license": self.license,
            "trigger": list(self.trigger),
            "applies": self.applies,
            "text": self.text,
            "exact": self.exact,
            "ref": self.ref,
        }


@dataclass(frozen=True)
class WaivedReason:
    """A reason that does not count, and the waiver that says so.

    `record_id` is the waiver's record in the log, None for one that stands in the policy file
    (`source`); `until` is the last day on which it holds, ISO 8601.
    """

    reason: PolicyReason
    until: str
    record_id: str | None = None
    source: str = ""

    def as_json(self) -> dict[str, Any]:
        by = {"until": self.until, "record_id": self.record_id, "source": self.source}
        return {**self.reason.as_json(), "waiver": by}


@dataclass(frozen=True)
class Decision:
    """Everything that the install sheet shows and the acceptance records.

    `verdict` and `reasons` are what is left beside the `waived` reasons.
    """

    license: EffectiveLicense
    verdict: Verdict
    reasons: tuple[PolicyReason, ...]
    obligations: tuple[AppliedObligation, ...]
    facts_missing: tuple[str, ...]
    policy_name: str = ""
    policy_sha256: str = ""
    what_if: bool = False
    waived: tuple[WaivedReason, ...] = ()

    def as_json(self, target: str) -> dict[str, Any]:
        """The shape of `license --json` (docs/cli.md)."""
        return {
            "target": target,
            "effective": list(self.license.effective),
            "expression": self.license.expression,
            "flags": list(self.license.flags),
            "lineage": [
                {
                    "repo": node.repo,
                    "commit": node.commit,
                    "relation": node.relation,
                    "license": node.license,
                    "region": node.region,
                }
                for node in self.license.lineage
            ],
            "obligations": [obligation.as_json() for obligation in self.obligations],
            "verdict": self.verdict.value,
            "reasons": [reason.as_json() for reason in self.reasons],
            "waived": [waived.as_json() for waived in self.waived],
            "facts_missing": list(self.facts_missing),
            "what_if": self.what_if,
            "texts": [
                {
                    "license": text.license,
                    "kind": text.kind,
                    "url": text.url,
                    "sha256": text.sha256,
                    "bytes": text.bytes,
                }
                for text in self.license.texts
            ],
        }

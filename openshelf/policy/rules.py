"""The verdict: the worst of what licenses limit, the resolver doubts and a team forbids.

Each rule that fires leaves a reason with license, clause and fact; missing facts are listed, never
assumed.
"""

from __future__ import annotations

from collections.abc import Mapping

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE, License
from openshelf.policy.duties import applied_obligations
from openshelf.policy.findings import Findings, region_matches
from openshelf.policy.limits import check_limits
from openshelf.policy.organization import Policy, Rules
from openshelf.policy.verdict import AppliedObligation, Decision, PolicyReason

REVIEW_FLAGS = (
    "no_license_on_chain",
    "unresolved_base",
    "cycle",
    "node_conflict",
    "over_restrictive_label",
    "name_rule_conflict",
    "license_changed",
)
LABEL_FLAGS = (
    "label_conflict",
    "missing_license_inherited",
    "custom_text_mismatch",
    "alias_collision",
)
_UNIDENTIFIED = (UNKNOWN_LICENSE, NO_LICENSE)


def decide(
    license: EffectiveLicense,
    licenses: Mapping[str, License],
    policy: Policy,
    *,
    what_if: bool = False,
) -> Decision:
    """What an effective license means under a policy. Pure, offline, well under a millisecond."""
    findings = Findings(policy.organization, policy.source_of)
    for flag in REVIEW_FLAGS:
        if flag in license.flags:
            findings.add(Verdict.NEEDS_REVIEW, PolicyReason(flag, "resolver", flag))
    obligations: list[AppliedObligation] = []
    for id_ in license.effective:
        entry = licenses.get(id_) or licenses[UNKNOWN_LICENSE]
        _check_team_list(id_, entry, license, policy.rules, findings)
        check_limits(entry, findings, multimodal=license.multimodal)
        obligations.extend(applied_obligations(entry, findings))
    _check_vendors(license, licenses, policy.rules, findings)
    _check_evidence(license, policy.rules, findings)
    return Decision(
        license=license,
        verdict=findings.verdict,
        reasons=tuple(findings.reasons),
        obligations=tuple(obligations),
        facts_missing=tuple(findings.missing),
        policy_name=policy.name,
        policy_sha256=policy.sha256,
        what_if=what_if,
    )


def _check_team_list(
    id_: str, entry: License, license: EffectiveLicense, rules: Rules, findings: Findings
) -> None:
    """allow_only, deny_classes, require_osi. What is only claimed or unknown is for a person."""
    unclear = id_ in license.disputed or id_ in _UNIDENTIFIED
    verdict = Verdict.NEEDS_REVIEW if unclear else Verdict.BLOCKED
    if rules.allow_only is not None and not _is_listed(id_, entry, rules.allow_only):
        findings.add(verdict, _team_reason("allow_only", id_, findings))
    if entry.license_class in rules.deny_classes:
        findings.add(verdict, _team_reason("deny_classes", id_, findings))
    if rules.require_osi and not entry.osi_approved:
        findings.add(verdict, _team_reason("require_osi", id_, findings))


def names_of_nothing(rules: Rules, licenses: Mapping[str, License]) -> tuple[str, ...]:
    """Entries of `allow_only` that are no license of the facts: a slip of the pen allows nothing,
    and whoever wrote it wants to know."""
    return tuple(
        name
        for name in rules.allow_only or ()
        if not any(_is_listed(id_, entry, (name,)) for id_, entry in licenses.items())
    )


def _is_listed(id_: str, entry: License, allowed: tuple[str, ...]) -> bool:
    names = {id_.casefold()}
    if entry.ids.variant_of is None:  # a variant bears the SPDX id of a license that asks for less
        names.add(entry.spdx_symbol.casefold())
    return any(name.strip().casefold() in names for name in allowed)


def _team_reason(rule: str, license_id: str, findings: Findings) -> PolicyReason:
    code = f"policy.{rule}"
    return PolicyReason(code, license_id, code, source=findings.source_of(f"rules.{rule}"))


def _check_vendors(
    license: EffectiveLicense, licenses: Mapping[str, License], rules: Rules, findings: Findings
) -> None:
    """deny_vendor_regions looks at everyone who made a part of the model, not at the packager.

    The home of a licensor whose license is only claimed is a question, not an answer.
    """
    claimed = [licenses[id_].licensor_region for id_ in license.disputed if id_ in licenses]
    denied = False
    for region in rules.deny_vendor_regions:
        if any(region_matches(vendor, region) for vendor in license.vendor_regions):
            findings.add(Verdict.BLOCKED, _vendor_reason(region, findings))
            denied = True
        elif any(region_matches(vendor, region) for vendor in claimed if vendor):
            findings.add(Verdict.NEEDS_REVIEW, _vendor_reason(region, findings))
    if rules.deny_vendor_regions and not denied and license.unknown_vendors:
        reason = PolicyReason(
            "policy.vendor_region_unknown",
            "policy",
            "deny_vendor_regions",
            value=", ".join(license.unknown_vendors),
            source=findings.source_of("rules.deny_vendor_regions"),
        )
        findings.add(Verdict.NEEDS_REVIEW, reason)


def _vendor_reason(region: str, findings: Findings) -> PolicyReason:
    return PolicyReason(
        "policy.deny_vendor_regions",
        "policy",
        f"deny_vendor_regions:{region}",
        value=region,
        source=findings.source_of("rules.deny_vendor_regions"),
    )


def _check_evidence(license: EffectiveLicense, rules: Rules, findings: Findings) -> None:
    """require_license_text and strict_labels: what a team wants to see before it says yes."""
    if rules.require_license_text:
        read = {text.license for text in license.texts if text.sha256 and text.kind == "license"}
        for id_ in license.effective:
            if id_ not in read:
                reason = _team_reason("require_license_text", id_, findings)
                findings.add(Verdict.NEEDS_REVIEW, reason)
    if rules.strict_labels:
        for flag in LABEL_FLAGS:
            if flag in license.flags:
                source = findings.source_of("rules.strict_labels")
                reason = PolicyReason(
                    "policy.strict_labels", "policy", flag, value=flag, source=source
                )
                findings.add(Verdict.NEEDS_REVIEW, reason)

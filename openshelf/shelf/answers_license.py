"""The answers that follow from the licenses: legal, and who controls what comes later."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from openshelf.licenses.license import License
from openshelf.licenses.obligations import SheetTerms, TermRow, sheet_terms
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.evidence import Answer, Evidence, Mark, unknown

_BRANDING = ("display", "name")
_PASSED_ON = ("redistribute", "product", "service")
_NO_ANSWER = ("", "not addressed", "unread")
"""What the facts say of who owns outputs where the license says nothing of it."""


Says = tuple[Reason, str, bool]
"""What is said of one license, the clause, and whether nobody could confirm it."""


def legal_answers(evidence: Evidence) -> tuple[Answer, ...]:
    """What applies, what the policy says of it, what is owed."""
    decision = evidence.decision
    topics = (
        "license", "verdict", "commercial_use", "obligations", "limits", "outputs", "osi",
        "flags", "texts",
    )  # fmt: skip
    if decision is None:
        return tuple(unknown(topic) for topic in topics)
    return (
        _license(evidence, decision),
        _verdict(evidence, decision),
        _per_license(evidence, "commercial_use", _commercial),
        _obligations(evidence, decision),
        _limits(evidence),
        _per_license(evidence, "outputs", _outputs),
        _per_license(evidence, "osi", _osi),
        _flags(evidence, decision),
        _texts(evidence, decision),
    )


def control_answers(evidence: Evidence) -> tuple[Answer, ...]:
    """Who decides on names, on passing it on, and on what happens to it later."""
    rows = _terms(evidence).must
    branding = [row for row in rows if row.kind in _BRANDING]
    others = [row for row in rows if row.kind not in _BRANDING]
    passed_on = [row for row in others if row.when in _PASSED_ON]
    derived = [row for row in others if row.when == "derivative"]
    return (
        _duties(evidence, "branding", branding, "answer_no_branding"),
        _duties(evidence, "redistribution", passed_on, "answer_no_redistribution_duty"),
        _duties(evidence, "derivatives", derived, "answer_no_derivative_duty"),
        _per_license(evidence, "ownership", _ownership),
        _upgrades(evidence),
        _ending(evidence),
        _vendors(evidence),
    )


def source_of_license(evidence: Evidence) -> Reason:
    """Whose word the effective license is."""
    offer = evidence.offer
    if offer is None:
        return Reason("source_catalog_license")
    if offer.source == "hub":
        return Reason("source_hub_license", {"repo": offer.repo, "commit": offer.commit[:8]})
    return Reason("source_kept_license")


def _facts(evidence: Evidence, clauses: Iterable[str] = ()) -> Reason:
    """Our own facts on the licenses, with the clauses that they rest on."""
    reviewed = min((entry.reviewed for entry in evidence.entries), default="")
    named = list(dict.fromkeys(clause for clause in clauses if clause))
    if named:
        return Reason("source_clauses", {"clauses": named, "reviewed": reviewed})
    return Reason("source_license_facts", {"reviewed": reviewed})


def _terms(evidence: Evidence) -> SheetTerms:
    decision = evidence.decision
    if decision is None:
        return SheetTerms((), (), ())
    effective = [entry.id for entry in evidence.entries]
    multimodal = decision.license.multimodal
    return sheet_terms(evidence.licenses, effective, decision.obligations, multimodal=multimodal)


def _license(evidence: Evidence, decision: Decision) -> Answer:
    names = [entry.name for entry in evidence.entries]
    says = [Reason("answer_license", {"names": names})] if names else []
    if not evidence.knows_all_licenses:
        declared = list(decision.license.declared_names)
        code = "answer_license_declared" if declared else "answer_license_unknown"
        says.append(Reason(code, {"names": declared}))
    mark = Mark.KNOWN if evidence.knows_all_licenses else Mark.UNKNOWN
    return Answer("license", tuple(says), source_of_license(evidence), mark)


def _verdict(evidence: Evidence, decision: Decision) -> Answer:
    code = f"verdict_{decision.verdict.value}"
    says = [
        Reason(code if decision.policy_sha256 else f"{code}_no_policy", {"date": evidence.today})
    ]
    says += [reason.as_reason() for reason in decision.reasons]
    if decision.facts_missing:
        facts = "/".join(decision.facts_missing)
        says.append(Reason("answer_facts_missing", {"facts": facts}))
    if decision.policy_sha256:
        source = Reason("source_policy", {"name": decision.policy_name or "policy.toml"})
    else:
        source = Reason("source_no_policy", {"date": evidence.today})
    return Answer("verdict", tuple(says), source)


def _per_license(evidence: Evidence, topic: str, tell: Callable[[License], Says | None]) -> Answer:
    if not evidence.entries:
        return unknown(topic)
    told = [tell(entry) for entry in evidence.entries]
    known = [entry for entry in told if entry is not None]
    if not known:
        return unknown(topic, Reason("answer_license_silent"))
    source = _facts(evidence, [clause for _, clause, _ in known])
    doubtful = any(is_unsure for _, _, is_unsure in known) or not evidence.knows_all_licenses
    mark = Mark.UNVERIFIED if doubtful else Mark.KNOWN
    return Answer(topic, tuple(reason for reason, _, _ in known), source, mark)


def _commercial(entry: License) -> Says:
    value = entry.commercial_use
    reason = Reason(f"answer_commercial_{value.value}", {"license": entry.name})
    return reason, _clause(entry, value.ref), entry.is_unsure("commercial_use")


def _outputs(entry: License) -> Says:
    value = entry.train_other_models
    reason = Reason(f"answer_outputs_{value.value}", {"license": entry.name})
    return reason, _clause(entry, value.ref), entry.is_unsure("outputs")


def _osi(entry: License) -> Says:
    words = {True: "answer_osi_yes", False: "answer_osi_no", None: "answer_osi_unknown"}
    return Reason(words[entry.osi_approved], {"license": entry.name}), "", False


def _ownership(entry: License) -> Says | None:
    if entry.outputs_ownership in _NO_ANSWER:
        return None
    data = {"license": entry.name, "value": entry.outputs_ownership}
    clause = _clause(entry, entry.train_other_models.ref)
    return Reason("answer_ownership", data), clause, entry.is_unsure("outputs")


def _clause(entry: License, ref: str | None) -> str:
    return f"{entry.id} {ref}" if ref else ""


def _obligations(evidence: Evidence, decision: Decision) -> Answer:
    if not evidence.entries:
        return unknown("obligations")
    duties = decision.obligations
    data = {
        "total": len(duties),
        "applies": sum(duty.applies is True for duty in duties),
        "open": sum(duty.applies is None for duty in duties),
    }
    says = (
        Reason("answer_obligations", data)
        if duties
        else Reason("answer_no_obligations", {"names": [entry.name for entry in evidence.entries]})
    )
    mark = Mark.KNOWN if evidence.knows_all_licenses else Mark.UNVERIFIED
    return Answer("obligations", (says,), _facts(evidence), mark)


def _limits(evidence: Evidence) -> Answer:
    return _duties(evidence, "limits", _terms(evidence).only_if, "answer_no_limits")


def _flags(evidence: Evidence, decision: Decision) -> Answer:
    says = tuple(Reason(flag) for flag in decision.license.flags)
    if not says and not evidence.knows_all_licenses:
        return unknown("flags", Reason("answer_no_flags_yet"))
    return Answer("flags", says or (Reason("answer_no_flags"),), source_of_license(evidence))


def _texts(evidence: Evidence, decision: Decision) -> Answer:
    wanted = [text for text in decision.license.texts if text.kind == "license"]
    read = sum(bool(text.sha256) for text in wanted)
    if not read:
        return unknown("texts", Reason("answer_texts_unread"))
    data = {"read": read, "total": max(len(wanted), len(decision.license.effective))}
    return Answer("texts", (Reason("answer_texts", data),), source_of_license(evidence))


def _duties(evidence: Evidence, topic: str, rows: Iterable[TermRow], nothing: str) -> Answer:
    """The duties as they stand on the sheet, or that there are none."""
    found = list(rows)
    if not evidence.entries:
        return unknown(topic)
    names = [entry.name for entry in evidence.entries]
    says = tuple(_row(row) for row in found) or (Reason(nothing, {"names": names}),)
    doubtful = not evidence.knows_all_licenses or any(row.is_unsure for row in found)
    mark = Mark.UNVERIFIED if doubtful else Mark.KNOWN
    return Answer(topic, says, _facts(evidence), mark)


def _row(row: TermRow) -> Reason:
    ref = row.ref if ", " in row.license else f"{row.license} {row.ref}".strip()
    data = {"text": row.text, "ref": ref, "exact": row.exact}
    state = {True: "", None: "_open", False: "_not_here"}[row.applies]
    return Reason(f"answer_duty{'_exact' if row.exact else ''}{state}", data)


def _upgrades(evidence: Evidence) -> Answer:
    """What can change under whoever uses it: files never, terms of a new commit, use policies."""
    build = evidence.build
    commit = (evidence.offer.commit if evidence.offer else "") or (build.commit if build else "")
    says = [
        Reason("answer_pinned", {"commit": commit[:8]}) if commit else Reason("answer_pinned_later")
    ]
    clauses = []
    for entry in evidence.entries:
        if entry.use_policy is not None and entry.use_policy.mutable:
            says.append(Reason("answer_mutable_policy", {"license": entry.name}))
            clauses.append(_clause(entry, entry.use_policy.ref))
        update = entry.terms.get("unilateral_update")
        if update is not None:
            data = {"license": entry.name, "value": update.value}
            says.append(Reason("answer_update", data))
            clauses.append(_clause(entry, update.ref))
    source = _facts(evidence, clauses) if clauses else Reason("source_openshelf")
    return Answer("upgrades", tuple(says), source)


def _ending(evidence: Evidence) -> Answer:
    """Whether the grant can be taken away."""
    says, clauses = [], []
    for entry in evidence.entries:
        for name in ("termination", "revocable"):
            fact = entry.terms.get(name)
            if fact is not None:
                data = {"license": entry.name, "value": fact.value}
                says.append(Reason(f"answer_{name}", data))
                clauses.append(_clause(entry, fact.ref))
    if not says:
        return unknown("ending", *([Reason("answer_ending_silent")] if evidence.entries else []))
    doubtful = any(entry.is_unsure("terms") for entry in evidence.entries)
    mark = Mark.UNVERIFIED if doubtful else Mark.KNOWN
    return Answer("ending", tuple(says), _facts(evidence, clauses), mark)


def _vendors(evidence: Evidence) -> Answer:
    decision = evidence.decision
    if decision is None or not evidence.entries:
        return unknown("vendors")
    licensors = list(dict.fromkeys(entry.licensor for entry in evidence.entries))
    says = [Reason("answer_licensors", {"names": licensors})]
    if decision.license.vendor_regions:
        regions = list(decision.license.vendor_regions)
        says.append(Reason("answer_vendor_regions", {"regions": regions}))
    if decision.license.unknown_vendors:
        repos = list(decision.license.unknown_vendors)
        says.append(Reason("answer_vendors_unknown", {"repos": repos}))
    return Answer("vendors", tuple(says), source_of_license(evidence))

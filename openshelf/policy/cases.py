"""Answers license cases from a file (`license --case`): resolver and rules without any network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from openshelf.errors import UsageError
from openshelf.licenses.ancestry import shipped_overrides, walk
from openshelf.licenses.claims import RepoClaims, has_license_file
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.index import LicenseIndex
from openshelf.licenses.license import License
from openshelf.licenses.lineage import mark_changed, resolve
from openshelf.policy.organization import Organization, Policy, Rules, policy_from_table
from openshelf.policy.rules import decide
from openshelf.policy.verdict import Decision

_NOT_GATED = (None, False, "false", "", 0)


def evaluate_cases(
    data: Mapping[str, Any], licenses: Mapping[str, License] | None = None
) -> dict[str, Any]:
    """`{"cases": [{"id", "profile", "effective", "flags", "verdict", "reasons", "obligations"}]}`.

    A case is evaluated for the profiles that its `expect` names, else for its `profiles`. Nothing
    else of what is expected is read. Raises UsageError naming the case that cannot be understood.
    """
    data = _mapping(data, "the file")
    licenses = load_licenses() if licenses is None else licenses
    index = LicenseIndex(licenses)
    profiles = _mapping(data.get("profiles", {}), "profiles")
    answers: list[dict[str, Any]] = []
    cases = data.get("cases")
    if not isinstance(cases, list):
        raise UsageError("`cases` must be a list")
    for number, case in enumerate(cases):
        case = _mapping(case, f"case {number + 1}")
        name = str(case.get("id", number + 1))
        effective = _resolve_case(case, name, index)
        for profile in _profile_names(case, name):
            if profile not in profiles:
                raise UsageError(f"case {name}: there is no profile called {profile}")
            policy = _policy_of(_mapping(profiles[profile], f"profile {profile}"))
            answers.append(_answer(name, profile, decide(effective, licenses, policy)))
    return {"cases": answers}


def _answer(case: str, profile: str, decision: Decision) -> dict[str, Any]:
    bites = [duty.id for duty in decision.obligations if duty.applies]
    return {
        "id": case,
        "profile": profile,
        "effective": list(decision.license.effective),
        "expression": decision.license.expression,
        "flags": list(decision.license.flags),
        "verdict": decision.verdict.value,
        "reasons": [reason.as_json() for reason in decision.reasons],
        "obligations": list(dict.fromkeys(bites)),
        "facts_missing": list(decision.facts_missing),
    }


def _profile_names(case: Mapping[str, Any], name: str) -> list[str]:
    wanted = case["expect"] if "expect" in case else case.get("profiles", [])
    if not isinstance(wanted, Mapping | list) or not all(isinstance(one, str) for one in wanted):
        raise UsageError(f"case {name}: `profiles` must be a list of names")
    return list(wanted)


def _policy_of(profile: Mapping[str, Any]) -> Policy:
    """A profile holds facts and rules side by side; null means unknown."""
    known = {key: value for key, value in profile.items() if value is not None}
    facts = {f.name for f in fields(Organization)}
    rules = {f.name for f in fields(Rules)}
    return policy_from_table(
        {
            "organization": {key: value for key, value in known.items() if key in facts},
            "rules": {key: value for key, value in known.items() if key in rules},
        },
        "profile",
    )


def _resolve_case(case: Mapping[str, Any], name: str, index: LicenseIndex) -> EffectiveLicense:
    target = _claims(_mapping(case.get("repo"), f"case {name}: repo"), name)
    target = replace(target, gguf=_mapping(case.get("gguf") or {}, f"case {name}: gguf"))
    entries = _list(case.get("chain"), f"case {name}: chain")
    chain = [_claims(_mapping(entry, f"case {name}: chain"), name) for entry in entries]
    nodes = _with_text_head([target, *chain], case.get("license_text_head"))
    nodes = _linked(nodes)
    known = {node.id.casefold(): node for node in nodes[1:]}
    effective = resolve(nodes[0], lambda repo: known.get(repo.casefold()), index=index)
    if "vendor_regions" in case:
        stated = _list(case["vendor_regions"], f"case {name}: vendor_regions")
        regions = tuple(str(region) for region in stated)
        effective = replace(effective, vendor_regions=regions, unknown_vendors=())
    if case.get("multimodal"):
        effective = replace(effective, multimodal=True)
    if earlier := case.get("earlier_acceptance"):
        before = _mapping(earlier, f"case {name}: earlier_acceptance").get("license")
        ids = before if isinstance(before, list) else [before]
        effective = mark_changed(effective, [_known_id(str(id_), index) for id_ in ids if id_])
    return effective


def _claims(entry: Mapping[str, Any], case: str) -> RepoClaims:
    if not isinstance(entry.get("id"), str):
        raise UsageError(f"case {case}: a repository needs an `id`")
    card = _mapping(entry.get("cardData") or {}, f"case {case}: cardData")
    files = entry.get("files") or []
    return RepoClaims(
        id=entry["id"],
        commit=_text(entry.get("sha"), f"case {case}: sha"),
        card=card,
        files=tuple(str(file) for file in files) if isinstance(files, list) else (),
        gated=entry.get("gated") not in _NOT_GATED,
        region=_text(entry.get("region"), f"case {case}: region"),
    )


def _with_text_head(nodes: list[RepoClaims], head: object) -> list[RepoClaims]:
    """The head belongs to the repository that has the file: the base before the packager."""
    if not isinstance(head, str) or not head.strip():
        return nodes
    owners = [node for node in nodes[1:] if has_license_file(node)]
    owners = owners or [node for node in nodes[:1] if has_license_file(node)] or nodes[-1:]
    read = replace(owners[0], license_text=head, license_text_is_head=True)
    return [read if node is owners[0] else node for node in nodes]


def _linked(nodes: list[RepoClaims]) -> list[RepoClaims]:
    """The chain is what the Hub returned: an entry that no card names follows the one before.

    An edge that the overrides know is left to them, so that it is flagged.
    """
    known = {node.id.casefold(): node for node in nodes}
    ancestry = walk(nodes[0], lambda repo: known.get(repo.casefold()), shipped_overrides())
    linked = list(nodes)
    for position, node in enumerate(nodes[1:], start=1):
        before = linked[position - 1]
        met = ancestry.nodes.get(before.id.casefold())
        if node.id.casefold() not in ancestry.nodes and not (met and met.parents):
            linked[position - 1] = replace(before, base_models=(("", node.id),))
    return linked


def _known_id(name: str, index: LicenseIndex) -> str:
    found = index.by_name(name)
    return found[0] if len(found) == 1 else name


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list | None):
        raise UsageError(f"{what} must be a list")
    return value or []


def _text(value: object, what: str) -> str | None:
    if not isinstance(value, str | None):
        raise UsageError(f"{what} must be a string")
    return value


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} must be an object")
    return value

"""Builds the record of an acceptance: who, what exactly, what was shown, and under which rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.clearance import ClearedFile, Verdict
from openshelf.licenses.effective import EffectiveLicense
from openshelf.policy.organization import Organization, Policy
from openshelf.policy.verdict import Decision


@dataclass(frozen=True)
class AcceptedModel:
    """The files that somebody accepted terms for; `commit` is 40 hex digits, or a file's hash."""

    repo: str
    commit: str
    files: tuple[ClearedFile, ...]


@dataclass(frozen=True)
class RecordContext:
    """What a record says beside the terms.

    `hub_gate` holds gated and accepted_on_hub; `catalog` the version and sha256 of the license
    facts; `supersedes` the id of an older record that this one replaces.
    """

    app_version: str
    os_user: str = ""
    hub_gate: dict[str, Any] | None = None
    catalog: dict[str, str] | None = None
    supersedes: str | None = None


def build_record(
    model: AcceptedModel,
    decision: Decision,
    form: AcceptanceForm,
    policy: Policy,
    context: RecordContext,
) -> dict[str, Any]:
    """A record of the log, without what the log itself adds (v, record_id, prev_sha256, at).

    `unreviewed` is true where a person went on although the verdict was needs_review.
    """
    license = decision.license
    return {
        "accepted_by": {
            "os_user": context.os_user,
            "display": form.display_name,
            "role": form.role,
        },
        "on_behalf_of": form.on_behalf_of,
        "note": form.note,
        "model": {
            "repo": model.repo,
            "commit": model.commit,
            "files": [
                {"path": file.path, "sha256": file.sha256, "size": file.size_bytes}
                for file in model.files
            ],
        },
        "lineage": _lineage(license),
        "effective": {
            "expression": license.expression,
            "ids": list(license.effective),
            "flags": list(license.flags),
            "disputed": list(license.disputed),
            "declared_names": list(license.declared_names),
        },
        "texts": _texts(license, form),
        "obligations_shown": [
            {"id": duty.id, "license": duty.license, "exact": duty.exact, "ref": duty.ref}
            for duty in decision.obligations
        ],
        "verdict": decision.verdict.value,
        "unreviewed": decision.verdict is Verdict.NEEDS_REVIEW,
        "reasons": [reason.as_json() for reason in decision.reasons],
        "policy": {"name": policy.name, "sha256": policy.sha256},
        "facts": stated_facts(policy.organization),
        "catalog": context.catalog or {"version": "", "sha256": ""},
        "hub_gate": context.hub_gate or {"gated": False, "accepted_on_hub": "unknown"},
        "method": form.method,
        "app_version": context.app_version,
        "waiver": _waivers(decision),
        "supersedes": context.supersedes,
    }


def _waivers(decision: Decision) -> list[dict[str, Any]] | None:
    """The waivers that the decision rests on."""
    return [waived.as_json() for waived in decision.waived] or None


def asks_nothing_new(decision: Decision, record: Mapping[str, Any]) -> bool:
    """Whether everything that is owed and doubted now was shown at an earlier acceptance."""
    shown, given = record.get("obligations_shown"), record.get("reasons")
    if not isinstance(shown, list) or not isinstance(given, list):
        return False
    owed = {(duty.id, duty.license, duty.exact, duty.ref) for duty in decision.obligations}
    doubted = {(r.code, r.license, r.ref) for r in decision.reasons}
    return owed <= {_of(entry, "id", "license", "exact", "ref") for entry in shown} and (
        doubted <= {_of(entry, "code", "license", "ref") for entry in given}
    )


def _of(entry: object, *keys: str) -> tuple[Any, ...]:
    return tuple(entry.get(key) for key in keys) if isinstance(entry, Mapping) else ()


def stated_facts(organization: Organization) -> dict[str, Any]:
    """The facts that are known; an unknown one is left out rather than written as null."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(organization).items()
        if value is not None
    }


def _lineage(license: EffectiveLicense) -> list[dict[str, Any]]:
    return [
        {
            "repo": node.repo,
            "commit": node.commit,
            "relation": node.relation,
            "license": node.license,
            "evidence": list(node.evidence),
        }
        for node in license.lineage
    ]


def _texts(license: EffectiveLicense, form: AcceptanceForm) -> list[dict[str, Any]]:
    return [
        {
            "license": text.license,
            "kind": text.kind,
            "repo": text.repo,
            "url": text.url,
            "commit": text.commit,
            "sha256": text.sha256,
            "bytes": text.bytes,
            "shown": bool(text.sha256) and text.sha256 in form.texts_shown,
        }
        for text in license.texts
    ]

"""Keeps what the manifest says of a model's terms at what somebody accepted for it."""

from __future__ import annotations

from dataclasses import replace

from openshelf.errors import LicenseNotAccepted
from openshelf.library.earlier_terms import CHANGED, terms_of_record
from openshelf.library.installed import InstalledModel
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.effective import EffectiveLicense, LicenseText
from openshelf.licenses.log_queries import Record

Hashes = frozenset[tuple[str, str, str]]


def as_accepted(license: EffectiveLicense) -> EffectiveLicense:
    """What is kept once it was accepted: then it is no change any more."""
    return replace(license, flags=tuple(flag for flag in license.flags if flag != CHANGED))


def accepted_these(
    acceptances: AcceptanceLog, record_id: str | None, repo: str, license: EffectiveLicense
) -> bool:
    """Whether this record accepted exactly these licenses under these texts. An older acceptance
    may cover the same files under other terms."""
    record = _find(acceptances, record_id, repo)
    if record is None:
        return False
    accepted = terms_of_record(record)
    return set(accepted.effective) == set(license.effective) and _hashes(accepted.texts) == _hashes(
        license.texts
    )


def require_kept_terms(
    acceptances: AcceptanceLog, record_id: str | None, model: InstalledModel,
    license: EffectiveLicense,
) -> None:  # fmt: skip
    """Raise LicenseNotAccepted where the only acceptance left is one of terms before those of the
    manifest: the one that they were accepted with was taken back."""
    if record_id == model.record_id or accepted_these(acceptances, record_id, model.repo, license):
        return
    ids = [str(record.get("record_id")) for record in acceptances.records()]
    if {record_id, model.record_id} <= set(ids) and ids.index(str(record_id)) < ids.index(
        str(model.record_id)
    ):
        raise LicenseNotAccepted(model.id, license.effective)


def _find(acceptances: AcceptanceLog, record_id: str | None, repo: str) -> Record | None:
    return next((r for r in acceptances.earlier(repo) if r.get("record_id") == record_id), None)


def _hashes(texts: tuple[LicenseText, ...]) -> Hashes:
    return frozenset((text.license, text.kind, text.sha256) for text in texts)

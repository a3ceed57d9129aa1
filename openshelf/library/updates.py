"""What a newer commit of an installed model would bring: terms first, then files. Fetches nothing
but metadata and license texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openshelf.errors import LicenseNotAccepted, NeedsReview, PolicyBlocked
from openshelf.library.install import InstallOffer
from openshelf.library.installed import NEWER as NEWER
from openshelf.library.installed import TERMS as TERMS
from openshelf.library.installed import InstalledModel
from openshelf.licenses.changes import ReadText, TermsChange, compare_terms
from openshelf.licenses.clearance import Clearance
from openshelf.licenses.effective import EffectiveLicense

CURRENT = "current"
ACCEPTED, ASK, REVIEW, BLOCKED = "accepted", "ask", "needs_review", "blocked"


@dataclass(frozen=True)
class FileChange:
    """One file before and after: (sha256, bytes), None where it is not there."""

    path: str
    before: tuple[str, int] | None
    after: tuple[str, int] | None

    def as_json(self) -> dict[str, Any]:
        def written(side: tuple[str, int] | None) -> dict[str, Any] | None:
            return None if side is None else {"sha256": side[0], "size_bytes": side[1]}

        return {
            "path": self.path,
            "changed": self.before != self.after,
            "before": written(self.before),
            "after": written(self.after),
        }


@dataclass(frozen=True)
class UpdateReport:
    """`state` is current, terms_changed (the same files under other terms) or newer.

    `gate` is what the gate says to the new files: accepted (an earlier acceptance covers them),
    ask, needs_review, blocked.
    """

    model: InstalledModel
    offer: InstallOffer
    terms: TermsChange
    files: tuple[FileChange, ...]
    gate: str

    @property
    def state(self) -> str:
        if self.has_other_files or self.offer.commit != self.model.commit:
            return NEWER
        return TERMS if self.terms.is_changed else CURRENT

    @property
    def news(self) -> str:
        """What is worth a look: other files or other terms; a new commit alone is not."""
        if self.has_other_files:
            return NEWER
        return TERMS if self.terms.is_changed else ""

    @property
    def has_other_files(self) -> bool:
        return any(file.before != file.after for file in self.files)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.model.id,
            "repo": self.model.repo,
            "state": self.state,
            "license": self.terms.as_json(),
            "verdict": self.offer.decision.verdict.value,
            "reasons": [reason.as_json() for reason in self.offer.decision.reasons],
            "gate": self.gate,
            "commit": self.model.commit,
            "new_commit": self.offer.commit,
            "files": [file.as_json() for file in self.files],
            "download_bytes": self.offer.left_bytes,
        }


def report_update(
    model: InstalledModel,
    license: EffectiveLicense,
    offer: InstallOffer,
    read: ReadText,
    clear: Callable[[InstallOffer], Clearance],
) -> UpdateReport:
    """`license` is that under which `model` was installed, `offer` what its repository has now."""
    return UpdateReport(
        model=model,
        offer=offer,
        terms=compare_terms(license, offer.decision.license, read),
        files=_files(model, offer),
        gate=_gate(offer, clear),
    )


def _files(model: InstalledModel, offer: InstallOffer) -> tuple[FileChange, ...]:
    before = {file.path: (file.sha256, file.size_bytes) for file in model.files}
    after = {file.path: (file.sha256, file.size_bytes) for file in offer.files}
    paths = dict.fromkeys((*before, *after))
    return tuple(FileChange(path, before.get(path), after.get(path)) for path in paths)


def _gate(offer: InstallOffer, clear: Callable[[InstallOffer], Clearance]) -> str:
    try:
        clear(offer)
    except LicenseNotAccepted:
        return ASK
    except NeedsReview:
        return REVIEW
    except PolicyBlocked:
        return BLOCKED
    return ACCEPTED

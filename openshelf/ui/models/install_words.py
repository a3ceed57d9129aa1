"""The words of the install sheet that depend on state: phases, verdicts, badges."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from openshelf.library.install import InstallOffer
from openshelf.licenses.clearance import Verdict
from openshelf.ui.models.shelf_words import ChipText
from openshelf.ui.widgets.chip import ChipKind


def _tr(text: str) -> str:
    return QCoreApplication.translate("InstallWords", text)


def osi_badge(approved: bool | None) -> ChipText:  # noqa: FBT001
    if approved is None:
        return ChipText(_tr("unknown license"), ChipKind.WARNING)
    if approved:
        return ChipText(_tr("OSI-approved license"), ChipKind.GOOD)
    return ChipText(_tr("not open source by OSI’s definition"), ChipKind.NEUTRAL)


def summary_note(reviewed: str) -> str:
    """What stands below every summary of a license."""
    text = _tr("Summary by Openshelf; the license text prevails. Not legal advice.")
    return f"{text} {_tr('Reviewed {date}.').format(date=reviewed)}" if reviewed else text


def phase_words(phase: str) -> str:
    """What `installer.prepare` is doing; a phase without words here shows the general ones."""
    words = {
        "listing": _tr("Asking the Hub for the files…"),
        "lineage": _tr("Following the model back to its base…"),
        "licenses": _tr("Reading the licenses…"),
        "header": _tr("Reading the file’s header…"),
        "hashing": _tr("Checking the file’s SHA-256…"),
    }
    return words.get(phase, _tr("Looking up files and licenses…"))


def verdict_words(offer: InstallOffer) -> ChipText:
    """The chip in the sheet's head: never yes or no, and whose word it is."""
    decision = offer.decision
    has_policy = bool(decision.policy_sha256)
    match decision.verdict:
        case Verdict.ALLOWED:
            kind = ChipKind.GOOD
            plain, ruled = _tr("Allowed"), _tr("Allowed by your policy")
        case Verdict.ALLOWED_WITH_OBLIGATIONS:
            kind = ChipKind.ACCENT
            plain = _tr("Allowed, with obligations")
            ruled = _tr("Allowed by your policy, with obligations")
        case Verdict.NEEDS_REVIEW:
            kind = ChipKind.WARNING
            plain = _tr("Needs review")
            ruled = _tr("Needs review under your policy")
        case Verdict.BLOCKED:
            kind = ChipKind.BAD
            plain = _tr("Blocked by its license")
            ruled = _tr("Blocked by your policy")
    return ChipText(ruled if has_policy else plain, kind)

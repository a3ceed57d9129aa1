"""The words of the install sheet that depend on state: phases, verdicts, badges."""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import QCoreApplication

from openshelf.licenses.clearance import Verdict
from openshelf.policy.verdict import Decision
from openshelf.ui.models.shelf_words import ChipText
from openshelf.ui.sentences import words
from openshelf.ui.theme.kinds import ChipKind


def _tr(text: str) -> str:
    return QCoreApplication.translate("InstallWords", text)


def phase_words(phase: str) -> str:
    """What `installer.prepare` is doing; a phase without words here shows the general ones."""
    known = {
        "listing": _tr("Asking the Hub for the files…"),
        "lineage": _tr("Following the model back to its base…"),
        "licenses": _tr("Reading the licenses…"),
        "header": _tr("Reading the file’s header…"),
        "hashing": _tr("Checking the file’s SHA-256…"),
    }
    return known.get(phase, _tr("Looking up files and licenses…"))


_KINDS = {
    Verdict.ALLOWED: ChipKind.GOOD,
    Verdict.ALLOWED_WITH_OBLIGATIONS: ChipKind.ACCENT,
    Verdict.NEEDS_REVIEW: ChipKind.WARNING,
    Verdict.BLOCKED: ChipKind.BAD,
}


def verdict_words(decision: Decision, today: date) -> ChipText:
    """The chip in the sheet's head: never yes or no, and by whose word as of when."""
    code = f"verdict_{decision.verdict.value}"
    if not decision.policy_sha256:
        code += "_no_policy"
    return ChipText(words(code, date=today.isoformat()), _KINDS[decision.verdict])

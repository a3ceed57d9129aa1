"""The words of the install sheet that depend on state: phases, verdicts, badges."""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import QCoreApplication

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import NO_LICENSE
from openshelf.policy.checks import Check
from openshelf.policy.review_request import reason_with_name
from openshelf.policy.verdict import Decision, WaivedReason
from openshelf.ui.models.shelf_words import ChipText
from openshelf.ui.sentences import reason_sentence, words
from openshelf.ui.theme.kinds import ChipKind
from openshelf.wording import TEMPLATES


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


def check_chip(check: Check) -> ChipText:
    """The answer to a question, with what was looked at."""
    if check.verdict is Verdict.ALLOWED:
        text = words(f"check_ok_{check.code}") if _has_own_words(check) else words("check_ok")
    elif check.code == "allow_only":
        text = words("check_not_listed")
    else:
        text = words(f"verdict_short_{check.verdict.value}")
    detail = check.detail if len(check.detail) <= _LONGEST_DETAIL else ""
    kinds = {Verdict.BLOCKED: ChipKind.BAD, Verdict.NEEDS_REVIEW: ChipKind.WARNING}
    shown = _tr("{detail}: {answer}").format(detail=detail, answer=text) if detail else text
    return ChipText(shown, kinds.get(check.verdict, ChipKind.GOOD))


def check_sentences(check: Check) -> list[str]:
    """Why a question was not simply answered with yes; licenses by their names."""
    names = {id_: entry.name for id_, entry in load_licenses().items()}
    # That nobody declared a license stands under the lineage already.
    told = [reason for reason in check.reasons if reason.license != NO_LICENSE]
    return [reason_sentence(reason_with_name(reason, names)) for reason in told]


def waived_sentence(waived: WaivedReason) -> str:
    """A reason that does not count, and until when."""
    names = {id_: entry.name for id_, entry in load_licenses().items()}
    why = reason_sentence(reason_with_name(waived.reason, names))
    return _tr("Waived until {day}: {reason}").format(day=waived.until, reason=why)


_LONGEST_DETAIL = 10


def _has_own_words(check: Check) -> bool:
    return f"check_ok_{check.code}" in TEMPLATES

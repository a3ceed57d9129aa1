"""Codes to sentences in the language of the window: translated templates, filled afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from openshelf import wording
from openshelf.errors import OpenshelfError
from openshelf.reasons import Reason

_CONTEXT = "wording"


def reason_sentence(reason: Reason) -> str:
    template = QCoreApplication.translate(_CONTEXT, wording.template(reason.code))
    return wording.fill(template, reason.data)


def reason_sentences(reasons: Sequence[Reason]) -> str:
    """All of them, one after the other."""
    return " ".join(reason_sentence(reason) for reason in reasons)


def error_text(error: BaseException) -> str:
    """What happened, why, what to do; the wording of `wording.error_sentence`, translated."""
    return reason_sentence(wording.reason_of(error))


def error_details(error: BaseException) -> str:
    """The figures behind an error, for the folded part of a notice."""
    return str(error) if isinstance(error, OpenshelfError) else repr(error)


def words(code: str, **data: object) -> str:
    """The translated words of a code, filled."""
    return wording.fill(QCoreApplication.translate(_CONTEXT, wording.template(code)), data)

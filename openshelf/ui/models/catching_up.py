"""What the Shelf learns once it is shown: what the engine knows, what is new; in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from PySide6.QtCore import QCoreApplication, QDate, QDateTime, QLocale

from openshelf.catalog.refresh import Freshness
from openshelf.services import Services
from openshelf.shelf.rows import Shelf
from openshelf.tasks import CancelToken, Report
from openshelf.ui.sentences import reason_sentence


def _tr(text: str) -> str:
    return QCoreApplication.translate("CatchingUp", text)


def catch_up(services: Services) -> Callable[[CancelToken, Report], Freshness]:
    """The work for a task. The engine is started only where its build was not asked before; the
    Hub is asked at most once a day."""

    def work(cancel: CancelToken, report: Report) -> Freshness:
        services.architectures.ask(services.catalog().architectures)
        fresh = services.refresh_catalog(cancel, report)
        services.architectures.ask(services.catalog().architectures)
        return fresh

    return work


def age_words(shelf: Shelf) -> str:
    """How old what the Shelf shows is, whose word it is, and what could not be asked."""
    parts = [_tr("Catalog as of {day}").format(day=_day(shelf.catalog_as_of))]
    at = shelf.freshness.refreshed_at
    if at is None and shelf.freshness.note is None:
        parts.append(_tr("the Hub was not asked for new models yet"))
    elif at is not None:
        then = QDateTime.fromSecsSinceEpoch(int(at))
        moment = QLocale().toString(then, QLocale.FormatType.ShortFormat)
        parts.append(_tr("Hub last asked {moment}").format(moment=moment))
    engine = shelf.engine
    if engine.failure is not None:
        parts.append(_tr("the engine could not be asked what it can load"))
    elif not engine.known and not engine.unknown:
        parts.append(_tr("what the engine can load is the catalog’s word"))
    text = f"{' · '.join(parts)}."
    note = shelf.freshness.note
    return text if note is None else f"{text} {reason_sentence(note)}"


def _day(iso: str) -> str:
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    return QLocale().toString(QDate(day.year, day.month, day.day), QLocale.FormatType.LongFormat)

"""What the table of installed models says of one: words, tone and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from openshelf.library.install import BUNDLE
from openshelf.library.installed import NEWER, TERMS, InstalledModel
from openshelf.ui.models.chat_facts import short_day
from openshelf.ui.models.import_facts import program_name
from openshelf.ui.models.library_facts import LibraryFacts
from openshelf.ui.models.moments import local_day, local_today
from openshelf.units import format_bytes

NOTHING = "—"


def _tr(text: str) -> str:
    return QCoreApplication.translate("InstalledTable", text)


def plain_name(model: InstalledModel) -> str:
    """On one line; the cell shows it as plain text."""
    return " ".join(model.name.split())


def license_words(model: InstalledModel, facts: LibraryFacts) -> str:
    names = _license_names(model)
    day = facts.accepted.get(model.record_id or "", "")
    if facts.is_permissive(model) or not day:
        return names
    return _tr("{license} · accepted {day}").format(license=names, day=day)


def license_details(model: InstalledModel, facts: LibraryFacts) -> str:
    names, day = _license_names(model), facts.accepted.get(model.record_id or "", "")
    if day:
        return _tr("{license} · accepted {day}").format(license=names, day=day)
    return _tr("{license} · no acceptance on record").format(license=names)


def _license_names(model: InstalledModel) -> str:
    return " + ".join(model.license_ids) or model.license_expression


def integrity_words(model: InstalledModel) -> tuple[str, str]:
    """And their tone: muted, warning or bad."""
    if model.damaged:
        return _tr("damaged, not loaded"), "bad"
    if model.away:
        return _tr("folder not here"), "warning"
    if model.missing:
        return _tr("file is missing"), "bad"
    if not model.verified_at:
        return _tr("not verified"), "warning"
    if model.source == "starter":
        return _tr("starter"), "muted"
    if model.origin not in ("", BUNDLE):
        program = program_name(model.origin)
        return _tr("linked from {program}").format(program=program), "muted"
    return _verified_words(model.verified_at), "muted"


def _verified_words(moment: str) -> str:
    if local_day(moment) == local_today():
        return _tr("verified today")
    return _tr("verified {day}").format(day=short_day(moment))


def integrity_details(model: InstalledModel) -> str:
    """What the cell says, where its files came from, and when they were last read."""
    words, tone = integrity_words(model)
    if model.away:
        text = _tr("The model folder {path} is not here. Its models are kept, and can be used "
                   "again as soon as it is back.")  # fmt: skip
        return text.format(path=model.away)
    if tone != "muted" or not model.verified_at:
        return words
    verified = _verified_words(model.verified_at)
    return words if words == verified else f"{words}, {verified}"


def used_words(model: InstalledModel) -> str:
    if not model.last_used_at:
        return NOTHING
    if local_day(model.last_used_at) == local_today():
        return _tr("today")
    return short_day(model.last_used_at) or NOTHING


def news_words(model: InstalledModel) -> str:
    """What the last look for an update found; "" where nothing is new."""
    return {
        NEWER: _tr("newer build · review"),
        TERMS: _tr("other terms · review"),
    }.get(model.news, "")


def note_words(model: InstalledModel, facts: LibraryFacts) -> str:
    """What is worth a look first: news, else that it is in memory."""
    in_memory = _tr("in memory") if model.id == facts.loaded_id else ""
    return news_words(model) or in_memory


def speed_words(model: InstalledModel) -> str:
    rate = model.decode_tokens_per_second
    return _tr("{rate} tok/s").format(rate=f"{rate:.0f}") if rate else NOTHING


def can_get_again(model: InstalledModel) -> bool:
    """Its files are of no use and can be had anew. A file of one's own can only be imported, and
    what lies on a drive that is not here is not gone."""
    return not model.is_usable and not model.away and model.source != "import"


def action_words(model: InstalledModel) -> str:
    return _tr("Get") if can_get_again(model) else _tr("Chat")


def can_act(model: InstalledModel) -> bool:
    return model.is_usable or can_get_again(model)


def spoken_action(model: InstalledModel) -> str:
    again = can_get_again(model)
    words = _tr("Get {name} again") if again else _tr("Chat with {name}")
    return words.format(name=plain_name(model))


def spoken_row(model: InstalledModel, facts: LibraryFacts) -> str:
    """A whole row for who hears it."""
    parts = [
        plain_name(model),
        _tr("in memory") if model.id == facts.loaded_id else "",
        news_words(model),
        model.quant or "",
        format_bytes(model.size_bytes),
        license_details(model, facts),
        integrity_details(model),
    ]
    return ", ".join(part for part in parts if part)

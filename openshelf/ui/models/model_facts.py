"""The facts in the head of the Model screen, each as a chip; what nobody checked carries a mark."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QDate, QLocale, Qt

from openshelf.catalog.entries import CatalogModel, Family, Openness, Tradeoffs
from openshelf.shelf.builds import ModelListing
from openshelf.ui.models.model_words import plain
from openshelf.ui.models.shelf_words import language_words
from openshelf.units import format_tokens

_DATA_RELEASED = ("fully released",)
_CODE_RELEASED = ("training code", "full training code", "released")
"""How the catalog begins its words on a layer that was released."""


@dataclass(frozen=True)
class HeaderFact:
    """`details` say more; a fact that `is_unverified` came into the catalog without a check."""

    text: str
    details: str = ""
    is_unverified: bool = False

    @property
    def shown(self) -> str:
        return f"{self.text} ?" if self.is_unverified else self.text

    @property
    def spoken(self) -> str:
        return f"{self.text}, {unverified_words()}" if self.is_unverified else self.text

    @property
    def tooltip(self) -> str:
        mark = _tr("Not verified: nobody checked this fact yet.") if self.is_unverified else ""
        return "\n".join(line for line in (self.details, mark) if line)


@dataclass(frozen=True)
class TradeoffCell:
    """One cell of a family's trade-offs: a caption, a few words, and how sure they are."""

    caption: str
    text: str
    mark: str


def unverified_words() -> str:
    return _tr("not verified")


def header_facts(listing: ModelListing) -> list[HeaderFact]:
    """What is known of the model, in the order of the chips; what is not known is left out."""
    model, family = listing.model, listing.family
    unverified = model.unverified if model is not None else ()
    facts = [_fact(_size_words(listing), unverified, "parameters", "active_parameters")]
    if listing.context_length is not None:
        text = _tr("{length} context").format(length=format_tokens(listing.context_length))
        is_read = any(build.has_header for build in listing.builds)
        facts.append(_fact(text, () if is_read else unverified, "context_length"))
    if model is not None:
        facts += _facts_of_model(model)
    if family is not None:
        text = " · ".join(part for part in (family.publisher, family.origin) if part)
        facts.append(_fact(text, unverified, "origin"))
    if model is not None and model.openness is not None:
        details = openness_details(model.openness)
        text = openness_words(model.openness)
        facts.append(_fact(text, unverified, "openness", details=details))
    if model is not None:
        facts.append(_fact(_month(model.release_date), unverified, "release_date"))
    return [fact for fact in facts if fact.text]


def _facts_of_model(model: CatalogModel) -> list[HeaderFact]:
    languages = ""
    if model.languages.count or model.languages.codes:
        languages = language_words(model.languages)
    basis = model.languages.basis or ""
    modalities = " + ".join(model.modalities)
    if model.modalities == ("text",):
        modalities = _tr("text only")
    capabilities = " · ".join(model.capabilities)
    return [
        _fact(languages, model.unverified, "languages", details=basis),
        _fact(modalities, model.unverified, "modalities"),
        _fact(capabilities, model.unverified, "capabilities"),
    ]


def _fact(text: str, unverified: tuple[str, ...], *fields: str, details: str = "") -> HeaderFact:
    doubtful = any(field in unverified for field in fields)
    return HeaderFact(plain(text), plain(details), doubtful)


def openness_words(openness: Openness) -> str:
    """Which layers were released whole."""
    if not openness.weights:
        return _tr("weights not released")
    has_data = openness.training_data.startswith(_DATA_RELEASED)
    has_code = openness.code.startswith(_CODE_RELEASED)
    if has_data and has_code:
        return _tr("open weights, data and code")
    return _tr("open weights and data") if has_data else _tr("open weights")


def openness_details(openness: Openness) -> str:
    lines = (
        _tr("Training data: {value}").format(value=openness.training_data),
        _tr("Code: {value}").format(value=openness.code),
    )
    return "\n".join(lines)


def tradeoff_cells(family: Family | None) -> list[TradeoffCell]:
    """What the catalog says of a family in a few words; empty where it says nothing."""
    if family is None or family.tradeoffs is None:
        return []
    row = family.tradeoffs
    cells = (
        ("openness", _tr("What is open"), row.openness),
        ("license", _tr("License reality"), row.license),
        ("strength", _tr("Strength"), row.strength),
        ("weakness", _tr("Weakness"), row.weakness),
    )
    return [TradeoffCell(caption, plain(text), _mark(row, name)) for name, caption, text in cells]


def _mark(row: Tradeoffs, name: str) -> str:
    if name in row.judgement:
        return _tr("judgement")
    return unverified_words() if name in row.unverified else ""


def _size_words(listing: ModelListing) -> str:
    model = listing.model
    shapes = [build.shape for build in listing.builds if build.shape is not None]
    count = model.parameters if model is not None else None
    if count is None and shapes:
        count = shapes[0].parameters
    if count is None:
        return ""
    text = _tr("{count} parameters").format(count=_billions(count))
    if model is not None and model.active_parameters:
        active = _billions(model.active_parameters)
        text = _tr("{count}, {active} active").format(count=_billions(count), active=active)
    return text


def _billions(count: int) -> str:
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"


def _month(date: str | None) -> str:
    """`2025-05-01` → `May 2025`; a year alone stays one."""
    parts = (date or "").split("-")
    if len(parts) < 2:
        return parts[0]
    day = QDate.fromString("-".join([*parts[:2], "01"]), Qt.DateFormat.ISODate)
    return QLocale().toString(day, "MMM yyyy") if day.isValid() else ""


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelFacts", text)

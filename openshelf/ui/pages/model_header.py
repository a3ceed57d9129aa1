"""The head of the Model screen: the way back, the name, the facts that are known, the tabs."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from PySide6.QtCore import QCoreApplication, QDate, QLocale, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from openshelf.licenses.license import License
from openshelf.shelf.builds import ModelListing
from openshelf.ui.models.model_words import plain
from openshelf.ui.models.shelf_words import language_words, license_chip
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets import (
    PAGE_MARGIN,
    Chip,
    ElidedLabel,
    FilterChip,
    FlowLayout,
    LinkButton,
    SegmentedControl,
    TextLabel,
)
from openshelf.units import format_tokens


class ModelTab(enum.StrEnum):
    VARIANTS = "variants"
    OBLIGATIONS = "obligations"


class ModelHeader(QFrame):
    """`back_pressed`, `tab_changed(ModelTab)`, `size_chosen(model's name)`."""

    back_pressed = Signal()
    tab_changed = Signal(object)
    size_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "header")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(PAGE_MARGIN, 10, PAGE_MARGIN, 10)
        row.setSpacing(16)
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addLayout(self._make_way())
        self.title = ElidedLabel("", TextRole.TITLE)
        self.title.setMinimumWidth(120)
        words.addWidget(self.title)
        self._chips = QWidget()
        self._flow = FlowLayout(self._chips, spacing=6)
        words.addWidget(self._chips)
        row.addLayout(words, 1)
        self.sizes: FilterChip[str] = FilterChip(self.tr("Size"), [("", "")])
        self.sizes.value_changed.connect(self.size_chosen)
        row.addWidget(self.sizes, 0, Qt.AlignmentFlag.AlignVCenter)
        tabs = [
            (ModelTab.VARIANTS, self.tr("Variants")),
            (ModelTab.OBLIGATIONS, self.tr("Obligations")),
        ]
        self.tabs: SegmentedControl[ModelTab] = SegmentedControl(
            self.tr("Show"), tabs, ModelTab.VARIANTS
        )
        self.tabs.value_changed.connect(self.tab_changed)
        row.addWidget(self.tabs, 0, Qt.AlignmentFlag.AlignVCenter)
        self.show_waiting("")

    def show_waiting(self, name: str) -> None:
        """Only the name is known yet."""
        self.title.setText(plain(name))
        self._family.setText("")
        self._set_chips([])
        self.tabs.hide()
        self.sizes.hide()

    def show_listing(self, listing: ModelListing, licenses: Mapping[str, License]) -> None:
        self.title.setText(plain(listing.name))
        family = listing.family.name if listing.family is not None else ""
        self._family.setText(f"›  {family}" if family else "")
        chips = [Chip(text) for text in fact_words(listing)]
        if listing.decision is not None:
            license_words = license_chip(listing.decision, licenses)
            chips.insert(0, Chip(license_words.text, license_words.kind))
        elif listing.model is None:
            chips.append(Chip(self.tr("not in the catalog"), ChipKind.WARNING))
        self._set_chips(chips)
        self.tabs.setVisible(listing.decision is not None)
        self._show_sizes(listing)

    def _show_sizes(self, listing: ModelListing) -> None:
        models = listing.family.models if listing.family is not None else ()
        self.sizes.setVisible(len(models) > 1 and listing.model is not None)
        if listing.model is None or len(models) < 2:
            return
        self.sizes.set_choices([(model.name, model.label or model.name) for model in models])
        self.sizes.choose(listing.model.name)

    def _make_way(self) -> QHBoxLayout:
        way = QHBoxLayout()
        way.setSpacing(4)
        self.back = LinkButton(self.tr("Shelf"), self.tr("Back to the Shelf"), muted=True)
        self.back.setToolTip(self.tr("Esc"))
        self.back.clicked.connect(self.back_pressed)
        self._family = TextLabel("", TextRole.SMALL, "muted")
        way.addWidget(self.back)
        way.addWidget(self._family)
        way.addStretch(1)
        return way

    def _set_chips(self, chips: list[Chip]) -> None:
        while (item := self._flow.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        for chip in chips:
            self._flow.addWidget(chip)
        self._chips.setVisible(bool(chips))
        self._chips.updateGeometry()


def fact_words(listing: ModelListing) -> list[str]:
    """What is known of the model, shortest form first; what is not known is left out."""
    model, family = listing.model, listing.family
    facts = [_size_words(listing)]
    if listing.context_length is not None:
        facts.append(_tr("{length} context").format(length=format_tokens(listing.context_length)))
    if model is not None and (model.languages.count or model.languages.codes):
        facts.append(language_words(model.languages))
    if model is not None:
        facts.append(" · ".join([*model.capabilities, *model.modalities[1:]]))
    if family is not None:
        facts.append(" · ".join(part for part in (family.publisher, family.origin) if part))
    if model is not None:
        facts.append(_month(model.release_date))
    return [plain(fact) for fact in facts if fact]


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
    return QCoreApplication.translate("ModelHeader", text)

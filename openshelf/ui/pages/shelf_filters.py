"""The controls of the Shelf: context and preference in the header, filters and legend below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QWidget
from typing_extensions import override

from openshelf.shelf.filter_values import FilterChoices
from openshelf.shelf.filters import COMMERCIAL, PUBLISHER
from openshelf.shelf.rows import ShelfQuestion
from openshelf.ui.models.shelf_question import FILTERS
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    FilterChip,
    FlowLayout,
    LegendMark,
    LinkButton,
    PageHeader,
    SectionLabel,
    SegmentedControl,
    TextLabel,
)

_NARROW = 1000

CONTEXT_LENGTHS = (4096, 8192, 32768, 131072)


class ShelfControls(PageHeader):
    """Emits `question_changed(ShelfQuestion)`: only its context length and preference count."""

    question_changed = Signal(object)

    def __init__(self, question: ShelfQuestion) -> None:
        super().__init__("", "")
        self.title.setText(self.tr("What fits this machine"))
        self.set_subtitle(self.tr("Looking at the hardware…"))
        name = self.tr("Context")
        lengths = [(length, f"{length // 1024}K") for length in CONTEXT_LENGTHS]
        self.context: SegmentedControl[int] = SegmentedControl(
            name, lengths, question.context_length
        )
        self.context.setToolTip(self.tr("How much text the model can keep in view, in tokens"))
        self.add_control(self.context, SectionLabel(name))
        name = self.tr("Prefer")
        ways = [
            ("speed", self.tr("Speed")),
            ("balance", self.tr("Balance")),
            ("quality", self.tr("Quality")),
        ]
        self.prefer: SegmentedControl[str] = SegmentedControl(name, ways, question.prefer)
        self.add_control(self.prefer, SectionLabel(name))
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search families and Hub…"))
        self.search.setAccessibleName(self.tr("Search families and the Hub"))
        self.search.setClearButtonEnabled(True)
        self.add_control(self.search)
        self.context.value_changed.connect(self._on_changed)
        self.prefer.value_changed.connect(self._on_changed)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.search.setFixedWidth(130 if self.width() < _NARROW else 190)

    def _on_changed(self, _: object) -> None:
        self.question_changed.emit(ShelfQuestion(self.context.value, self.prefer.value))


class ShelfFilters(QWidget):
    """Filter chips and the legend of the bars.

    Emits `question_changed(ShelfQuestion)` (its filters count) and `fits_only_changed(bool)`.
    """

    question_changed = Signal(object)
    fits_only_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 2)
        self._grid.setHorizontalSpacing(10)
        self._grid.setColumnStretch(0, 1)
        self._chips = QWidget()
        flow = FlowLayout(self._chips, spacing=8)
        self.fits: FilterChip[bool] = FilterChip(
            self.tr("Fits"), [(False, self.tr("any")), (True, self.tr("this machine"))]
        )
        self._by_name = self._make_chips()
        self.use, self.language, self.license, self.origin = list(self._by_name.values())[:4]
        self.capability, self.modality, self.packager = list(self._by_name.values())[4:]
        self.clear_button = LinkButton(self.tr("Clear filters"), small=True)
        self.clear_button.clicked.connect(self.clear)
        parts: list[QWidget] = [self.fits, *self._by_name.values(), self.clear_button]
        for part in parts:
            flow.addWidget(part)
        self._legend = self._make_legend()
        self._grid.addWidget(self._chips, 0, 0)
        self._grid.addWidget(self._legend, 0, 1)
        self.fits.value_changed.connect(self._on_fits_changed)
        self.set_choices(FilterChoices())

    def _make_chips(self) -> dict[str, FilterChip[str | None]]:
        """By the fields of ShelfQuestion, in the order of FILTERS."""
        titles = (
            self.tr("Use"), self.tr("Language"), self.tr("License"), self.tr("Origin"),
            self.tr("Can do"), self.tr("Input"), self.tr("Packager"),
        )  # fmt: skip
        chips: dict[str, FilterChip[str | None]] = {}
        for name, title in zip(FILTERS, titles, strict=True):
            chips[name] = FilterChip(title, [(None, self.tr("any"))])
            chips[name].value_changed.connect(self._on_changed)
        return chips

    @property
    def fits_only(self) -> bool:
        return self.fits.value

    @property
    def question(self) -> ShelfQuestion:
        values: dict[str, Any] = {name: chip.value for name, chip in self._by_name.items()}
        return ShelfQuestion(**values)

    @property
    def is_any_set(self) -> bool:
        return self.fits_only or any(chip.value for chip in self._by_name.values())

    def show_kept(self, values: Mapping[str, str | None], *, fits_only: bool) -> None:
        """The filters of the last time, before anybody knows what there is to choose from."""
        self.fits.choose(fits_only)
        for name, value in values.items():
            if value:
                self._by_name[name].set_choices([(None, self.tr("any")), (value, value)])
                self._by_name[name].choose(value)
        self.set_choices(FilterChoices())

    def set_choices(self, choices: FilterChoices) -> None:
        """What is chosen stays to choose, even where nothing has it any more."""
        labelled: dict[str, list[tuple[str, str]]] = {
            "use": [(COMMERCIAL, self.tr("commercial"))],
            "language": sorted(((c, _language(c)) for c in choices.languages), key=_by_label),
            "license": [(name, name) for name in choices.licenses],
            "origin": [(code, _territory(code)) for code in choices.origins],
            "capability": [(name, _plain(name)) for name in choices.capabilities],
            "modality": [(name, _plain(name)) for name in choices.modalities],
            "packager": [
                (PUBLISHER, self.tr("the publisher")),
                *((account, account) for account in choices.packagers),
            ],
        }
        for name, chip in self._by_name.items():
            offered, chosen = labelled[name], chip.value
            if chosen and chosen not in (value for value, _ in offered):
                offered = [*offered, (chosen, chosen)]
            chip.set_choices([(None, self.tr("any")), *offered])
        self._show_clear()

    def clear(self) -> None:
        self.fits.choose(False)
        for chip in self._by_name.values():
            chip.choose(None)
        self.fits_only_changed.emit(False)
        self._on_changed(None)

    def _on_fits_changed(self, fits_only: object) -> None:
        self._show_clear()
        self.fits_only_changed.emit(fits_only)

    def _on_changed(self, _: object) -> None:
        self._show_clear()
        self.question_changed.emit(self.question)

    def _show_clear(self) -> None:
        self.clear_button.setVisible(self.is_any_set)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        """The legend goes below the chips where it has no room beside them."""
        super().resizeEvent(event)
        both = self._chips.sizeHint().width() + self._legend.sizeHint().width() + 10
        place = (0, 1) if both <= self.width() else (1, 0)
        if self._grid.itemAtPosition(*place) is None:
            self._grid.removeWidget(self._legend)
            self._grid.addWidget(self._legend, *place, Qt.AlignmentFlag.AlignLeft)

    def _make_legend(self) -> QWidget:
        legend = QWidget()
        row = QHBoxLayout(legend)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        for token, text, is_hatched in (
            ("weights", self.tr("weights"), False),
            ("kv_cache", self.tr("context memory"), False),
            ("compute_buffer", self.tr("work buffers"), False),
            ("bad", self.tr("too much"), True),
        ):
            entry = QHBoxLayout()
            entry.setSpacing(5)
            entry.addWidget(LegendMark(token, is_hatched=is_hatched))
            entry.addWidget(TextLabel(text, TextRole.TINY, "muted"))
            row.addLayout(entry)
        return legend


def _plain(name: str) -> str:
    return name.replace("-", " ")


def _by_label(choice: tuple[str, str]) -> str:
    return choice[1]


def _territory(code: str) -> str:
    """`FR` → `France`; what is no ISO code stays as it is."""
    territory = QLocale.codeToTerritory(code)
    if territory == QLocale.Country.AnyCountry:
        return code
    return QLocale.territoryToString(territory)


def _language(code: str) -> str:
    language = QLocale.codeToLanguage(code)
    if language in (QLocale.Language.AnyLanguage, QLocale.Language.C):
        return code
    return QLocale.languageToString(language)

"""The head of the Model screen: the way back, the name, the facts that are known, the tabs."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from openshelf.licenses.license import License
from openshelf.policy.verdict import Decision
from openshelf.shelf.builds import ModelListing
from openshelf.ui.models.model_facts import (
    HeaderFact,
    TradeoffCell,
    header_facts,
    tradeoff_cells,
    unverified_words,
)
from openshelf.ui.models.model_words import plain
from openshelf.ui.models.shelf_words import license_chip
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


class ModelTab(enum.StrEnum):
    VARIANTS = "variants"
    OBLIGATIONS = "obligations"
    QUESTIONS = "questions"
    CARD = "card"


class ModelHeader(QFrame):
    """`back_pressed`, `tab_changed(ModelTab)`, `size_chosen(model's name)`."""

    back_pressed = Signal()
    tab_changed = Signal(object)
    size_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "header")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(self)
        column.setContentsMargins(PAGE_MARGIN, 10, PAGE_MARGIN, 10)
        column.setSpacing(6)
        row = QHBoxLayout()
        row.setSpacing(16)
        column.addLayout(row)
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addLayout(self._make_way())
        self.title = ElidedLabel("", TextRole.TITLE)
        self.title.setMinimumWidth(120)
        words.addWidget(self.title)
        self._chips = QWidget()
        self._flow = FlowLayout(self._chips, spacing=6)
        row.addLayout(words, 1)
        column.addWidget(self._chips)
        self.tradeoffs = TradeoffRow()
        column.addWidget(self.tradeoffs)
        self.sizes: FilterChip[str] = FilterChip(self.tr("Size"), [("", "")])
        self.sizes.value_changed.connect(self.size_chosen)
        row.addWidget(self.sizes, 0, Qt.AlignmentFlag.AlignVCenter)
        tabs = [
            (ModelTab.VARIANTS, self.tr("Variants")),
            (ModelTab.OBLIGATIONS, self.tr("Obligations")),
            (ModelTab.QUESTIONS, self.tr("Four questions")),
            (ModelTab.CARD, self.tr("Model card")),
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
        self.tradeoffs.show_cells([])
        self.tabs.hide()
        self.sizes.hide()

    def show_listing(
        self,
        listing: ModelListing,
        licenses: Mapping[str, License],
        decision: Decision | None = None,
    ) -> None:
        """`decision` is the Hub's word on the license; without one the catalog's stands."""
        self.title.setText(plain(listing.name))
        family = listing.family.name if listing.family is not None else ""
        self._family.setText(f"›  {family}" if family else "")
        decision = decision or listing.decision
        chips: list[QWidget] = []
        if decision is not None:
            license_words = license_chip(decision, licenses)
            chips.append(Chip(license_words.text, license_words.kind))
        facts = header_facts(listing)
        chips += [_fact_chip(fact) for fact in facts]
        if listing.model is None:
            chips.append(Chip(self.tr("not in the catalog"), ChipKind.WARNING))
        if any(fact.is_unverified for fact in facts):
            legend = f"? {unverified_words()}"
            chips.append(TextLabel(legend, TextRole.TINY, "faint"))
        self._set_chips(chips)
        self.tradeoffs.show_cells(tradeoff_cells(listing.family))
        self.tabs.show()
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

    def _set_chips(self, chips: Sequence[QWidget]) -> None:
        while (item := self._flow.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        for chip in chips:
            self._flow.addWidget(chip)
        self._chips.setVisible(bool(chips))
        self._chips.updateGeometry()


class TradeoffRow(QWidget):
    """What the catalog says of a family in a few words, each with how sure that is.

    Hidden in a low window, where the table needs the room; Four questions has all of it too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Trade-offs"))
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 2, 0, 0)
        self._row.setSpacing(18)
        self._is_roomy = True
        self._has_cells = False
        self.hide()

    def set_roomy(self, *, is_roomy: bool) -> None:
        self._is_roomy = is_roomy
        self.setVisible(self._has_cells and is_roomy)

    def show_cells(self, cells: Sequence[TradeoffCell]) -> None:
        while (item := self._row.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        for cell in cells:
            self._row.addWidget(_make_cell(cell), 1)
        self._has_cells = bool(cells)
        self.set_roomy(is_roomy=self._is_roomy)


def _make_cell(cell: TradeoffCell) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(1)
    caption = f"{cell.caption} · {cell.mark}" if cell.mark else cell.caption
    column.addWidget(TextLabel(caption, TextRole.TINY, "faint", wrap=True))
    column.addWidget(TextLabel(cell.text, TextRole.SMALL, "muted", wrap=True))
    column.addStretch(1)
    return holder


def _fact_chip(fact: HeaderFact) -> Chip:
    chip = Chip(fact.shown)
    chip.setAccessibleName(fact.spoken)
    if fact.tooltip:
        chip.setToolTip(fact.tooltip)
    return chip

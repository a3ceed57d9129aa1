"""What fits this machine, and what would fit others: two tables of the families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.hardware.facts import Machine
from openshelf.shelf.rows import RankedVariant, Shelf, ShelfRow
from openshelf.ui.models.shelf_words import fit_words, speed_words
from openshelf.ui.sentences import reason_sentence, reason_sentences
from openshelf.ui.theme import TextRole, font
from openshelf.ui.widgets.buttons import Button, SegmentedControl
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.flow import FlowLayout
from openshelf.ui.widgets.plain_table import Cell, PlainTable
from openshelf.ui.widgets.text import TextLabel, set_property
from openshelf.units import format_tokens
from openshelf.wording import join_words

CONTEXTS = (4096, 8192, 32768, 131072)
MOST_COMPARED = 4
"""More columns than these cannot be read."""


def variant_words(ranked: RankedVariant) -> str:
    """`Qwen3-14B · Q3_K_M`."""
    return f"{ranked.variant.model.name} · {ranked.variant.quant}"


class FitsCard(Card):
    """The best variant of each family here, where it would run and how fast."""

    context_changed = Signal(int)
    choose_asked = Signal()

    def __init__(self, context_length: int) -> None:
        super().__init__(margin=18, spacing=10)
        self._shelf: Shelf | None = None
        self._longest: dict[str, int] | None = None
        row = QHBoxLayout()
        self.machine_button = MachineChip("", self.tr("What fits which machine"))
        self.machine_button.clicked.connect(self.choose_asked)
        self.title = TextLabel("", TextRole.HEADING, wrap=True)
        options = [(length, format_tokens(length)) for length in CONTEXTS]
        self.context = SegmentedControl(self.tr("Context"), options, context_length)
        self.context.value_changed.connect(self._on_context_changed)
        row.addWidget(self.title, 1)
        row.addWidget(self.context)
        self.body.addLayout(row)
        line = QHBoxLayout()
        line.addWidget(self.machine_button)
        line.addStretch(1)
        self.body.addLayout(line)
        self.show_name("")
        self.table = PlainTable(self.tr("What fits this machine"))
        self.waiting = TextLabel(self.tr("Working it out…"), TextRole.BODY, "muted")
        self.none_line = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.body.addWidget(self.waiting)
        self.body.addWidget(self.table)
        self.body.addWidget(self.none_line)
        self.body.addStretch(1)
        self._show_title(context_length)

    def show_shelf(self, shelf: Shelf) -> None:
        self._show_title(shelf.context_length)
        self.waiting.hide()
        if shelf is not self._shelf:
            if _answer_of(shelf) != _answer_of(self._shelf):
                self._longest = None
            self._shelf = shelf
        headers = (self.tr("Family"), self.tr("Best variant"), self.tr("Where"), self.tr("Speed"),
                   self.tr("Longest context"))  # fmt: skip
        rows = [
            self._cells(row, row.recommended) for row in shelf.rows if row.recommended is not None
        ]
        self.table.show_rows(headers, rows, (11, 12, 8, 9, 7))
        self.none_line.setText(none_fits([row for row in shelf.rows if row.recommended is None]))
        self.none_line.setVisible(bool(self.none_line.text()))

    def show_longest(self, lengths: Mapping[str, int]) -> None:
        """How far the context of each variant can grow, once that is known."""
        if self._shelf is not None:
            self._longest = dict(lengths)
            self.show_shelf(self._shelf)

    def show_name(self, name: str) -> None:
        """Which machine it is about; empty for this one."""
        shown = name or self.tr("This machine")
        self.machine_button.setText(f"{shown.replace('&', '&&')} ▾")
        self.machine_button.setAccessibleName(
            self.tr("What fits which machine: {machine}").format(machine=shown)
        )
        set_property(self.machine_button, "active", "true" if name else "false")

    def _cells(self, row: ShelfRow, best: RankedVariant) -> tuple[Cell, ...]:
        return (
            Cell(row.family.name),
            Cell(variant_words(best), tooltip=reason_sentences(best.reasons)),
            Cell(fit_words(best.fit)),
            Cell(speed_words(best.fit.speed)),
            self._longest_cell(best),
        )

    def _longest_cell(self, best: RankedVariant) -> Cell:
        if self._longest is None:
            return Cell("…", "muted")
        length = self._longest.get(best.variant.target, best.fit.context_length_used)
        return Cell(format_tokens(length))

    def _show_title(self, context_length: int) -> None:
        text = self.tr("What fits at {context} context")
        self.title.setText(text.format(context=format_tokens(context_length)))

    def _on_context_changed(self, value: object) -> None:
        self.context_changed.emit(int(str(value)))


def _answer_of(shelf: Shelf | None) -> tuple[object, ...]:
    """What decides whether earlier lengths may stay until the new ones are there."""
    if shelf is None:
        return ()
    best = [row.recommended.variant.target for row in shelf.rows if row.recommended is not None]
    return (shelf.machine.name, shelf.context_length, *best)


def none_fits(rows: Sequence[ShelfRow]) -> str:
    """One line for the families of which nothing fits, or of which that is not known."""
    known = [row.family.name for row in rows if row.nearest is not None]
    unknown = [row.family.name for row in rows if row.nearest is None]
    parts = []
    if known:
        text = QCoreApplication.translate("HardwareFits", "Nothing fits of {families}.")
        parts.append(text.format(families=join_words(known)))
    if unknown:
        text = QCoreApplication.translate("HardwareFits", "Not known yet for {families}.")
        parts.append(text.format(families=join_words(unknown)))
    return " ".join(parts)


def why_none(row: ShelfRow) -> str:
    """Why no variant of a family fits, as far as it is known."""
    if row.nearest is not None:
        return reason_sentences(row.nearest.fit.reasons or row.nearest.reasons)
    return reason_sentence(row.note) if row.note is not None else ""


class MachineChip(Button):
    """A machine in the comparison; pressing takes it out."""

    look = "filter"

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text.replace("&", "&&"), name)
        self.setProperty("active", "true")
        self.setFont(font(TextRole.CHIP))


class WhatIfCard(Card):
    """The families on this machine beside known others; `removed` carries a name."""

    add_asked = Signal()
    removed = Signal(str)

    def __init__(self) -> None:
        super().__init__(margin=18, spacing=10)
        row = QHBoxLayout()
        row.addWidget(TextLabel(self.tr("What if you had…"), TextRole.HEADING))
        row.addStretch(1)
        hint = self.tr("estimates for machines with nothing else running")
        row.addWidget(TextLabel(hint, TextRole.SMALL, "muted"))
        self.body.addLayout(row)
        self._chips = QWidget()
        self._flow = FlowLayout(self._chips, spacing=8)
        self.body.addWidget(self._chips)
        self.add_button = MachineChip(self.tr("Add…"), self.tr("Compare with another machine"))
        self.add_button.setProperty("active", "false")
        self.add_button.clicked.connect(self.add_asked)
        self._flow.addWidget(self.add_button)
        self._buttons: dict[str, MachineChip] = {}
        self.table = PlainTable(self.tr("What would fit other machines"))
        self.body.addWidget(self.table)
        self.none_line = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.none_line.hide()
        self.body.addWidget(self.none_line)

    def show_machines(self, compared: Sequence[Machine]) -> None:
        """One button for each machine compared, and one to add others."""
        names = [machine.name for machine in compared]
        for name in [known for known in self._buttons if known not in names]:
            button = self._buttons.pop(name)
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._flow.removeWidget(self.add_button)
        for name in names:
            if name not in self._buttons:
                spoken = self.tr("Compare with {machine} no longer").format(machine=name)
                button = MachineChip(f"{name} ✕", spoken)
                button.setProperty("machine", name)
                button.clicked.connect(self._on_removed)
                self._buttons[name] = button
                self._flow.addWidget(button)
        self._flow.addWidget(self.add_button)
        self.add_button.setEnabled(len(names) < MOST_COMPARED)

    def show_shelves(self, shelves: Sequence[Shelf]) -> None:
        """The first is this machine's; each names its machine."""
        headers = [self.tr("Best of each family"), self.tr("This machine")]
        headers += [shelf.machine.name for shelf in shelves[1:]]
        by_family = [{row.family.id: row for row in shelf.rows} for shelf in shelves]
        rows, nowhere = [], []
        for row in shelves[0].rows:
            found = [known.get(row.family.id) for known in by_family]
            if any(other is not None and other.recommended is not None for other in found):
                rows.append([Cell(row.family.name), *(self._cell(other) for other in found)])
            else:
                nowhere.append(row)
        self.table.show_rows(headers, rows, [3, *([4] * len(shelves))])
        self.none_line.setText(none_fits(nowhere))
        self.none_line.setVisible(bool(nowhere))

    def _cell(self, row: ShelfRow | None) -> Cell:
        best = row.recommended if row is not None else None
        if best is None:
            return Cell(self.tr("none"), "muted", why_none(row) if row is not None else "")
        words = f"{variant_words(best)} · {speed_words(best.fit.speed)}"
        return Cell(words, tooltip=fit_words(best.fit))

    def _on_removed(self) -> None:
        self.removed.emit(str(self.sender().property("machine")))

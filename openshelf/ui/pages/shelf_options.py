"""Below a card: the family's other sizes, and what could be done where none fits."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from openshelf.reasons import Reason
from openshelf.shelf.rows import RankedVariant, ShelfRow
from openshelf.ui.models import shelf_words
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Divider, FitBar, LinkButton, SectionLabel, TextLabel

_MOST = 12
"""Rows shown; a family has more only when the whole catalog is asked for."""


class OptionsList(QWidget):
    """Folded until somebody asks, and filled only then; emits `install_pressed(target)` and
    `model_pressed(name)`."""

    install_pressed = Signal(str)
    model_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(Divider())
        self._column = column
        self._content: QWidget | None = None
        self._row: ShelfRow | None = None
        self.hide()

    def set_row(self, row: ShelfRow) -> bool:
        """False where there is nothing besides the card itself. What is unfolded stays so."""
        self._row = row
        if self._content is not None:
            self._column.removeWidget(self._content)
            self._content.deleteLater()
            self._content = None
        has_options = bool(row.alternatives or _remedies(row))
        if not has_options:
            self.hide()
        elif not self.isHidden():
            self._fill(row)
        return has_options

    def unfold(self) -> None:
        if self._row is not None and self._content is None:
            self._fill(self._row)
        self.show()

    def _fill(self, row: ShelfRow) -> None:
        self._content = QWidget()
        column = QVBoxLayout(self._content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        if remedies := _remedies(row):
            column.addWidget(SectionLabel(self.tr("What you can do")))
            for remedy in remedies:
                column.addWidget(TextLabel(f"•  {reason_sentence(remedy)}", wrap=True))
        if row.alternatives:
            column.addWidget(SectionLabel(self.tr("Other sizes")))
            column.addLayout(self._make_table(_largest_first(row.alternatives)[:_MOST]))
        self._column.addWidget(self._content)

    def _make_table(self, variants: list[RankedVariant]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(2, 3)
        for line, ranked in enumerate(variants):
            bar = FitBar(thickness=8)
            bar.set_fit(ranked.fit)
            cells: list[QWidget] = [
                self._make_name(ranked),
                TextLabel(shelf_words.size_words(ranked), TextRole.SMALL, "muted"),
                bar,
                TextLabel(shelf_words.fit_words(ranked.fit), TextRole.SMALL, "muted"),
                TextLabel(shelf_words.speed_words(ranked.fit.speed), TextRole.SMALL),
            ]
            if ranked.fit.verdict.fits and ranked.installed_id is None:
                cells.append(self._make_install(ranked))
            for place, cell in enumerate(cells):
                grid.addWidget(cell, line, place, Qt.AlignmentFlag.AlignVCenter)
        return grid

    def _make_name(self, ranked: RankedVariant) -> LinkButton:
        model = ranked.variant.model
        name = self.tr("All variants of {family}").format(family=model.name)
        button = LinkButton(f"{model.name} · {ranked.variant.quant}", name, small=True)
        button.setProperty("model", model.name)
        button.clicked.connect(self._on_model)
        return button

    def _on_model(self) -> None:
        self.model_pressed.emit(str(self.sender().property("model")))

    def _make_install(self, ranked: RankedVariant) -> LinkButton:
        variant = ranked.variant
        name = self.tr("Install {model} {quant}").format(
            model=variant.model.name, quant=variant.quant
        )
        button = LinkButton(self.tr("Install…"), name, small=True)
        button.setProperty("target", variant.target)
        button.clicked.connect(self._on_install)
        return button

    def _on_install(self) -> None:
        self.install_pressed.emit(str(self.sender().property("target")))


def _largest_first(variants: Sequence[RankedVariant]) -> list[RankedVariant]:
    """By the model's size; the builds of one model by what they take on disk."""

    def size(ranked: RankedVariant) -> tuple[int, int]:
        return ranked.variant.model.parameters or 0, ranked.variant.size_bytes

    return sorted(variants, key=size, reverse=True)


def _remedies(row: ShelfRow) -> tuple[Reason, ...]:
    """What would help, where nothing fits."""
    shown = row.shown
    return shown.fit.remedies if shown is not None and row.recommended is None else ()

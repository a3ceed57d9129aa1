"""One family of the Shelf as a card: who, what fits and why, figures, the one thing to do."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget
from typing_extensions import override

from openshelf.catalog.entries import EMBEDDING
from openshelf.licenses.license import License
from openshelf.shelf.rows import RankedVariant, ShelfRow
from openshelf.ui.models import shelf_words
from openshelf.ui.pages.shelf_options import OptionsList
from openshelf.ui.sentences import reason_sentence, reason_sentences
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets import (
    Card,
    Chip,
    Column,
    FitBar,
    LinkButton,
    PrimaryButton,
    TextLabel,
    TitleLink,
    set_property,
)

_NARROW = 900
"""Pixels below which a card moves together."""


class FamilyCard(Card):
    """Shows a ShelfRow; can be given another one at any time.

    Emits `install_pressed(target)`, `chat_pressed(installed_id)` and `model_pressed(name)`.
    """

    install_pressed = Signal(str)
    chat_pressed = Signal(str)
    model_pressed = Signal(str)

    def __init__(self, licenses: Mapping[str, License]) -> None:
        super().__init__(margin=16, spacing=12)
        self._licenses = licenses
        self._row: ShelfRow | None = None
        self._columns = columns = QHBoxLayout()
        columns.setSpacing(20)
        columns.addWidget(self._make_identity(), 21)
        columns.addWidget(self._make_fit(), 44)
        self._figures = self._make_figures()
        columns.addWidget(self._figures, 25)
        self._side = self._make_actions()
        columns.addWidget(self._side, 0)
        self.body.addLayout(columns)
        self._options = OptionsList()
        self._options.install_pressed.connect(self.install_pressed)
        self._options.model_pressed.connect(self.model_pressed)
        self._options.hide()
        self.body.addWidget(self._options)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_narrow = self.width() < _NARROW
        self._columns.setSpacing(12 if is_narrow else 20)
        least = self._action.sizeHint().width()
        self._side.setFixedWidth(max(least, 104 if is_narrow else 128))

    def show_row(self, row: ShelfRow) -> bool:
        """Returns whether it was another one."""
        if row is self._row:
            return False
        if self._row is None or self._row.family.id != row.family.id:
            self._options.hide()
        self._row = row
        self._name.setText(row.family.name)
        origin = row.family.origin or self.tr("origin unknown")
        self._publisher.setText(f"{row.family.publisher} · {origin}")
        self.setAccessibleName(row.family.name)
        shown = row.shown
        if shown is None:
            self._show_nothing(row)
        else:
            self._show_variant(row, shown)
        self._show_actions(row, shown)
        return True

    def _make_identity(self) -> QWidget:
        self._name = TitleLink()
        self._name.clicked.connect(self._on_model)
        self._publisher = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self._license = Chip()
        side = Column(spacing=5)
        side.add(self._name, self._publisher, self._license)
        side.setMinimumWidth(150)
        return side

    def _make_fit(self) -> QWidget:
        self._variant = TextLabel("", TextRole.STRONG, wrap=True)
        self._where = TextLabel("", TextRole.SMALL, "muted")
        self._size = TextLabel("", TextRole.SMALL, "muted")
        head = QWidget()
        line = QHBoxLayout(head)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(10)
        line.addWidget(self._variant, 1)
        line.addWidget(self._where)
        line.addWidget(self._size)
        self._bar = FitBar()
        self._why = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        middle = Column(spacing=5)
        middle.add(head, self._bar, self._why)
        middle.setMinimumWidth(210)
        return middle

    def _make_figures(self) -> QWidget:
        figures = QWidget()
        grid = QGridLayout(figures)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 6)
        grid.setColumnStretch(1, 10)
        self._speed = TextLabel("", TextRole.SMALL, wrap=True)
        self._quality = TextLabel("", TextRole.SMALL, wrap=True)
        self._languages = TextLabel("", TextRole.SMALL, wrap=True)
        self._verdict = Chip()
        names = (self.tr("Speed"), self.tr("Quality kept"), self.tr("Languages"), self.tr("Policy"))
        values = (self._speed, self._quality, self._languages, self._verdict)
        for index, (name, value) in enumerate(zip(names, values, strict=True)):
            grid.addWidget(TextLabel(name, TextRole.SMALL, "faint", wrap=True), index + 1, 0)
            side = Qt.AlignmentFlag.AlignLeft if value is self._verdict else Qt.AlignmentFlag(0)
            grid.addWidget(value, index + 1, 1, side)
        grid.setRowStretch(0, 1)
        grid.setRowStretch(5, 1)
        figures.setMinimumWidth(214)
        keeps_place = figures.sizePolicy()
        keeps_place.setRetainSizeWhenHidden(True)
        figures.setSizePolicy(keeps_place)
        return figures

    def _make_actions(self) -> QWidget:
        self._action = PrimaryButton("")
        self._action.clicked.connect(self._on_action)
        self._more = LinkButton(self.tr("Other sizes"), muted=True, small=True)
        self._more.clicked.connect(self._on_more)
        side = Column(spacing=6)
        side.add(self._action)
        side.column.addWidget(self._more, 0, Qt.AlignmentFlag.AlignHCenter)
        self._all = LinkButton(self.tr("All variants"), muted=True, small=True)
        self._all.clicked.connect(self._on_model)
        side.column.addWidget(self._all, 0, Qt.AlignmentFlag.AlignHCenter)
        side.finish()
        return side

    def _show_variant(self, row: ShelfRow, shown: RankedVariant) -> None:
        for part in (self._bar, self._license, self._figures):
            part.show()
        self._variant.setText(shelf_words.variant_title(row, shown))
        self._where.setText(shelf_words.fit_words(shown.fit))
        self._where.setVisible(row.recommended is not None)
        self._size.setText(shelf_words.size_words(shown))
        self._bar.set_fit(shown.fit)
        self._why.setText(reason_sentences(shown.reasons))
        self._show_figures(row, shown)
        self._languages.setText(shelf_words.language_words(shown.variant.model.languages))
        chip = shelf_words.verdict_chip(shown.decision)
        self._verdict.show_as(chip.text, chip.kind)
        chip = shelf_words.license_chip(shown.decision, self._licenses)
        self._license.show_as(chip.text, chip.kind)

    def _show_figures(self, row: ShelfRow, shown: RankedVariant) -> None:
        """Speed and quality of something that cannot run here would only mislead."""
        if row.recommended is None:
            self._speed.setText("—")
            self._speed.setToolTip("")
            self._quality.setText("—")
            self._quality.setToolTip("")
            return
        speed = shown.fit.speed
        words = (shelf_words.speed_words(speed), shelf_words.speed_mark(speed))
        self._speed.setText(", ".join(filter(None, words)))
        self._speed.setToolTip(shelf_words.speed_details(speed))
        self._quality.setText(shelf_words.quality_words(shown.quality))
        self._quality.setToolTip(shelf_words.quality_details(shown.quality))

    def _show_nothing(self, row: ShelfRow) -> None:
        for part in (self._bar, self._license, self._figures):
            part.hide()
        if row.family.is_new:
            self._license.show_as(self.tr("New, not reviewed"), ChipKind.ACCENT)
            self._license.show()
        if row.decision is not None:
            chip = shelf_words.verdict_chip(row.decision)
            self._verdict.show_as(chip.text, chip.kind)
            for label in (self._speed, self._quality, self._languages):
                label.setText("—")
            self._figures.show()
        self._variant.setText(self._nothing_words(row))
        self._where.setText("")
        self._size.setText("")
        self._why.setText(reason_sentence(row.note) if row.note else "")

    def _nothing_words(self, row: ShelfRow) -> str:
        if row.family.is_new:
            return self.tr("Size not known yet")
        is_embedding = row.family.kind == EMBEDDING
        return self.tr("Embedding model") if is_embedding else self.tr("Nothing to show yet")

    def _show_actions(self, row: ShelfRow, shown: RankedVariant | None) -> None:
        others = self._options.set_row(row)
        family = row.family.name
        fits = row.recommended is not None
        is_installed = shown is not None and shown.installed_id is not None
        if is_installed:
            text, spoken = self.tr("Chat"), self.tr("Chat with {family}").format(family=family)
        elif fits:
            text, spoken = self.tr("Install…"), self.tr("Install {family}").format(family=family)
        else:
            text = self.tr("See options")
            spoken = self.tr("See options for {family}").format(family=family)
        self._action.setText(text)
        self._action.setAccessibleName(spoken)
        self._action.setVisible(fits or is_installed or others)
        set_property(self._action, "look", "primary" if fits or is_installed else "plain")
        self._more.setVisible(others and fits)
        more = self.tr("Other sizes of {family}").format(family=family)
        self._more.setAccessibleName(more)
        spoken = self.tr("All variants of {family}").format(family=family)
        self._all.setAccessibleName(spoken)
        has_model = _model_of(row) is not None
        self._all.setVisible(has_model)
        self._name.set_open(has_model)

    def _on_action(self) -> None:
        shown = self._row.shown if self._row else None
        if shown is not None and shown.installed_id is not None:
            self.chat_pressed.emit(shown.installed_id)
        elif self._row is not None and self._row.recommended is not None:
            self.install_pressed.emit(self._row.recommended.variant.target)
        else:
            self._on_more()

    def _on_model(self) -> None:
        model = _model_of(self._row) if self._row is not None else None
        if model is not None:
            self.model_pressed.emit(model)

    def _on_more(self) -> None:
        if self._options.isHidden():
            self._options.unfold()
        else:
            self._options.hide()


def _model_of(row: ShelfRow) -> str | None:
    """The size whose variants are meant: the one that is shown, else the family's first."""
    if row.shown is not None:
        return row.shown.variant.model.name
    return row.family.models[0].name if row.family.models else None

"""A small read-only table of words: for a dozen or two rows that are replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.containers import Divider
from openshelf.ui.widgets.text import TextLabel


@dataclass(frozen=True)
class Cell:
    """`tooltip` says more; `tone` is one of TextLabel's."""

    text: str
    tone: str = "ink"
    tooltip: str = ""


class PlainTable(QWidget):
    """The first column is strong; columns share the width by `shares`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(0)
        self._headers: tuple[str, ...] = ()
        self._rows: tuple[tuple[Cell, ...], ...] = ()

    @property
    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        return self._rows

    def show_rows(
        self, headers: Sequence[str], rows: Sequence[Sequence[Cell]], shares: Sequence[int]
    ) -> None:
        """Replace everything, unless it is what is shown already."""
        wanted = tuple(tuple(row) for row in rows)
        if (tuple(headers), wanted) == (self._headers, self._rows):
            return
        self._clear()
        self._headers, self._rows = tuple(headers), wanted
        for column, (header, share) in enumerate(zip(headers, shares, strict=True)):
            label = TextLabel(header, TextRole.CHIP, "muted", wrap=True)
            label.setContentsMargins(0, 0, 0, 7)
            self._grid.addWidget(label, 0, column, Qt.AlignmentFlag.AlignBottom)
            self._grid.setColumnStretch(column, share)
        for at, row in enumerate(wanted):
            self._grid.addWidget(Divider(), 2 * at + 1, 0, 1, len(headers))
            for column, cell in enumerate(row):
                self._grid.addWidget(self._make_label(cell, column), 2 * at + 2, column)

    def _make_label(self, cell: Cell, column: int) -> TextLabel:
        role = TextRole.STRONG if column == 0 else TextRole.BODY
        label = TextLabel(cell.text, role, cell.tone, wrap=True)
        label.setContentsMargins(0, 7, 0, 7)
        label.setToolTip(cell.tooltip)
        return label

    def _clear(self) -> None:
        for column in range(len(self._headers)):
            self._grid.setColumnStretch(column, 0)
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()

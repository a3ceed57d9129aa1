"""Where the memory of a model goes, in figures: one row per part, one column per kind of memory."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from openshelf.ui.models.model_memory import PoolParts
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes

_MOST_COLUMNS = 3
_ROWS = 5


class MemoryParts(QWidget):
    """Labels that are made once and only change their words."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(0, 1)
        self._names = [TextLabel("", TextRole.SMALL, wrap=True) for _ in range(_ROWS)]
        self._figures: list[list[TextLabel]] = []
        tips = ("", "", self.tr("The KV cache"), self.tr("llama.cpp’s compute buffers"), "")
        for row, name in enumerate(self._names):
            name.setToolTip(tips[row])
            self._grid.addWidget(name, row, 0)
        for column in range(_MOST_COLUMNS):
            labels = [TextLabel("", TextRole.SMALL, "muted" if row == 0 else "ink")
                      for row in range(_ROWS)]  # fmt: skip
            for row, label in enumerate(labels):
                label.set_tabular(TextRole.SMALL)
                label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self._grid.addWidget(label, row, column + 1)
            self._figures.append(labels)

    def show_columns(self, columns: Sequence[PoolParts], context: str) -> None:
        """`context` tells length and type of the context memory."""
        self.setVisible(bool(columns))
        names = (
            "",
            self.tr("Weights"),
            self.tr("Context memory, {context}").format(context=context),
            self.tr("Work buffers"),
            self.tr("Kept for the system"),
        )
        for label, name in zip(self._names, names, strict=True):
            label.setText(name)
        for at, labels in enumerate(self._figures):
            part = columns[at] if at < len(columns) else None
            for row, text in enumerate(_texts(part)):
                labels[row].setText(text)
                labels[row].setVisible(part is not None and (row > 0 or len(columns) > 1))
                labels[row].setToolTip(part.details if part is not None else "")
        self._names[0].setVisible(len(columns) > 1)


def _texts(part: PoolParts | None) -> tuple[str, ...]:
    if part is None:
        return ("",) * _ROWS
    sizes = (
        part.weights_bytes, part.kv_cache_bytes, part.compute_buffer_bytes, part.kept_bytes,
    )  # fmt: skip
    return (part.title, *(format_bytes(size, binary=True) for size in sizes))

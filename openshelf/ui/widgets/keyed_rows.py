"""A column of rows that are compared by key: a row that stays keeps its widget and its focus."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from PySide6.QtWidgets import QVBoxLayout, QWidget

W = TypeVar("W", bound=QWidget)


class KeyedRows(QWidget, Generic[W]):
    """Rows of one kind, in the order of their keys."""

    def __init__(self, *, spacing: int = 0) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(spacing)
        self._rows: dict[Hashable, W] = {}

    @property
    def rows(self) -> tuple[W, ...]:
        """From top to bottom."""
        return tuple(self._rows.values())

    def row(self, key: Hashable) -> W | None:
        return self._rows.get(key)

    def set_keys(self, keys: Sequence[Hashable], make: Callable[[Hashable], W]) -> None:
        """Take away rows whose key is gone, make those that are new, keep the rest."""
        wanted = set(keys)
        for key in [known for known in self._rows if known not in wanted]:
            row = self._rows.pop(key)
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        rows: dict[Hashable, W] = {}
        for at, key in enumerate(keys):
            row = self._rows[key] if key in self._rows else make(key)
            rows[key] = row
            if self._column.indexOf(row) != at:
                self._column.removeWidget(row)
                self._column.insertWidget(at, row)
        self._rows = rows

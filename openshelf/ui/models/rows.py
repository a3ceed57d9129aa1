"""A list model whose rows are compared by key: what stayed is never taken away and put back."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeVar

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)
from typing_extensions import override

R = TypeVar("R")
Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = Qt.ItemDataRole.UserRole
"""The row itself, a frozen dataclass."""


class RowsModel(QAbstractListModel, Generic[R]):
    """Subclasses say the `key` of a row and its `text`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[R] = []

    def key(self, row: R) -> Hashable:
        raise NotImplementedError

    def text(self, row: R) -> str:
        raise NotImplementedError

    @property
    def rows(self) -> tuple[R, ...]:
        return tuple(self._rows)

    def position(self, key: Hashable) -> int | None:
        return next((i for i, row in enumerate(self._rows) if self.key(row) == key), None)

    def set_rows(self, rows: Sequence[R]) -> None:
        """Take away what is gone, move and insert the rest, announce only what changed."""
        wanted = {self.key(row) for row in rows}
        for at in range(len(self._rows) - 1, -1, -1):
            if self.key(self._rows[at]) not in wanted:
                self.beginRemoveRows(QModelIndex(), at, at)
                del self._rows[at]
                self.endRemoveRows()
        for at, row in enumerate(rows):
            self._place(at, row)

    def _place(self, at: int, row: R) -> None:
        key = self.key(row)
        found = self.position(key)
        if found is None:
            self.beginInsertRows(QModelIndex(), at, at)
            self._rows.insert(at, row)
            self.endInsertRows()
            return
        if found != at:
            self.beginMoveRows(QModelIndex(), found, found, QModelIndex(), at)
            self._rows.insert(at, self._rows.pop(found))
            self.endMoveRows()
        if self._rows[at] != row:
            self._rows[at] = row
            index = self.index(at)
            self.dataChanged.emit(index, index)

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.text(row)
        return row if role == ROW_ROLE else None

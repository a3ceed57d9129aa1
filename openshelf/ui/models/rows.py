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
        """Take away what is gone, move and insert the rest, announce only what changed.

        Runs of rows go and come together: each announcement costs the view a look at all rows.
        """
        wanted = [self.key(row) for row in rows]
        have = self._take_away(set(wanted))
        known = set(have)
        at = 0
        while at < len(rows):
            if wanted[at] not in known:
                end = at + 1
                while end < len(rows) and wanted[end] not in known:
                    end += 1
                self.beginInsertRows(QModelIndex(), at, end - 1)
                self._rows[at:at], have[at:at] = rows[at:end], wanted[at:end]
                self.endInsertRows()
                at = end
                continue
            if have[at] != wanted[at]:
                self._move(have, have.index(wanted[at], at), at)
            at += 1
        self._note_changes(rows)

    def _take_away(self, wanted: set[Hashable]) -> list[Hashable]:
        """Remove what is not wanted, from the end; returns the keys that stay, in their order."""
        have = [self.key(row) for row in self._rows]
        end = len(have)
        while end > 0:
            if have[end - 1] in wanted:
                end -= 1
                continue
            start = end - 1
            while start > 0 and have[start - 1] not in wanted:
                start -= 1
            self.beginRemoveRows(QModelIndex(), start, end - 1)
            del self._rows[start:end], have[start:end]
            self.endRemoveRows()
            end = start
        return have

    def _move(self, have: list[Hashable], found: int, at: int) -> None:
        self.beginMoveRows(QModelIndex(), found, found, QModelIndex(), at)
        self._rows.insert(at, self._rows.pop(found))
        have.insert(at, have.pop(found))
        self.endMoveRows()

    def _note_changes(self, rows: Sequence[R]) -> None:
        changed = [at for at, row in enumerate(rows) if self._rows[at] != row]
        if changed:
            self._rows[:] = rows
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))

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

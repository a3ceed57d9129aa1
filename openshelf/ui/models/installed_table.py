"""The installed models as a table, thousands of them: words are made for the rows that are seen."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from typing_extensions import override

from openshelf.library.installed import InstalledModel
from openshelf.ui.models import installed_words as words
from openshelf.ui.models.library_facts import LibraryFacts
from openshelf.ui.models.plain_text import plain_tooltip
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.units import format_bytes


class InstalledColumn(enum.IntEnum):
    MODEL = 0
    QUANT = 1
    SIZE = 2
    LICENSE = 3
    INTEGRITY = 4
    USED = 5
    SPEED = 6
    NOTE = 7
    """What is worth a look first, as a chip; pressed where there is news."""
    ACTION = 8
    MORE = 9


NUMBERS = (InstalledColumn.SIZE, InstalledColumn.SPEED)
"""Columns whose texts stand at the right."""
SORTED = tuple(column for column in InstalledColumn if column < InstalledColumn.NOTE)
_MANY = 50
"""So many changes are told one by one; more are told at once."""


class InstalledTableModel(QAbstractTableModel):
    """Rows are compared by id: what stays keeps its place in the selection."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[InstalledModel] = []
        self._places: dict[str, int] = {}
        self._facts = LibraryFacts()
        self._column: InstalledColumn | None = None
        self._direction = Qt.SortOrder.AscendingOrder

    @property
    def rows(self) -> tuple[InstalledModel, ...]:
        """As they stand in the table."""
        return tuple(self._rows)

    @property
    def facts(self) -> LibraryFacts:
        return self._facts

    def position(self, model_id: str) -> int | None:
        return self._places.get(model_id)

    def row(self, model_id: str) -> InstalledModel | None:
        at = self._places.get(model_id)
        return None if at is None else self._rows[at]

    def set_facts(self, facts: LibraryFacts) -> None:
        """The newest first, until somebody sorts them otherwise."""
        known, before = self._facts, self._rows
        self._facts = facts
        rows = self._ordered(facts.installed)
        if [model.id for model in rows] == [model.id for model in before]:
            self._rows = rows
            is_other = _context(known) != _context(facts)
            changed = [at for at, row in enumerate(rows) if is_other or row != before[at]]
            if changed:
                last = self.index(changed[-1], len(InstalledColumn) - 1)
                self.dataChanged.emit(self.index(changed[0], 0), last)
            return
        gone = {model.id for model in before} - {model.id for model in rows}
        if len(gone) > _MANY or not before:
            self._start_anew(rows)
            return
        for at in range(len(before) - 1, -1, -1):
            if before[at].id in gone:
                self.beginRemoveRows(QModelIndex(), at, at)
                del self._rows[at]
                self.endRemoveRows()
        self._rearrange(rows)

    def _start_anew(self, rows: list[InstalledModel]) -> None:
        self.beginResetModel()
        self._take(rows)
        self.endResetModel()

    def _rearrange(self, rows: list[InstalledModel]) -> None:
        """New ones come, all find their places, and the selection goes along."""
        known = {model.id for model in self._rows}
        new = [model for model in rows if model.id not in known]
        if new:
            at = len(self._rows)
            self.beginInsertRows(QModelIndex(), at, at + len(new) - 1)
            self._rows += new
            self.endInsertRows()
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        ids = [self._rows[index.row()].id for index in before]
        self._take(rows)
        after = [
            self.index(self._places[model_id], index.column())
            for model_id, index in zip(ids, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _take(self, rows: list[InstalledModel]) -> None:
        self._rows = rows
        self._places = {model.id: at for at, model in enumerate(rows)}

    def _ordered(self, models: Sequence[InstalledModel]) -> list[InstalledModel]:
        rows = sorted(models, key=lambda model: model.installed_at, reverse=True)
        if self._column is None:
            return rows
        key = _KEYS[self._column]
        known = [row for row in rows if key(row) is not None]
        known.sort(key=key, reverse=self._direction is Qt.SortOrder.DescendingOrder)
        return known + [row for row in rows if key(row) is None]

    @override
    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        is_known = column in SORTED
        self._column, self._direction = InstalledColumn(column) if is_known else None, order
        rows = self._ordered(self._facts.installed)
        if rows != self._rows:
            self._rearrange(rows)

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(InstalledColumn)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        model, column = self._rows[index.row()], InstalledColumn(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._text(model, column)
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._spoken(model, column)
            case Qt.ItemDataRole.ToolTipRole:
                return self._details(model, column)
            case _:
                return model if role == ROW_ROLE else None

    def _text(self, model: InstalledModel, column: InstalledColumn) -> str:
        match column:
            case InstalledColumn.MODEL:
                return words.plain_name(model)
            case InstalledColumn.QUANT:
                return model.quant or words.NOTHING
            case InstalledColumn.SIZE:
                return format_bytes(model.size_bytes)
            case InstalledColumn.LICENSE:
                return words.license_words(model, self._facts)
            case InstalledColumn.INTEGRITY:
                return words.integrity_words(model)[0]
            case InstalledColumn.USED:
                return words.used_words(model)
            case InstalledColumn.SPEED:
                return words.speed_words(model)
            case InstalledColumn.NOTE:
                return words.note_words(model, self._facts)
            case InstalledColumn.ACTION:
                return words.action_words(model)
            case InstalledColumn.MORE:
                return "⋯"

    def _spoken(self, model: InstalledModel, column: InstalledColumn) -> str:
        match column:
            case InstalledColumn.MODEL:
                return words.spoken_row(model, self._facts)
            case InstalledColumn.ACTION:
                return words.spoken_action(model)
            case InstalledColumn.MORE:
                return self.tr("More about {name}").format(name=words.plain_name(model))
            case _:
                return self._text(model, column)

    def _details(self, model: InstalledModel, column: InstalledColumn) -> str | None:
        match column:
            case InstalledColumn.MODEL:
                text = model.id
            case InstalledColumn.LICENSE:
                text = words.license_details(model, self._facts)
            case InstalledColumn.INTEGRITY:
                text = words.integrity_details(model)
            case InstalledColumn.ACTION | InstalledColumn.MORE:
                text = self._spoken(model, column)
            case _:
                return None
        return plain_tooltip(text)

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        is_name = role == Qt.ItemDataRole.DisplayRole and 0 <= section < len(InstalledColumn)
        if orientation is not Qt.Orientation.Horizontal or not is_name:
            return None
        return (
            self.tr("Model"), self.tr("Variant"), self.tr("Size"), self.tr("License"),
            self.tr("Integrity"), self.tr("Last used"), self.tr("Measured"), "", "", "",
        )[section]  # fmt: skip


def _context(facts: LibraryFacts) -> tuple[object, ...]:
    """What changes the words of every row."""
    return facts.accepted, facts.loaded_id, facts.licenses


_KEYS: dict[InstalledColumn, Callable[[InstalledModel], Any]] = {
    InstalledColumn.MODEL: lambda model: words.plain_name(model).casefold(),
    InstalledColumn.QUANT: lambda model: model.quant,
    InstalledColumn.SIZE: lambda model: model.size_bytes,
    InstalledColumn.LICENSE: lambda model: model.license_expression.casefold(),
    InstalledColumn.INTEGRITY: lambda model: model.verified_at,
    InstalledColumn.USED: lambda model: model.last_used_at,
    InstalledColumn.SPEED: lambda model: model.decode_tokens_per_second,
}
"""None is last in either direction."""

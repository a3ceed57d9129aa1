"""The builds of one model as a table: compared by target, so that rows keep place and selection."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QObject,
    Qt,
)
from typing_extensions import override

from openshelf.shelf.builds import BuildRow, BuildTable
from openshelf.ui.models import model_words
from openshelf.ui.models.plain_text import plain_tooltip
from openshelf.ui.models.rows import ROW_ROLE, Index
from openshelf.ui.models.shelf_words import quality_details, speed_details


def _tr(text: str) -> str:
    return QCoreApplication.translate("BuildTable", text)


class BuildColumn(enum.IntEnum):
    VARIANT = 0
    BITS = 1
    SIZE = 2
    MEMORY = 3
    SPEED = 4
    QUALITY = 5
    PACKAGER = 6
    DOWNLOADS = 7
    FIT = 8


NUMBERS = (
    BuildColumn.BITS, BuildColumn.SIZE, BuildColumn.SPEED, BuildColumn.QUALITY,
    BuildColumn.DOWNLOADS,
)  # fmt: skip
"""Columns whose texts stand at the right."""


@dataclass(frozen=True)
class ShownBuild:
    """A row, and where the listing has it."""

    row: BuildRow
    is_recommended: bool
    order: int

    @property
    def target(self) -> str:
        return self.row.build.target

    def looks_like(self, other: ShownBuild) -> bool:
        """Whether a person would see no difference; what was asked is not seen."""
        return self._seen() == other._seen()

    def _seen(self) -> tuple[object, ...]:
        fit = self.row.fit
        figures = fit and (fit.method, fit.shape_source, fit.verdict, fit.gpu_layers, fit.devices)
        rest = fit and (fit.pools, fit.speed, fit.reasons)
        return self.row.build, self.is_recommended, figures, rest


class BuildTableModel(QAbstractTableModel):
    """Never reset: `set_table` inserts, removes, moves and announces only what changed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ShownBuild] = []
        self._column = BuildColumn.SIZE
        self._direction = Qt.SortOrder.DescendingOrder

    @property
    def rows(self) -> tuple[ShownBuild, ...]:
        """As they stand in the table."""
        return tuple(self._rows)

    def position(self, target: str) -> int | None:
        return next((i for i, row in enumerate(self._rows) if row.target == target), None)

    def set_table(self, table: BuildTable) -> None:
        rows = [
            ShownBuild(row, row.build.target == table.recommended, order)
            for order, row in enumerate(table.rows)
        ]
        wanted = {row.target: row for row in rows}
        for at in range(len(self._rows) - 1, -1, -1):
            if self._rows[at].target not in wanted:
                self.beginRemoveRows(QModelIndex(), at, at)
                del self._rows[at]
                self.endRemoveRows()
        changed = self._replace(wanted)
        known = {row.target for row in self._rows}
        new = [row for row in rows if row.target not in known]
        if new:
            self.beginInsertRows(QModelIndex(), len(known), len(known) + len(new) - 1)
            self._rows += new
            self.endInsertRows()
        self._put_in_order()
        self._announce(changed)

    def _replace(self, wanted: dict[str, ShownBuild]) -> set[str]:
        changed = set()
        for at, row in enumerate(self._rows):
            if not row.looks_like(wanted[row.target]):
                changed.add(row.target)
            self._rows[at] = wanted[row.target]
        return changed

    def _announce(self, changed: set[str]) -> None:
        """Rows beside each other in one go."""
        first: int | None = None
        for at in range(len(self._rows) + 1):
            is_changed = at < len(self._rows) and self._rows[at].target in changed
            if is_changed and first is None:
                first = at
            elif not is_changed and first is not None:
                last = self.index(at - 1, len(BuildColumn) - 1)
                self.dataChanged.emit(self.index(first, 0), last)
                first = None

    def _put_in_order(self) -> None:
        rows = sorted(self._rows, key=lambda row: row.order)
        key = _KEYS[self._column]
        known = [row for row in rows if key(row) is not None]
        known.sort(key=key, reverse=self._direction is Qt.SortOrder.DescendingOrder)
        rows = known + [row for row in rows if key(row) is None]
        if [row.target for row in rows] == [row.target for row in self._rows]:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        places = {row.target: at for at, row in enumerate(rows)}
        after = [self.index(places[self._rows[i.row()].target], i.column()) for i in before]
        self._rows = rows
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    @override
    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if 0 <= column < len(BuildColumn):
            self._column, self._direction = BuildColumn(column), order
            self._put_in_order()

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(BuildColumn)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        shown, column = self._rows[index.row()], BuildColumn(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _text(shown.row, column)
            case Qt.ItemDataRole.AccessibleTextRole if column is BuildColumn.VARIANT:
                return model_words.spoken_row(shown.row, is_recommended=shown.is_recommended)
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(_tooltip(shown.row, column))
            case _:
                return shown if role == ROW_ROLE else None

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(BuildColumn):
            return None
        column = BuildColumn(section)
        if role == Qt.ItemDataRole.DisplayRole:
            return _header(column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column in NUMBERS else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None


def _header(column: BuildColumn) -> str:
    return {
        BuildColumn.VARIANT: _tr("Variant"),
        BuildColumn.BITS: _tr("Bits"),
        BuildColumn.SIZE: _tr("Size"),
        BuildColumn.MEMORY: _tr("Memory"),
        BuildColumn.SPEED: _tr("Speed"),
        BuildColumn.QUALITY: _tr("Quality lost"),
        BuildColumn.PACKAGER: _tr("Packaged by"),
        BuildColumn.DOWNLOADS: _tr("Downloads"),
        BuildColumn.FIT: _tr("Fit"),
    }[column]


def _text(row: BuildRow, column: BuildColumn) -> str:
    build, fit = row.build, row.fit
    match column:
        case BuildColumn.VARIANT:
            return model_words.build_title(build)
        case BuildColumn.BITS:
            return model_words.bits_words(build)
        case BuildColumn.SIZE:
            return model_words.size_words(build)
        case BuildColumn.MEMORY:
            return model_words.where_words(fit)
        case BuildColumn.SPEED:
            return model_words.row_speed(fit)
        case BuildColumn.QUALITY:
            return model_words.lost_words(build.quality)
        case BuildColumn.PACKAGER:
            return model_words.packager_words(build)
        case BuildColumn.DOWNLOADS:
            return model_words.count_words(build.downloads)
        case BuildColumn.FIT:
            return model_words.basis_words(model_words.basis_of(fit))


def _tooltip(row: BuildRow, column: BuildColumn) -> str:
    build = row.build
    match column:
        case BuildColumn.VARIANT:
            files = "\n".join(model_words.plain(name) for name in build.files[:8])
            return "\n".join(filter(None, (files, model_words.recipe_details(build))))
        case BuildColumn.SIZE if build.size_is_expected:
            return _tr("Expected: the Hub did not tell this file’s size.")
        case BuildColumn.SPEED:
            fit = row.fit
            return speed_details(fit.speed) if fit is not None and fit.verdict.fits else ""
        case BuildColumn.QUALITY:
            return quality_details(build.quality)
        case BuildColumn.PACKAGER:
            return model_words.packager_details(build)
        case BuildColumn.DOWNLOADS:
            counted = _tr("Of the whole repository, as the Hub counts them.")
            return "\n".join(filter(None, (counted, model_words.date_details(build))))
        case BuildColumn.FIT:
            return model_words.basis_details(model_words.basis_of(row.fit))
        case _:
            return ""


def _speed(shown: ShownBuild) -> float | None:
    fit = shown.row.fit
    if fit is None or fit.speed is None or not fit.verdict.fits:
        return None
    return fit.speed.decode.high


def _lost(shown: ShownBuild) -> float | None:
    kept = shown.row.build.quality.kept
    return None if kept is None else 1 - kept


_KEYS: dict[BuildColumn, Callable[[ShownBuild], Any]] = {
    BuildColumn.VARIANT: lambda shown: model_words.build_title(shown.row.build).casefold(),
    BuildColumn.BITS: lambda shown: shown.row.build.bits_per_weight,
    BuildColumn.SIZE: lambda shown: shown.row.build.size_bytes,
    BuildColumn.MEMORY: lambda shown: shown.row.fit.total_bytes if shown.row.fit else None,
    BuildColumn.SPEED: _speed,
    BuildColumn.QUALITY: _lost,
    BuildColumn.PACKAGER: lambda shown: model_words.packager_words(shown.row.build).casefold(),
    BuildColumn.DOWNLOADS: lambda shown: shown.row.build.downloads,
    BuildColumn.FIT: lambda shown: model_words.basis_of(shown.row.fit),
}
"""None is unknown, and last in either direction."""

"""A button that tells which machine is reckoned with, and a list with a search to choose others."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QSize,
    QSortFilterProxyModel,
    QStringListModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.hardware.facts import Machine
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.conversation_list import ConversationDelegate

_ROWS_SHOWN = 9
_LEAST_WIDTH = 300


class WordsFilter(QSortFilterProxyModel):
    """Keeps the rows in which all words of the search occur."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words: list[str] = []

    def set_search(self, text: str) -> None:
        self._words = text.casefold().split()
        self.invalidate()

    @override
    def filterAcceptsRow(
        self, source_row: int, source_parent: QModelIndex | QPersistentModelIndex
    ) -> bool:
        text = str(self.sourceModel().index(source_row, 0, source_parent).data()).casefold()
        return all(word in text for word in self._words)


class MachineList(QFrame):
    """The list with its search field; `chosen` carries the row in the names that were given."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("kind", "card")
        self.setAccessibleName(self.tr("Machines"))
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search machines…"))
        self.search.setAccessibleName(self.tr("Search machines"))
        self.search.setClearButtonEnabled(True)
        self._names = QStringListModel(self)
        self._filter = WordsFilter(self)
        self._filter.setSourceModel(self._names)
        self.view = QListView()
        self.view.setModel(self._filter)
        self.view.setItemDelegate(ConversationDelegate(self.view))
        self.view.setMouseTracking(True)
        self.view.setUniformItemSizes(True)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName(self.tr("Machines"))
        column.addWidget(self.search)
        column.addWidget(self.view, 1)
        self.search.textChanged.connect(self._on_search)
        self.search.installEventFilter(self)
        self.view.installEventFilter(self)
        self.view.clicked.connect(self._choose)

    @property
    def shown(self) -> list[str]:
        """The names that the search leaves."""
        model = self._filter
        return [str(model.index(row, 0).data()) for row in range(model.rowCount())]

    def open_below(self, anchor: QWidget, names: Sequence[str], current: int) -> None:
        self._names.setStringList(list(names))
        self.search.clear()
        self._filter.set_search("")
        self.view.setCurrentIndex(self._filter.index(current, 0))
        row = max(20, self.view.sizeHintForRow(0))
        size = QSize(max(_LEAST_WIDTH, anchor.width()), 64 + row * min(_ROWS_SHOWN, len(names)))
        self.resize(size)
        self.move(self._place(anchor, size))
        self.show()
        self.view.scrollTo(self.view.currentIndex())
        self.search.setFocus()

    def _place(self, anchor: QWidget, size: QSize) -> QPoint:
        """Below the button, or as near to it as the screen allows."""
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        offset = 0 if is_mirrored else anchor.width() - size.width()
        place = anchor.mapToGlobal(QPoint(offset, anchor.height() + 4))
        area = anchor.screen().availableGeometry()
        place.setX(max(area.left(), min(place.x(), area.right() - size.width())))
        place.setY(max(area.top(), min(place.y(), area.bottom() - size.height())))
        return place

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up, down and Enter work in the search field too."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self.view.currentIndex())
            return True
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if watched is not self.search or event.key() not in steps:
            return False
        row = self.view.currentIndex().row() + steps[Qt.Key(event.key())]
        if 0 <= row < self._filter.rowCount():
            self.view.setCurrentIndex(self._filter.index(row, 0))
        return True

    def _on_search(self, text: str) -> None:
        self._filter.set_search(text)
        self.view.setCurrentIndex(self._filter.index(0, 0))

    def _choose(self, index: QModelIndex) -> None:
        if index.isValid():
            row = self._filter.mapToSource(index).row()
            self.hide()
            self.chosen.emit(row)


class MachineChooser(Button):
    """`machine_chosen` carries a Machine, or None for the one that people sit at."""

    machine_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__("")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(120)
        self._machines: tuple[Machine, ...] = ()
        self._machine: Machine | None = None
        self._list: MachineList | None = None
        self.clicked.connect(self._on_clicked)
        self._show()

    @property
    def machine(self) -> Machine | None:
        return self._machine

    @property
    def popup(self) -> MachineList | None:
        """The list, once it was opened."""
        return self._list

    def set_machines(self, machines: Sequence[Machine]) -> None:
        self._machines = tuple(machines)

    def choose(self, machine: Machine | None) -> None:
        """Show `machine` as chosen, without a signal."""
        self._machine = machine
        self._show()

    def _names(self) -> list[str]:
        return [self.tr("This machine"), *(machine.name for machine in self._machines)]

    def _on_clicked(self) -> None:
        if self._list is None:
            self._list = MachineList(self)
            self._list.chosen.connect(self._on_chosen)
        current = 0 if self._machine is None else self._machines.index(self._machine) + 1
        self._list.open_below(self, self._names(), current)

    def _on_chosen(self, row: int) -> None:
        machine = self._machines[row - 1] if row else None
        self.setFocus()
        if machine is not self._machine:
            self.choose(machine)
            self.machine_chosen.emit(machine)

    def _show(self) -> None:
        name = self.tr("This machine") if self._machine is None else self._machine.name
        self.setToolTip(name)
        self.setAccessibleName(self.tr("Machine: {name}").format(name=name))
        self._elide(name)

    def _elide(self, name: str) -> None:
        room = max(60, self.width() - 46)
        shown = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, room)
        self.setText(f"{shown.replace('&', '&&')} ▾")

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide(self.toolTip())

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(120, super().minimumSizeHint().height())

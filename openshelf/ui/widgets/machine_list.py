"""Chooses one of the known machines: a field that filters, and a list by maker below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.hardware.facts import Machine
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.conversation_rows import ConversationDelegate
from openshelf.ui.widgets.text import TextLabel

_WIDTH, _HEIGHT = 330, 380
_LIST_KEYS = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp)


@dataclass(frozen=True)
class MachineChoice:
    """`name` is what is chosen, `text` what stands in the list, `group` the heading above it."""

    name: str
    text: str
    group: str


def choices_by_maker(machines: Sequence[Machine], without_gpu: str) -> list[MachineChoice]:
    """All machines under the makers of their GPUs; `without_gpu` is the heading of the others."""
    groups: dict[str, list[MachineChoice]] = {}
    for machine in machines:
        group = machine.gpus[0].vendor if machine.gpus else without_gpu
        choice = MachineChoice(machine.name, machine.name, group)
        groups.setdefault(group, []).append(choice)
    return [choice for group in groups.values() for choice in group]


class MachineList(QFrame):
    """A popup; `chosen` carries a name. `other` makes a name of what was typed, or None."""

    chosen = Signal(str)

    def __init__(
        self,
        parent: QWidget,
        choices: Sequence[MachineChoice],
        other: Callable[[str], str | None],
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setProperty("kind", "sheet")
        self.setAccessibleName(self.tr("Choose a machine"))
        self._choices, self._other = tuple(choices), other
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(8)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search, or write RTX 3090 + 128 GB"))
        self.search.setAccessibleName(self.tr("Search machines"))
        self.search.textChanged.connect(self._show)
        self.search.installEventFilter(self)
        self.view = QListView()
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setItemDelegate(ConversationDelegate(self.view))
        self.view.setMouseTracking(True)
        self.view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.viewport().setAutoFillBackground(False)
        self.view.setAccessibleName(self.tr("Machines"))
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.clicked.connect(self._on_clicked)
        self._model = QStandardItemModel(self)
        self.view.setModel(self._model)
        self.none_line = TextLabel(
            self.tr("No machine is called that."), TextRole.SMALL, "muted", wrap=True
        )
        for part in (self.search, self.view, self.none_line):
            column.addWidget(part)
        self.setFixedSize(_WIDTH, _HEIGHT)
        self._show("")

    def open_below(self, anchor: QWidget) -> None:
        """Below `anchor`, or above it where the screen ends."""
        place = anchor.mapToGlobal(QPoint(0, anchor.height() + 4))
        screen = QGuiApplication.screenAt(place) or QGuiApplication.primaryScreen()
        if screen is not None:
            room = screen.availableGeometry()
            if place.y() + _HEIGHT > room.bottom():
                place = anchor.mapToGlobal(QPoint(0, -_HEIGHT - 4))
            place.setX(max(room.left(), min(place.x(), room.right() - _WIDTH)))
            place.setY(max(room.top(), place.y()))
        self.move(place)
        self.show()
        self.search.setFocus(Qt.FocusReason.PopupFocusReason)

    @property
    def names(self) -> list[str]:
        """What can be chosen now, in order."""
        items = [self._model.item(row) for row in range(self._model.rowCount())]
        return [str(item.data()) for item in items if item.isSelectable()]

    def _show(self, text: str) -> None:
        words = text.casefold().split()
        found = [
            choice
            for choice in self._choices
            if all(word in f"{choice.text} {choice.group}".casefold() for word in words)
        ]
        typed = self._other(text) if text.strip() else None
        if typed is not None and typed not in [choice.name for choice in found]:
            found.insert(0, MachineChoice(typed, typed, self.tr("As written")))
        # Enter takes the first: what was written in full stands before what only holds it.
        found.sort(key=lambda choice: choice.name != typed)
        self._model.clear()
        group = None
        for choice in found:
            if choice.group != group:
                group = choice.group
                heading = QStandardItem(group)
                heading.setFlags(Qt.ItemFlag.NoItemFlags)
                self._model.appendRow(heading)
            item = QStandardItem(choice.text)
            item.setData(choice.name)
            self._model.appendRow(item)
        self.view.setVisible(bool(found))
        self.none_line.setVisible(not found)
        if found:
            self.view.setCurrentIndex(self._model.index(1, 0))
            self.view.scrollToTop()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows move in the list while one goes on typing, Enter chooses, Escape leaves."""
        is_key = event.type() == QEvent.Type.KeyPress
        if watched is self.search and is_key and self._takes_key(event):
            return True
        return super().eventFilter(watched, event)

    def _takes_key(self, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent):
            return False
        if event.key() in _LIST_KEYS:
            self.view.keyPressEvent(event)
            return True
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self.view.currentIndex().row())
            return True
        return False

    def _on_clicked(self) -> None:
        self._choose(self.view.currentIndex().row())

    def _choose(self, row: int) -> None:
        item = self._model.item(row) if row >= 0 else None
        if item is not None and item.isSelectable():
            self.close()
            self.chosen.emit(str(item.data()))

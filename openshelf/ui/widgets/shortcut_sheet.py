"""What the keyboard does in the window, on a sheet: everywhere, and in single rooms."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from openshelf.ui.places import RAIL_ORDER
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.overlay import Overlay
from openshelf.ui.widgets.text import SectionLabel, TextLabel

Entry = tuple[tuple[str, ...], str]
"""Keys, any of which does it, and what it is."""


class ShortcutSheet(Overlay):
    """Tables of keys and words; Esc or the button closes it."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host, width=880, name=host.tr("Keyboard shortcuts"))
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(14)
        column.addWidget(TextLabel(self.tr("Keyboard shortcuts"), TextRole.CARD_TITLE))
        halves = QHBoxLayout()
        halves.setSpacing(32)
        left, right = QVBoxLayout(), QVBoxLayout()
        for half in (left, right):
            half.setSpacing(8)
            halves.addLayout(half, 1)
        self._add_table(left, self.tr("Everywhere"), self._everywhere())
        self._add_table(left, self.tr("Lists and sheets"), self._in_lists())
        self._add_table(right, self.tr("Chat"), self._in_chat())
        for half in (left, right):
            half.addStretch(1)
        column.addLayout(halves)
        self.close_button = Button(self.tr("Close"))
        self.close_button.clicked.connect(self.close_sheet)
        column.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)

    def entries(self) -> tuple[Entry, ...]:
        """All that is listed."""
        return (*self._everywhere(), *self._in_lists(), *self._in_chat())

    def _add_table(self, half: QVBoxLayout, title: str, entries: tuple[Entry, ...]) -> None:
        half.addWidget(SectionLabel(title))
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for row, (keys, words) in enumerate(entries):
            shown = " / ".join(_native(one) for one in keys)
            grid.addWidget(TextLabel(shown, TextRole.STRONG), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(TextLabel(words, TextRole.BODY, "muted", wrap=True), row, 1)
        half.addLayout(grid)
        half.addSpacing(6)

    def _everywhere(self) -> tuple[Entry, ...]:
        names = (
            self.tr("Shelf"), self.tr("Library"), self.tr("Chat"), self.tr("Hardware"),
            self.tr("Policy"),
        )  # fmt: skip
        places = tuple(
            ((f"Ctrl+{number}",), name)
            for number, (_, name) in enumerate(zip(RAIL_ORDER, names, strict=True), start=1)
        )
        return (
            *places,
            (("Ctrl+,",), self.tr("Settings")),
            (("F1",), self.tr("This list")),
            (("Ctrl+Q",), self.tr("Quit")),
        )

    def _in_lists(self) -> tuple[Entry, ...]:
        return (
            (("Esc",), self.tr("Close the sheet; from a model back to the Shelf")),
            (("Alt+Left",), self.tr("From a model back to the Shelf")),
            (("Return",), self.tr("What the row's button does")),
            (("Menu",), self.tr("What else can be done with the row")),
            (("Del",), self.tr("Remove the model, after a question")),
        )

    def _in_chat(self) -> tuple[Entry, ...]:
        return (
            (("Return",), self.tr("Send the message")),
            (("Shift+Return",), self.tr("A new line in it")),
            (("Esc",), self.tr("Stop the answer, or close what is open")),
            (("Ctrl+N",), self.tr("New chat")),
            (("Ctrl+Shift+N",), self.tr("New chat that is not saved")),
            (("Ctrl+Shift+A",), self.tr("Attach files to the message")),
            (("Ctrl+F",), self.tr("Find in this chat")),
            (("F3", "Shift+F3"), self.tr("The next place, the one before")),
            (("Ctrl+E",), self.tr("Ask the last question in other words")),
            (("Ctrl+R",), self.tr("Another answer to it")),
            (("Alt+PgUp", "Alt+PgDown"), self.tr("The version before, the next one")),
            (("PgUp", "PgDown"), self.tr("Scroll, wherever the focus is")),
            (("F2",), self.tr("Rename the chat or folder chosen in the list")),
            (("Del",), self.tr("Delete it; what is in a folder stays")),
            (("Menu",), self.tr("In the list: pin, move to a folder")),
        )


def _native(keys: str) -> str:
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) or keys

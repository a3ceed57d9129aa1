"""What the keyboard does on the chat page, on a sheet."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.overlay import Overlay
from openshelf.ui.widgets.text import TextLabel


class ShortcutSheet(Overlay):
    """A table of keys and words; Esc or the button closes it."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host, width=460, name=host.tr("Keyboard shortcuts"))
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(24, 20, 24, 18)
        column.setSpacing(14)
        column.addWidget(TextLabel(self.tr("Keyboard shortcuts"), TextRole.CARD_TITLE))
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(7)
        grid.setColumnStretch(1, 1)
        for row, (keys, words) in enumerate(self._entries()):
            shown = " / ".join(_native(one) for one in keys)
            label = TextLabel(shown, TextRole.STRONG)
            spoken = TextLabel(words, TextRole.BODY, "muted", wrap=True)
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(spoken, row, 1)
        column.addLayout(grid)
        self.close_button = Button(self.tr("Close"))
        self.close_button.clicked.connect(self.close_sheet)
        column.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)

    def _entries(self) -> tuple[tuple[tuple[str, ...], str], ...]:
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
            (("PgUp", "PgDown"), self.tr("Scroll, wherever in the conversation the focus is")),
            (("F2",), self.tr("Rename the chat or folder chosen in the list")),
            (("Del",), self.tr("Delete it; what is in a folder stays")),
            (("Menu",), self.tr("In the list: pin, move to a folder")),
            (("F1",), self.tr("This list")),
        )


def _native(keys: str) -> str:
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) or keys

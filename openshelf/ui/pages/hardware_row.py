"""One row of what was found: kind, name, figures, what the engine makes of it, what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from openshelf.ui.theme import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.chip import Chip
from openshelf.ui.widgets.containers import Divider
from openshelf.ui.widgets.text import TextLabel

CHANGE, ENABLE, BUILDS = "change", "enable", "builds"


@dataclass(frozen=True)
class Link:
    """Something that can be done with a row."""

    id: str
    text: str


class FoundRow(QWidget):
    """Kind, name, figures; at the right what the engine makes of it."""

    linked = Signal(str)

    def __init__(self, kind: str, name: str, figures: str) -> None:
        super().__init__()
        self.name = name
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QHBoxLayout()
        row.setContentsMargins(0, 9, 0, 9)
        row.setSpacing(12)
        caption = TextLabel(kind, TextRole.BODY, "muted")
        caption.setFixedWidth(74)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch(1)
        words.addWidget(TextLabel(name, TextRole.STRONG, wrap=True, selectable=True))
        if figures:
            words.addWidget(TextLabel(figures, TextRole.TINY, "muted", wrap=True))
        words.addStretch(1)
        self._row = row
        self._commands: QFrame | None = None
        row.addWidget(caption, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(words, 5)
        column.addLayout(row)
        self.below = QVBoxLayout()
        self.below.setSpacing(8)
        column.addLayout(self.below)
        column.addWidget(Divider())

    def add_state(
        self, state: tuple[str, ChipKind] | None, why: str = "", links: Sequence[Link] = ()
    ) -> None:
        """At the right: a chip with its words, why it is so, and what can be done."""
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addStretch(1)
        if state is not None:
            column.addWidget(Chip(*state), 0, Qt.AlignmentFlag.AlignLeft)
        if why:
            column.addWidget(TextLabel(why, TextRole.TINY, "muted", wrap=True))
        row = QHBoxLayout()
        row.setSpacing(10)
        for link in links:
            button = LinkButton(link.text, f"{link.text}: {self.name}", small=True)
            button.setProperty("link", link.id)
            button.clicked.connect(self._on_link)
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(1)
        self._row.addLayout(column, 4)

    def focus_link(self, link: str) -> None:
        for button in self.findChildren(LinkButton):
            if button.property("link") == link:
                button.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_commands(self, commands: Sequence[str]) -> None:
        """What to type for an engine that can use it; pressed again, they go."""
        if self._commands is not None:
            self._commands.hide()
            self._commands.deleteLater()
            self._commands = None
            self.below.setContentsMargins(0, 0, 0, 0)
            return
        self._commands = QFrame()
        self._commands.setProperty("kind", "well")
        column = QVBoxLayout(self._commands)
        column.setContentsMargins(12, 10, 12, 10)
        text = self.tr(
            "Add a folder with a llama.cpp for this GPU under Engine builds, or install the engine "
            "anew with one of these, then start Openshelf again:"
        )
        column.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        for command in commands:
            column.addWidget(TextLabel(command, TextRole.CODE, wrap=True, selectable=True))
        self.below.addWidget(self._commands)
        self.below.setContentsMargins(0, 0, 0, 10)
        self._commands.show()

    def _on_link(self) -> None:
        self.linked.emit(str(self.sender().property("link")))

"""Terms as they were accepted beside the terms of now, passage by passage."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from openshelf.ui.models.terms_change import ShownPassage, ShownTermsChange, ShownTextChange
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.marked_text import ADDED, REMOVED, MarkedText
from openshelf.ui.widgets.text import TextLabel

_AT_ONCE = 20
"""Passages shown before more are asked for."""


class TermsChangePart(QFrame):
    """Everything that changed; `grown` when more of it is shown."""

    grown = Signal()

    def __init__(self, change: ShownTermsChange) -> None:
        super().__init__()
        self.setProperty("kind", "notice")
        self.setProperty("level", "warning")
        self.setAccessibleName(change.title)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        column.addWidget(TextLabel(change.title, TextRole.STRONG, wrap=True))
        if change.before or change.after:
            columns = SideBySide()
            columns.add(change.before, change.after, TextRole.STRONG)
            column.addWidget(columns)
        self.texts: list[ChangedText] = []
        for text in change.texts:
            part = ChangedText(text)
            part.grown.connect(self.grown)
            self.texts.append(part)
            column.addWidget(part)


class ChangedText(QWidget):
    """The passages of one text, some at a time."""

    grown = Signal()

    def __init__(self, text: ShownTextChange) -> None:
        super().__init__()
        self._left = list(text.passages)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        title = TextLabel(text.title, TextRole.SMALL_STRONG, wrap=True)
        title.setToolTip(text.url)
        column.addWidget(title)
        if text.note:
            column.addWidget(TextLabel(text.note, TextRole.SMALL, wrap=True))
        self.columns = SideBySide()
        self.columns.setVisible(bool(self._left))
        column.addWidget(self.columns)
        self.more = LinkButton("", small=True)
        self.more.clicked.connect(self._on_more)
        column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        self._show_some()

    def _show_some(self) -> None:
        some, self._left = self._left[:_AT_ONCE], self._left[_AT_ONCE:]
        for passage in some:
            self.columns.add_passage(passage)
        self.more.setText(self.tr("Show %n more passage(s)", "", len(self._left)))
        self.more.setVisible(bool(self._left))

    def _on_more(self) -> None:
        self._show_some()
        self.grown.emit()


class SideBySide(QWidget):
    """Two columns under their headings: what was accepted, what it is now."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(8)
        for column, words in enumerate((self.tr("As accepted"), self.tr("As it is now"))):
            self._grid.setColumnStretch(column, 1)
            self._grid.addWidget(TextLabel(words, TextRole.CHIP, "muted"), 0, column)

    def add(self, before: str, after: str, role: TextRole = TextRole.SMALL) -> None:
        """One line each; where a side has none, that is said."""
        row = self._grid.rowCount()
        for column, text in enumerate((before, after)):
            label = TextLabel(text, role, wrap=True, selectable=True) if text else self._absent()
            self._put(label, row, column, text)

    def add_passage(self, passage: ShownPassage) -> None:
        """One passage with its changed words marked."""
        row = self._grid.rowCount()
        for column, pieces in enumerate((passage.before, passage.after)):
            text = "".join(piece.text for piece in pieces)
            side = ADDED if column else REMOVED
            part = MarkedText(pieces, side, TextRole.SMALL) if text else self._absent()
            self._put(part, row, column, text)
            if isinstance(part, MarkedText) and part.marked:
                what = self.tr("New words: {words}") if column else self.tr("Gone: {words}")
                part.setAccessibleDescription(what.format(words=" … ".join(part.marked)))

    def _absent(self) -> TextLabel:
        return TextLabel(self.tr("(not in this text)"), TextRole.SMALL, "muted", wrap=True)

    def _put(self, part: QWidget, row: int, column: int, text: str) -> None:
        name = self.tr("Before: {text}") if column == 0 else self.tr("Now: {text}")
        part.setAccessibleName(name.format(text=text or self.tr("(not in this text)")))
        self._grid.addWidget(part, row, column, Qt.AlignmentFlag.AlignTop)

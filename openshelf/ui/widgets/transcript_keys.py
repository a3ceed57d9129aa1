"""What can be done with a conversation's messages by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from openshelf.ui.widgets.transcript import Transcript
from openshelf.ui.widgets.transcript_find import TranscriptFind


class TranscriptKeys(QObject):
    """Ctrl+E edits the last question, Ctrl+R asks for another answer, Alt+Page Up and Down turn
    to another version, Ctrl+F finds words, F3 and Shift+F3 go from one place to the next."""

    def __init__(self, transcript: Transcript, find: TranscriptFind, page: QWidget) -> None:
        super().__init__(page)
        self._transcript, self._find = transcript, find
        self._add(page, "Ctrl+E", transcript.edit_last_question)
        self._add(page, "Ctrl+R", transcript.regenerate_last_answer)
        self._add(page, "Alt+PgUp", self._on_back)
        self._add(page, "Alt+PgDown", self._on_forth)
        self._add(page, "Ctrl+F", find.open)
        self._add(page, "F3", self._on_next_found)
        self._add(page, "Shift+F3", self._on_found_before)

    def _add(self, page: QWidget, keys: str, act: Callable[[], None]) -> None:
        shortcut = QShortcut(QKeySequence(keys), page)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(act)

    def _on_next_found(self) -> None:
        self._find.step(1)

    def _on_found_before(self) -> None:
        self._find.step(-1)

    def _on_back(self) -> None:
        self._transcript.turn_version(-1)

    def _on_forth(self) -> None:
        self._transcript.turn_version(1)

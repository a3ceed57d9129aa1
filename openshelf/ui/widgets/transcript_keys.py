"""What can be done with a conversation's messages by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from openshelf.ui.widgets.transcript import Transcript


class TranscriptKeys(QObject):
    """Ctrl+E edits the last question, Ctrl+R asks for another answer, Alt+Page Up and Down turn
    to another version."""

    def __init__(self, transcript: Transcript, page: QWidget) -> None:
        super().__init__(page)
        self._transcript = transcript
        self._add(page, "Ctrl+E", transcript.edit_last_question)
        self._add(page, "Ctrl+R", transcript.regenerate_last_answer)
        self._add(page, "Alt+PgUp", self._on_back)
        self._add(page, "Alt+PgDown", self._on_forth)

    def _add(self, page: QWidget, keys: str, act: Callable[[], None]) -> None:
        shortcut = QShortcut(QKeySequence(keys), page)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(act)

    def _on_back(self) -> None:
        self._transcript.turn_version(-1)

    def _on_forth(self) -> None:
        self._transcript.turn_version(1)

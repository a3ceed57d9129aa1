"""Text with some of its words marked: struck out where they are gone, underlined where new."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QResizeEvent, QTextCharFormat, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextEdit
from typing_extensions import override

from openshelf.licenses.changed_words import Piece
from openshelf.ui.theme import TextRole, color, font

REMOVED, ADDED = "removed", "added"


class MarkedText(QTextEdit):
    """Plain text at its full height that can be selected. `side` is REMOVED or ADDED.

    The marks are never color alone.
    """

    def __init__(self, pieces: Sequence[Piece], side: str, role: TextRole) -> None:
        super().__init__()
        self._pieces, self._side = tuple(pieces), side
        self.setFont(font(role))
        self.setReadOnly(True)
        self.setAcceptRichText(False)
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        self.document().documentLayout().documentSizeChanged.connect(self._on_size_changed)
        self._write()

    @property
    def marked(self) -> tuple[str, ...]:
        return tuple(piece.text for piece in self._pieces if piece.is_changed)

    def _write(self) -> None:
        self.document().clear()
        cursor = QTextCursor(self.document())
        for piece in self._pieces:
            cursor.insertText(piece.text, self._format(piece))
        self._fit_height()

    def _format(self, piece: Piece) -> QTextCharFormat:
        shape = QTextCharFormat()
        shape.setForeground(color("ink"))
        if piece.is_changed:
            tone = "bad" if self._side == REMOVED else "good"
            shape.setForeground(color(tone))
            shape.setBackground(color(f"{tone}_soft"))
            shape.setFontStrikeOut(self._side == REMOVED)
            shape.setFontUnderline(self._side == ADDED)
        return shape

    def _on_size_changed(self) -> None:
        self._fit_height()

    def _fit_height(self) -> None:
        height = int(self.document().size().height() + 0.99)
        if height != self.height():
            self.setFixedHeight(height)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_height()

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        """The page scrolls, not this."""
        event.ignore()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_pieces"):
            self._write()

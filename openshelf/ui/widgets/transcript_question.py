"""A question in a conversation: what the person wrote, as it was written."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.markdown_formats import reading_font
from openshelf.ui.widgets.text import TextLabel

_BUBBLE_SHARE = 0.78
_BUBBLE_PADDING = 14
_SHOWN_CHARACTERS = 6_000
"""Of a question; the rest unfolds on demand, since laying out a pasted book would be felt."""


class UserBubble(QWidget):
    """What the person wrote, at the right, on a soft ground."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        self._frame = QFrame()
        self._frame.setProperty("kind", "notice")
        self._frame.setProperty("level", "info")
        self._frame.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Minimum)
        column = QVBoxLayout(self._frame)
        column.setContentsMargins(_BUBBLE_PADDING, 10, _BUBBLE_PADDING, 10)
        self._label = TextLabel("", TextRole.BODY, wrap=True, selectable=True)
        self._label.setFont(reading_font())
        self._label.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._label.setAccessibleName(self.tr("You wrote"))
        self._more = LinkButton(small=True)
        self._more.clicked.connect(self._on_more_clicked)
        column.addWidget(self._label)
        column.addWidget(self._more)
        row.addWidget(self._frame)
        self._show(text[:_SHOWN_CHARACTERS])

    @property
    def text(self) -> str:
        return self._text

    def _show(self, shown: str) -> None:
        self._label.setText(shown)
        rest = len(self._text) - len(shown)
        self._more.setText(self.tr("Show %n more character(s)", "", rest))
        self._more.setAccessibleName(self._more.text())
        self._more.setVisible(rest > 0)
        self._fit()

    def _fit(self) -> None:
        metrics = QFontMetrics(self._label.font())
        lines = self._label.text()[:_SHOWN_CHARACTERS].split("\n")
        wanted = (
            max(metrics.horizontalAdvance(line[:400]) for line in lines) + 2 * _BUBBLE_PADDING + 4
        )
        room = max(160, round(self.width() * _BUBBLE_SHARE))
        width = min(wanted, room)
        self._frame.setFixedWidth(width)
        # Without this the label asks for the height that it would have at its smallest width.
        self._label.setFixedWidth(width - 2 * _BUBBLE_PADDING)

    def _on_more_clicked(self) -> None:
        self._show(self._text)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

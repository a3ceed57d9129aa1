"""A model card in a scrolling column, drawn piece by piece as the person comes near.

One piece is drawn per turn of the event loop, so that the window answers in between whatever the
card holds. Nothing in it acts: links are announced, pictures are their alternative text.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.containers import PAGE_MARGIN
from openshelf.ui.widgets.text import TextLabel
from openshelf.ui.widgets.text_view import TextView

COLUMN_WIDTH = 780
MOST_PIECES = 400
"""More are not drawn: nobody reads so far, and each takes memory."""
_AHEAD = 2
"""Heights of the window that are drawn below what is seen."""


class CardView(QScrollArea):
    """`link_pressed` carries an address; `above` is a place for what stands over the text."""

    link_pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Model card"))
        self.viewport().setAutoFillBackground(False)
        self._waiting: list[str] = []
        self._views: list[TextView] = []
        self._build()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._on_turn)
        self.verticalScrollBar().valueChanged.connect(self._go_on)
        self.verticalScrollBar().rangeChanged.connect(self._go_on)

    def _build(self) -> None:
        self._content = QWidget()
        self._content.setProperty("kind", "content")
        row = QHBoxLayout(self._content)
        row.setContentsMargins(PAGE_MARGIN, 14, PAGE_MARGIN, 18)
        self._inner = QWidget()
        self._inner.setMaximumWidth(COLUMN_WIDTH)
        self._column = column = QVBoxLayout(self._inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.above = QVBoxLayout()
        self._pieces = QVBoxLayout()
        self._pieces.setSpacing(8)
        self._end = TextLabel("", TextRole.SMALL, "warning", wrap=True)
        self._end.hide()
        column.addLayout(self.above)
        column.addLayout(self._pieces)
        column.addWidget(self._end)
        column.addStretch(1)
        row.addWidget(self._inner, 1000)
        row.addStretch(1)
        self._row = row
        self.setWidget(self._content)

    @property
    def views(self) -> tuple[TextView, ...]:
        """What is drawn so far."""
        return tuple(self._views)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is drawn."""
        return not self._waiting

    def show_pieces(self, pieces: Sequence[str], *, end: str = "") -> None:
        """Markdown in pieces (`card_pieces`); `end` stands below the last one."""
        self.clear()
        if len(pieces) > MOST_PIECES and not end:
            end = self.tr("The card goes on; the rest is not shown here.")
        self._waiting = list(pieces[:MOST_PIECES])
        self._end.setText(end)
        self.verticalScrollBar().setValue(0)
        self._go_on()

    def clear(self) -> None:
        self._timer.stop()
        self._waiting = []
        for view in self._views:
            self._pieces.removeWidget(view)
            view.hide()
            view.deleteLater()
        self._views = []
        self._end.hide()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._go_on()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting and self.isVisible() and self._wants_more():
            self._timer.start()

    def _wants_more(self) -> bool:
        seen = self.verticalScrollBar().value() + self.viewport().height()
        return self._content.height() - seen < _AHEAD * self.viewport().height()

    def _on_turn(self) -> None:
        if not self._waiting:
            return
        source = self._waiting.pop(0)
        view = TextView(self.tr("Part %n of the model card", "", len(self._views) + 1))
        view.link_pressed.connect(self.link_pressed)
        if "](" not in source and "://" not in source:
            # Nothing in it to press: the keyboard passes by.
            view.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._views.append(view)
        self._pieces.addWidget(view)
        view.show()
        # It has its width before it has its text, so that the text is laid out once.
        self._lay_out()
        view.set_text(source)
        view.finish()
        self._end.setVisible(not self._waiting and bool(self._end.text()))
        self._lay_out()
        self._go_on()

    def _lay_out(self) -> None:
        self._column.activate()
        self._row.activate()

"""Shows a document at its full height inside of a scrolling column: text that can be marked.

Links are announced and never followed; code blocks get a box, their language and a copy button.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterator

from PySide6.QtCore import QEvent, QMimeData, QPointF, QRectF, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextCursor,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser
from typing_extensions import override

from openshelf.ui.theme import color
from openshelf.ui.widgets.code_header import CodeHeader
from openshelf.ui.widgets.formula_object import marked_text
from openshelf.ui.widgets.lexers import LEXERS
from openshelf.ui.widgets.markdown_document import CodeSection, MarkdownDocument
from openshelf.ui.widgets.markdown_formats import CODE_HEADER_PIXELS, CODE_PADDING
from openshelf.ui.widgets.scrolled import keeps_its_pixels

_RADIUS = 8.0
_NO_MODIFIER = Qt.KeyboardModifier.NoModifier
_SCROLLING_KEYS = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Up, Qt.Key.Key_Down)
_BY_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)
MOST_AT_ONCE = 6_000
"""Characters that are parsed and laid out in one turn of the event loop."""


class TextView(QTextBrowser):
    """`link_pressed` carries the address. Set the text of `content`; the height follows."""

    link_pressed = Signal(str)

    def __init__(self, name: str, tone: str = "ink") -> None:
        super().__init__()
        self.content = MarkdownDocument(tone)
        self.content.setParent(self)
        self.setDocument(self.content)
        self.setAccessibleName(name)
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        keeps_its_pixels(self)
        keeps_its_pixels(self.viewport())
        self._headers: list[CodeHeader] = []
        self._boxes: dict[int, QRectF] = {}
        self._boxes_for = (0, 0)
        self._placed = 0
        self._is_changing = False
        self._shows_focus = False
        self._coloring = QTimer(self)
        self._coloring.setSingleShot(True)
        self._coloring.setInterval(0)
        self._wanted, self._ends = "", False
        self._catching_up = QTimer(self)
        self._catching_up.setSingleShot(True)
        self._catching_up.setInterval(0)
        self._connect()

    def _connect(self) -> None:
        self._coloring.timeout.connect(self._on_coloring)
        self._catching_up.timeout.connect(self._catch_up)
        LEXERS.prepared.connect(self._on_lexer_prepared)
        self.anchorClicked.connect(self._on_anchor_clicked)
        self.content.documentLayout().documentSizeChanged.connect(self._on_size_changed)

    def set_text(self, text: str) -> None:
        """Show `text` so far; a marked range stays marked.

        Of a long one only the beginning is shown at once, the rest in turns of the event loop.
        """
        self._wanted, self._ends = text, False
        self._catch_up()

    def finish(self) -> None:
        """Nothing more comes."""
        self._ends = True
        if not self._catching_up.isActive():
            self._catch_up()

    def make_whole(self) -> None:
        """Show at once what was left for later turns."""
        while self._catching_up.isActive():
            self._catch_up()

    def _catch_up(self) -> None:
        shown, wanted = self.content.source, self._wanted
        start = len(shown) if wanted.startswith(shown) else 0
        if len(wanted) - start > MOST_AT_ONCE:
            self._change(lambda: self.content.set_text(wanted[: start + MOST_AT_ONCE]))
            self._catching_up.start()
            return
        self._catching_up.stop()
        self._change(lambda: self.content.set_text(wanted))
        if self._ends:
            self._change(self.content.finish)

    def _change(self, act: Callable[[], None]) -> None:
        cursor = self.textCursor()
        marked = (cursor.anchor(), cursor.position()) if cursor.hasSelection() else None
        # In the middle of it the layout tells of places where nothing will be.
        self._is_changing = True
        try:
            act()
        finally:
            self._is_changing = False
        self._after_change(marked)

    def _after_change(self, marked: tuple[int, int] | None) -> None:
        if marked is not None:
            last = self.content.characterCount() - 1
            cursor = QTextCursor(self.content)
            cursor.setPosition(min(marked[0], last))
            cursor.setPosition(min(marked[1], last), QTextCursor.MoveMode.KeepAnchor)
            self.setTextCursor(cursor)
        self._fit_height()
        self._place_headers()

    @override
    def loadResource(self, type: int, name: QUrl | str) -> object:
        return None

    @override
    def createMimeDataFromSelection(self) -> QMimeData:
        """What is marked as text, formulas as their TeX; nothing of how it looks here."""
        data = QMimeData()
        data.setText(marked_text(self.textCursor()))
        return data

    @override
    def sizeHint(self) -> QSize:
        return QSize(400, self._whole_height())

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        """It has no scroll bar of its own: what would move it scrolls what it lies in."""
        is_plain = event.modifiers() in (_NO_MODIFIER, Qt.KeyboardModifier.KeypadModifier)
        if is_plain and event.key() in _SCROLLING_KEYS:
            event.ignore()
        else:
            super().keyPressEvent(event)

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._shows_focus = event.reason() in _BY_KEYBOARD
        self.viewport().update()

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._shows_focus = False
        self.viewport().update()

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.viewport().update()
        self._fit_height()
        self._place_headers()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._change(self.content.restyle)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for box in self._boxes_in(QRectF(event.rect())):
            self._paint_box(painter, box, QRectF(event.rect()))
        self._paint_quotes(painter, QRectF(event.rect()))
        if self._shows_focus:
            # At the left only: an edge at the bottom would move while the text grows.
            painter.fillRect(0, event.rect().top(), 2, event.rect().height(), color("accent"))
        painter.end()
        super().paintEvent(event)
        # Only what is seen is colored, in a turn of its own.
        if self.content.has_uncolored_code and not self._coloring.isActive():
            self._coloring.start()

    def _boxes_in(self, area: QRectF) -> Iterator[QRectF]:
        """Those that show in `area`, found without looking at all."""
        sections = self.content.code_sections
        first = bisect_left(sections, area.top(), key=lambda one: self._box(one).bottom())
        for section in itertools.islice(sections, first, None):
            box = self._box(section)
            if box.top() > area.bottom():
                return
            yield box

    def _paint_box(self, painter: QPainter, box: QRectF, area: QRectF) -> None:
        if area.top() > box.top() + CODE_HEADER_PIXELS and area.bottom() < box.bottom() - _RADIUS:
            # The middle of it, as while code is written: no corner to draw.
            middle = QRectF(box.left(), area.top(), box.width(), area.height())
            painter.fillRect(middle.adjusted(-0.5, 0, 0.5, 0), color("line"))
            painter.fillRect(middle.adjusted(0.5, 0, -0.5, 0), color("surface"))
            return
        outline = QPainterPath()
        outline.addRoundedRect(box, _RADIUS, _RADIUS)
        painter.fillPath(outline, color("surface"))
        painter.setPen(QPen(color("line"), 1))
        painter.drawPath(outline)
        y = box.top() + CODE_HEADER_PIXELS
        painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))

    def _paint_quotes(self, painter: QPainter, area: QRectF) -> None:
        layout, quotes = self.content.documentLayout(), self.content.quotes

        def rect_of(number: int) -> QRectF:
            return layout.blockBoundingRect(self.content.findBlockByNumber(number))

        first = bisect_left(quotes, area.top(), key=lambda number: rect_of(number).bottom())
        for number in itertools.islice(quotes, first, None):
            rect = rect_of(number)
            if rect.top() > area.bottom():
                return
            painter.fillRect(QRectF(0, rect.top(), 3, rect.height()), color("control_line"))

    def _box(self, section: CodeSection) -> QRectF:
        """Around a code block; those of finished ones are remembered, they do not move."""
        known = self._boxes.get(section.first_block)
        if known is None:
            known = self._measure_box(section)
            if not section.is_open:
                self._boxes[section.first_block] = known
        return known

    def _measure_box(self, section: CodeSection) -> QRectF:
        layout = self.content.documentLayout()
        first = layout.blockBoundingRect(self.content.findBlockByNumber(section.first_block))
        last = layout.blockBoundingRect(self.content.findBlockByNumber(section.last_block))
        top = first.top() - CODE_HEADER_PIXELS - CODE_PADDING
        bottom = last.bottom() + CODE_PADDING
        return QRectF(0.5, round(top) + 0.5, self.viewport().width() - 1.0, round(bottom - top))

    def _place_headers(self) -> None:
        place = (self.content.generation, self.viewport().width())
        if place != self._boxes_for:
            self._boxes_for = place
            self._boxes.clear()
            self._placed = 0
        sections = self.content.code_sections
        while len(self._headers) < len(sections):
            self._headers.append(CodeHeader(self.viewport()))
        for index in range(self._placed, len(self._headers)):
            header = self._headers[index]
            header.setVisible(index < len(sections))
            if index < len(sections):
                header.show_section(sections[index])
                box = self._box(sections[index]).toAlignedRect()
                header.setGeometry(box.left(), box.top(), box.width(), CODE_HEADER_PIXELS)
        # Only the last one can be open.
        self._placed = len(sections) - bool(sections and sections[-1].is_open)

    def _whole_height(self) -> int:
        return max(1, round(self.content.size().height() + self.content.bottom_room + 0.5))

    def _fit_height(self) -> None:
        height = self._whole_height()
        if self.height() != height or self.minimumHeight() != height:
            self.setFixedHeight(height)

    def _on_size_changed(self) -> None:
        if not self._is_changing:
            self._fit_height()
            self._place_headers()

    def _on_coloring(self) -> None:
        if self.content.color_code() and self.content.has_uncolored_code:
            self._coloring.start()

    def _on_lexer_prepared(self) -> None:
        if self.content.has_uncolored_code and self.isVisible():
            self._coloring.start()

    def _on_anchor_clicked(self, url: QUrl) -> None:
        self.link_pressed.emit(url.toString(QUrl.ComponentFormattingOption.FullyEncoded))

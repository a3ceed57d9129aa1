"""Finds words in a conversation: in questions, answers and folded thoughts, also in messages that
are not laid out yet."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QTextEdit

from openshelf.chat.conversation import Message
from openshelf.ui.theme import color
from openshelf.ui.widgets.find_bar import FindBar
from openshelf.ui.widgets.text_view import TextView
from openshelf.ui.widgets.transcript import Transcript
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble

MOST_FOUND = 5_000
"""More are not counted."""


@dataclass(frozen=True)
class Hit:
    """One place. `item` None: in `message`, which is not laid out yet. `view` None: in a question
    or in folded thoughts, at `place`; else where `cursor` is."""

    item: UserBubble | AnswerView | None
    place: int
    length: int
    view: TextView | None = None
    cursor: QTextCursor | None = None
    message: Message | None = None


def _places(text: str, words: str) -> Iterator[int]:
    text, words = text.casefold(), words.casefold()
    at = text.find(words) if words else -1
    while at >= 0:
        yield at
        at = text.find(words, at + len(words))


class TranscriptFind(QObject):
    """Joins the strip with the transcript below it. `refresh` after the conversation changed."""

    def __init__(self, bar: FindBar, transcript: Transcript) -> None:
        super().__init__(bar)
        self._bar, self._transcript = bar, transcript
        self._hits: list[Hit] = []
        self._at = -1
        self._marked: list[TextView] = []
        self._labeled: UserBubble | None = None
        bar.changed.connect(self._on_changed)
        bar.stepped.connect(self.step)
        bar.left.connect(self.close)

    def open(self) -> None:
        self._bar.open()
        self.refresh()

    def close(self) -> None:
        self._clear()
        self._bar.hide()
        self._transcript.setFocus()

    def refresh(self) -> None:
        """Look again; the current place stays the same one where it is still there."""
        if self._bar.isHidden():
            return
        self._hits = list(self._all_hits(self._bar.edit.text()))
        self._at = min(self._at, len(self._hits) - 1)
        self._show()

    def step(self, by: int) -> None:
        """To the next place or the one before, around at the ends."""
        self.refresh()
        if not self._hits:
            return
        self._at = (self._at + by) % len(self._hits) if self._at >= 0 else (0 if by > 0 else -1)
        self._at %= len(self._hits)
        self._go_to(self._hits[self._at])

    def _on_changed(self, _: str) -> None:
        self._at = -1
        self.refresh()
        if self._hits:
            self._at = 0
            self._go_to(self._hits[0])

    # --- looking ----------------------------------------------------------------------------------

    def _all_hits(self, words: str) -> Iterator[Hit]:
        return itertools.islice(self._hits_of(words) if words else (), MOST_FOUND)

    def _hits_of(self, words: str) -> Iterator[Hit]:
        for message in self._transcript.earlier:
            for place in _places(message.content, words):
                yield Hit(None, place, len(words), message=message)
        for item in self._transcript.items:
            if isinstance(item, UserBubble):
                for place in _places(item.text, words):
                    yield Hit(item, place, len(words))
                continue
            if item.reasoning.is_open:
                yield from self._in_view(item, item.reasoning.view, words)
            else:
                for place in _places(item.reasoning.thoughts, words):
                    yield Hit(item, place, len(words))
            yield from self._in_view(item, item.text, words)

    def _in_view(self, item: AnswerView, view: TextView, words: str) -> Iterator[Hit]:
        view.make_whole()
        cursor = view.content.find(words, 0)
        while not cursor.isNull():
            yield Hit(item, cursor.selectionStart(), len(words), view, QTextCursor(cursor))
            cursor = view.content.find(words, cursor)

    # --- showing ----------------------------------------------------------------------------------

    def _go_to(self, hit: Hit) -> None:
        if hit.item is None and hit.message is not None:
            self._transcript.reveal(hit.message.id)
            self._settle_in(hit, self._transcript.item_of(hit.message.id))
        elif isinstance(hit.item, AnswerView) and hit.view is None:
            hit.item.reasoning.unfold()
            self._settle_in(hit, hit.item)
        self._show()
        hit = self._hits[self._at]
        if isinstance(hit.item, UserBubble):
            hit.item.show_whole()
            hit.item.label.setSelection(hit.place, hit.length)
            self._labeled = hit.item
            self._transcript.bring_into_view(hit.item)
        elif hit.view is not None and hit.cursor is not None:
            place = hit.view.cursorRect(hit.cursor)
            self._transcript.bring_place_into_view(hit.view, place)

    def _settle_in(self, wanted: Hit, item: UserBubble | AnswerView | None) -> None:
        """Now that it is laid out its places are others: take the first one in it not before."""
        before = self._at
        self._hits = list(self._all_hits(self._bar.edit.text()))
        inside = [at for at, hit in enumerate(self._hits) if hit.item is item]
        if not inside:
            self._at = min(before, len(self._hits) - 1)
            return
        self._at = next((at for at in inside if at >= before), inside[-1])

    def _show(self) -> None:
        self._clear()
        self._bar.show_count(self._at, len(self._hits))
        selections: dict[TextView, list[QTextEdit.ExtraSelection]] = {}
        for number, hit in enumerate(self._hits):
            if hit.view is not None and hit.cursor is not None:
                is_current = number == self._at
                selections.setdefault(hit.view, []).append(_selection(hit.cursor, is_current))
        for view, marks in selections.items():
            view.setExtraSelections(marks)
        self._marked = list(selections)

    def _clear(self) -> None:
        if self._labeled is not None and self._labeled in self._transcript.items:
            self._labeled.label.setSelection(0, 0)
        self._labeled = None
        shown = {view for item in self._transcript.items for view in _views_of(item)}
        for view in self._marked:
            if view in shown:
                view.setExtraSelections([])
        self._marked = []


def _views_of(item: UserBubble | AnswerView) -> tuple[TextView, ...]:
    if isinstance(item, UserBubble):
        return ()
    return (item.text, item.reasoning.view) if item.reasoning.is_open else (item.text,)


def _selection(cursor: QTextCursor, is_current: bool) -> QTextEdit.ExtraSelection:  # noqa: FBT001
    style = QTextCharFormat()
    style.setBackground(color("warning" if is_current else "warning_soft"))
    style.setForeground(color("background" if is_current else "ink"))
    result = QTextEdit.ExtraSelection()
    result.cursor, result.format = cursor, style
    return result

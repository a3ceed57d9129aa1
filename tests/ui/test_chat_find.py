"""Words found in a conversation: counted, marked, gone to, also where nothing is laid out yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QShortcut
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.ui.models.chat_facts import ShownBranch
from openshelf.ui.pages.chat_area import ChatArea
from openshelf.ui.theme import color
from openshelf.ui.widgets.shortcut_sheet import ShortcutSheet
from openshelf.ui.widgets.transcript import FIRST_MESSAGES
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble
from tests.ui.chat_messages import message
from tests.ui.chat_window import ChatWindow

ANSWER = "<think>the fox is hidden</think>A **Fox** ran.\n\n" + "line\n\n" * 80 + "The last fox."


@pytest.fixture
def area(qtbot: QtBot, themed_app: QApplication) -> ChatArea:
    area = ChatArea()
    qtbot.addWidget(area)
    area.resize(700, 500)
    area.show()
    area.show_transcript()
    return area


def show(area: ChatArea, *texts: str) -> None:
    messages = tuple(
        message(number, "assistant" if number % 2 else "user", text)
        for number, text in enumerate(texts)
    )
    area.transcript.show_branch(ShownBranch(1, messages, {}))
    QApplication.processEvents()


def look_for(area: ChatArea, qtbot: QtBot, words: str) -> str:
    area.finder.open()
    area.find_bar.edit.clear()
    qtbot.keyClicks(area.find_bar.edit, words)
    return area.find_bar.count.text()


def step(area: ChatArea, qtbot: QtBot, *, back: bool = False) -> str:
    shift = Qt.KeyboardModifier.ShiftModifier if back else Qt.KeyboardModifier.NoModifier
    qtbot.keyClick(area.find_bar.edit, Qt.Key.Key_Return, shift)
    QApplication.processEvents()
    return area.find_bar.count.text()


def test_every_place_is_counted_and_gone_to(area: ChatArea, qtbot: QtBot) -> None:
    show(area, "Where is the fox?", ANSWER)
    question, answer = area.transcript.items
    assert isinstance(question, UserBubble)
    assert isinstance(answer, AnswerView)
    assert look_for(area, qtbot, "fox") == "1 of 4"
    assert question.label.selectedText() == "fox"
    assert not answer.reasoning.is_open
    assert step(area, qtbot) == "2 of 4"
    assert answer.reasoning.is_open, "what was folded is shown"
    assert step(area, qtbot) == "3 of 4"
    assert len(answer.text.extraSelections()) == 2
    assert step(area, qtbot) == "4 of 4"
    bar = area.transcript.verticalScrollBar()
    assert bar.value() > bar.maximum() // 2
    assert step(area, qtbot) == "1 of 4"
    assert bar.value() < 100
    assert step(area, qtbot, back=True) == "4 of 4"


def test_nothing_is_marked_any_more_once_it_is_closed(area: ChatArea, qtbot: QtBot) -> None:
    show(area, "q", ANSWER)
    answer = area.transcript.items[1]
    assert isinstance(answer, AnswerView)
    look_for(area, qtbot, "fox")
    assert answer.text.extraSelections()
    qtbot.keyClick(area.find_bar.edit, Qt.Key.Key_Escape)
    assert area.find_bar.isHidden()
    assert not answer.text.extraSelections()
    assert area.transcript.hasFocus()


def test_nothing_found_says_so(area: ChatArea, qtbot: QtBot) -> None:
    show(area, "q", ANSWER)
    assert look_for(area, qtbot, "wolf") == "Nothing found"
    assert not area.find_bar.forth.isEnabled()
    assert look_for(area, qtbot, "[.*") == "Nothing found"


def test_earlier_messages_are_laid_out_when_a_place_in_them_is_gone_to(
    area: ChatArea, qtbot: QtBot
) -> None:
    texts = [f"message {n}" for n in range(FIRST_MESSAGES * 3)]
    texts[3] = "the **needle** is here"
    show(area, *texts)
    assert area.transcript.item_of(3) is None
    assert look_for(area, qtbot, "needle") == "1 of 1"
    item = area.transcript.item_of(3)
    assert isinstance(item, AnswerView)
    assert item.text.extraSelections()
    QApplication.processEvents()
    top = item.mapTo(area.transcript.viewport(), item.rect().topLeft()).y()
    assert -item.height() < top < area.transcript.viewport().height()


@pytest.fixture
def desk(tmp_path: Path, themed_app: QApplication, qtbot: QtBot) -> Iterator[ChatWindow]:
    window = ChatWindow(tmp_path, qtbot)
    yield window
    window.close()


def test_the_keyboard_scrolls_from_wherever_it_is(area: ChatArea, qtbot: QtBot) -> None:
    show(area, "q", ANSWER)
    answer = area.transcript.items[1]
    assert isinstance(answer, AnswerView)
    bar = area.transcript.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 300 and bar.value() == bar.maximum())
    answer.text.setFocus(Qt.FocusReason.TabFocusReason)
    plain = answer.text.grab().toImage()
    assert plain.pixelColor(0, 5) == QColor(color("accent")), "the focus is seen"
    qtbot.keyClick(answer.text, Qt.Key.Key_PageUp)
    assert bar.value() < bar.maximum() - 100
    before = bar.value()
    qtbot.keyClick(answer.text, Qt.Key.Key_Down)
    assert bar.value() > before
    area.transcript.setFocus(Qt.FocusReason.OtherFocusReason)
    assert answer.text.grab().toImage().pixelColor(0, 5) != QColor(color("accent"))


def test_each_shortcut_of_the_page_is_listed(desk: ChatWindow, qtbot: QtBot) -> None:
    sheet = ShortcutSheet(desk.page)
    listed = {keys for entry in sheet.entries() for keys in entry[0]}
    known = {
        shortcut.key().toString()
        for shortcut in desk.page.findChildren(QShortcut)
        if not shortcut.key().isEmpty()
    }
    assert known <= listed
    sheet.close_sheet()


def test_the_keyboard_opens_and_leaves_it(desk: ChatWindow, qtbot: QtBot) -> None:
    desk.write("the first question")
    desk.wait_for("the first question", "first")
    bar = desk.page.area.find_bar
    desk.key(Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert bar.isVisible()
    assert bar.edit.hasFocus()
    qtbot.keyClicks(bar.edit, "first")
    assert bar.count.text() == "1 of 2"
    qtbot.keyClick(bar.edit, Qt.Key.Key_F3)
    assert bar.count.text() == "2 of 2"
    qtbot.keyClick(bar.edit, Qt.Key.Key_F3, Qt.KeyboardModifier.ShiftModifier)
    assert bar.count.text() == "1 of 2"
    qtbot.keyClick(bar.edit, Qt.Key.Key_Escape)
    assert bar.isHidden()

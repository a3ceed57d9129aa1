"""Editing, regenerating, going on and turning versions in the window, over a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.errors import DoesNotFit
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble
from tests.fakes.engine import Answer
from tests.ui.chat_window import ChatWindow


@pytest.fixture
def window(tmp_path: Path, themed_app: QApplication, qtbot: QtBot) -> Iterator[ChatWindow]:
    window = ChatWindow(tmp_path, qtbot)
    yield window
    window.close()


@pytest.fixture
def place_of() -> Callable[[UserBubble | AnswerView], str]:
    def place(item: UserBubble | AnswerView) -> str:
        pager = item.pager if isinstance(item, UserBubble) else item.footer.pager
        return pager.place.text() if pager.isVisible() else ""

    return place


Place = Callable[[UserBubble | AnswerView], str]


def test_regenerating_shows_another_version_and_the_way_back(
    window: ChatWindow, place_of: Place
) -> None:
    window.write("one")
    window.wait_for("one", "first")
    assert place_of(window.answer(1)) == ""
    window.answer(1).footer.regenerate.click()
    window.wait_for("one", "second")
    assert place_of(window.answer(1)) == "2/2"
    window.answer(1).footer.pager.back.click()
    window.wait_for("one", "first")
    assert place_of(window.answer(1)) == "1/2"
    pager = window.answer(1).footer.pager
    assert not pager.back.isEnabled()
    assert pager.forth.hasFocus() or not window.page.isActiveWindow()
    pager.forth.click()
    window.wait_for("one", "second")
    assert [m.content for m in window.engine.asked[-1]] == ["one"]


def test_editing_in_place_asks_in_other_words(window: ChatWindow, place_of: Place) -> None:
    window.write("one")
    window.wait_for("one", "first")
    window.write("two")
    window.wait_for("one", "first", "two", "second")
    window.question(0).edit_button.click()
    editor = window.question(0).editor
    assert editor is not None
    assert editor.edit.toPlainText() == "one"
    window.qtbot.keyClick(editor.edit, Qt.Key.Key_Escape)
    assert window.question(0).editor is None
    assert window.question(0)._bubble.isVisible()
    window.question(0).begin_edit()
    editor = window.question(0).editor
    assert editor is not None
    editor.edit.setPlainText("  ")
    assert not editor.ask_button.isEnabled()
    editor.edit.setPlainText("<b>uno</b>")
    window.qtbot.keyClick(editor.edit, Qt.Key.Key_Return)
    window.wait_for("<b>uno</b>", "third")
    assert place_of(window.question(0)) == "2/2"
    window.question(0).pager.back.click()
    window.wait_for("one", "first", "two", "second")
    assert place_of(window.question(0)) == "1/2"


def test_what_is_edited_is_in_view(window: ChatWindow) -> None:
    window.engine.answers = [Answer(("line\n\n" * 60,))]
    window.write("one")
    window.wait_for("one", "line\n" * 59 + "line")
    transcript = window.page.area.transcript
    bar = transcript.verticalScrollBar()
    window.qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())
    window.key(Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    editor = window.question(0).editor
    assert editor is not None
    window.qtbot.waitUntil(lambda: editor.visibleRegion().boundingRect() == editor.rect())


def test_the_keyboard_is_enough(window: ChatWindow, place_of: Place) -> None:
    window.write("one")
    window.wait_for("one", "first")
    window.key(Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    window.wait_for("one", "second")
    window.key(Qt.Key.Key_PageUp, Qt.KeyboardModifier.AltModifier)
    window.wait_for("one", "first")
    window.key(Qt.Key.Key_PageUp, Qt.KeyboardModifier.AltModifier)  # there is none before
    window.key(Qt.Key.Key_PageDown, Qt.KeyboardModifier.AltModifier)
    window.wait_for("one", "second")
    window.key(Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    editor = window.question(0).editor
    assert editor is not None
    window.qtbot.keyClicks(editor.edit, "!")
    window.qtbot.keyClick(editor.edit, Qt.Key.Key_Return)
    window.wait_for("one!", "third")
    assert place_of(window.question(0)) == "2/2"


def test_an_answer_that_was_cut_goes_on_in_place(window: ChatWindow) -> None:
    window.engine.answers = [Answer(("One, ",), finish_reason="length"), Answer(("two.",))]
    window.write("count")
    window.wait_for("count", "One,")
    cut = window.answer(1)
    assert cut.footer.go_on.isVisible()
    cut.footer.go_on.click()
    window.wait_for("count", "One, two.")
    assert window.answer(1) is cut, "its text was gone on with, not written anew"
    assert not cut.footer.go_on.isVisible()
    assert [m.content for m in window.engine.asked[-1]] == ["count", "One, "]


def test_nothing_of_it_can_be_pressed_while_an_answer_is_written(window: ChatWindow) -> None:
    window.write("one")
    window.wait_for("one", "first")
    answer = Answer(("a", "b"), pause_before=1)
    window.engine.answers = [answer]
    window.question(0).begin_edit()
    window.answer(1).footer.regenerate.click()
    assert window.question(0).editor is None
    assert answer.paused.wait(10)
    assert not window.question(0).edit_button.isEnabled()
    window.qtbot.waitUntil(lambda: window.texts() == ["one", "a"])
    window.key(Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    window.key(Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert window.question(0).editor is None
    answer.resume.set()
    window.wait_for("one", "ab")


def test_what_cannot_be_begun_leaves_the_conversation_as_it_was(window: ChatWindow) -> None:
    window.write("one")
    window.wait_for("one", "first")
    window.chats.unload()
    window.error = DoesNotFit("SmolLM2", "ram", 3 << 30, 1 << 30)
    window.answer(1).footer.regenerate.click()
    window.qtbot.waitUntil(window.page.area.notice.isVisible)
    window.wait_for("one", "first")
    assert "3.0 GiB" in window.page.area.notice.text.text()


def test_a_stored_conversation_opens_with_its_versions(window: ChatWindow, place_of: Place) -> None:
    window.write("one")
    window.wait_for("one", "first")
    window.answer(1).footer.regenerate.click()
    window.wait_for("one", "second")
    window.page.start_new()
    window.qtbot.waitUntil(lambda: len(window.page.model.rows) == 2)
    window.page.panel.view.setCurrentIndex(window.page.model.index(1))
    window.wait_for("one", "second")
    assert place_of(window.answer(1)) == "2/2"

"""Finding, naming, pinning and deleting conversations in the window, over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from openshelf.ui.models.rows import ROW_ROLE
from openshelf.ui.widgets.transcript_question import UserBubble
from tests.fakes.engine import Answer
from tests.ui.chat_window import ChatWindow


@pytest.fixture
def window(tmp_path: Path, themed_app: QApplication, qtbot: QtBot) -> Iterator[ChatWindow]:
    window = ChatWindow(tmp_path, qtbot)
    yield window
    window.close()


def write_two(window: ChatWindow) -> None:
    window.engine.answers = [Answer(("Either side gives notice.",)), Answer(("It borrows.",))]
    window.write("Summarise the clause")
    window.wait_for("Summarise the clause", "Either side gives notice.")
    window.page.start_new()
    window.write("Explain Rust")
    window.wait_for("Explain Rust", "It borrows.")
    wait_for_labels(window, "Today", "Explain Rust", "Summarise the clause")


def wait_for_labels(window: ChatWindow, *labels: str) -> None:
    window.qtbot.waitUntil(lambda: window.labels() == list(labels))


def test_words_of_a_message_are_found_and_lead_to_it(window: ChatWindow) -> None:
    write_two(window)
    search = window.page.panel.search
    window.qtbot.keyClicks(search, "notice")
    wait_for_labels(window, "Found", "Summarise the clause")
    row = window.page.model.index(1).data(ROW_ROLE)
    assert row.excerpt == "Either side gives notice."
    view = window.page.panel.view
    assert view.sizeHintForRow(1) > view.sizeHintForRow(0)
    window.open_row("Summarise the clause")
    window.wait_for("Summarise the clause", "Either side gives notice.")
    search.setText("rust")
    wait_for_labels(window, "Found", "Explain Rust")
    search.setText("nothing of it")
    wait_for_labels(window)
    search.clear()
    wait_for_labels(window, "Today", "Explain Rust", "Summarise the clause")


def test_what_was_found_on_another_branch_is_shown(window: ChatWindow) -> None:
    write_two(window)
    window.open_row("Summarise the clause")
    window.wait_for("Summarise the clause", "Either side gives notice.")
    window.answer(1).footer.regenerate.click()
    window.wait_for("Summarise the clause", "It borrows.")
    window.page.start_new()
    window.page.panel.search.setText("gives NOTICE")
    wait_for_labels(window, "Found", "Summarise the clause")
    window.open_row("Summarise the clause")
    window.wait_for("Summarise the clause", "Either side gives notice.")


def test_a_title_is_written_over_in_the_list(window: ChatWindow) -> None:
    write_two(window)
    view = window.page.panel.view
    window.open_row("Explain Rust")
    window.qtbot.keyClick(view, Qt.Key.Key_F2)
    editor = view.findChild(QLineEdit)
    assert editor is not None
    assert editor.text() == "Explain Rust"
    editor.setText("<b>Crabs</b>")
    window.qtbot.keyClick(editor, Qt.Key.Key_Return)
    wait_for_labels(window, "Today", "<b>Crabs</b>", "Summarise the clause")
    assert window.chats.conversations()[0].title == "<b>Crabs</b>"


def test_pinned_chats_stand_first(window: ChatWindow) -> None:
    write_two(window)
    window.open_row("Summarise the clause")
    window.wait_for("Summarise the clause", "Either side gives notice.")
    header = window.page.area.header
    assert header._pin.text() == "Pin this chat"
    header._pin.trigger()
    wait_for_labels(window, "Pinned", "Summarise the clause", "Today", "Explain Rust")
    assert header._pin.text() == "Unpin this chat"
    window.page.panel.view.pin_requested.emit(window.page.model.index(1))
    wait_for_labels(window, "Today", "Explain Rust", "Summarise the clause")


def test_all_are_deleted_after_a_question(window: ChatWindow) -> None:
    write_two(window)
    panel = window.page.panel
    window.page.area.header._delete_all.trigger()
    assert panel.confirmation.isVisible()
    assert "all 2 chats" in panel.question.text()
    panel.keep_button.click()
    assert len(window.chats.conversations()) == 2
    window.page.area.header._delete_all.trigger()
    panel.delete_button.click()
    wait_for_labels(window)
    assert window.chats.conversations() == ()
    assert window.page.dialogue.is_empty
    assert not window.page.area.header._delete_all.isEnabled()


def test_after_all_was_asked_for_one_is_only_one(window: ChatWindow) -> None:
    write_two(window)
    window.page.area.header._delete_all.trigger()
    window.page.panel.keep_button.click()
    window.page.area.header._delete.trigger()
    assert "Explain Rust" in window.page.panel.question.text()
    window.page.panel.delete_button.click()
    wait_for_labels(window, "Today", "Summarise the clause")


def test_a_chat_without_saving_says_so(window: ChatWindow) -> None:
    window.page.panel.unsaved_button.click()
    assert "not saved" in window.page.area.welcome.words.text()
    window.write("a secret")
    window.wait_for("a secret", "first")
    wait_for_labels(window, "Not saved", "a secret")
    assert not window.chats.conversations()[0].is_saved
    assert window.page.area.header.privacy.text().startswith("not saved")
    window.page.start_new()
    assert "stays on this machine" in window.page.area.welcome.words.text()
    window.write("kept")
    window.wait_for("kept", "second")
    wait_for_labels(window, "Not saved", "a secret", "Today", "kept")
    window.open_row("a secret")
    window.wait_for("a secret", "first")
    window.write("and more")
    window.wait_for("a secret", "first", "and more", "third")
    assert [c.is_saved for c in window.chats.conversations()] == [False, True]


def test_an_early_message_that_was_found_is_laid_out(window: ChatWindow) -> None:
    conversation = window.chats.new_conversation("m")
    store = window.chats._stores.saved
    parent = None
    for number in range(60):
        text = "a needle" if number == 3 else f"question {number} of many"
        parent = store.add_question(conversation.id, parent, text).id
    window.page.refresh()
    wait_for_labels(window, "Today", "question 0 of many")
    window.page.panel.search.setText("needle")
    wait_for_labels(window, "Found", "question 0 of many")
    window.open_row("question 0 of many")
    transcript = window.page.area.transcript
    window.qtbot.waitUntil(lambda: len(transcript.items) == 60)
    found = transcript.items[3]
    assert isinstance(found, UserBubble)
    window.qtbot.waitUntil(lambda: not found.visibleRegion().isEmpty())

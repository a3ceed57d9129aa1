"""Folders in the list of chats: by menu, by keyboard and by dragging, over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from tests.fakes.engine import Answer
from tests.ui.chat_window import ChatWindow


@pytest.fixture
def window(tmp_path: Path, themed_app: QApplication, qtbot: QtBot) -> Iterator[ChatWindow]:
    window = ChatWindow(tmp_path, qtbot)
    window.engine.answers = [Answer(("An answer.",))]
    for text in ("Explain Rust", "Summarise it"):
        window.page.start_new()
        window.write(text)
        window.wait_for(text, "An answer.")
    wait_for_labels(window, "Today", "Summarise it", "Explain Rust")
    yield window
    window.close()


def wait_for_labels(window: ChatWindow, *labels: str) -> None:
    window.qtbot.waitUntil(lambda: window.labels() == list(labels))


def index_of(window: ChatWindow, label: str) -> QModelIndex:
    return window.page.model.index(window.labels().index(label))


def move_by_menu(window: ChatWindow, label: str, folder: str) -> None:
    view = window.page.panel.view
    view.setCurrentIndex(index_of(window, label))
    view.fill_move_menu()
    next(a for a in view.move_menu.actions() if a.text() == folder).trigger()


def make_folder(window: ChatWindow, label: str, name: str) -> None:
    """By menu; its name is written over at once."""
    move_by_menu(window, label, "New folder")
    view = window.page.panel.view
    window.qtbot.waitUntil(lambda: view.findChild(QLineEdit) is not None)
    editor = view.findChild(QLineEdit)
    assert editor.text() == "New folder"
    editor.setText(name)
    window.qtbot.keyClick(editor, Qt.Key.Key_Return)
    window.qtbot.waitUntil(lambda: name in window.labels())


def drag(window: ChatWindow, label: str, onto: str) -> None:
    model = window.page.model
    data = model.mimeData([index_of(window, label)])
    target = index_of(window, onto)
    assert model.canDropMimeData(data, Qt.DropAction.MoveAction, -1, -1, target)
    model.dropMimeData(data, Qt.DropAction.MoveAction, -1, -1, target)


def test_a_new_folder_is_named_and_filled_and_emptied(window: ChatWindow) -> None:
    make_folder(window, "Explain Rust", "Code")
    wait_for_labels(window, "Code", "Explain Rust", "Today", "Summarise it")
    move_by_menu(window, "Summarise it", "Code")
    wait_for_labels(window, "Code", "Summarise it", "Explain Rust")
    move_by_menu(window, "Explain Rust", "In no folder")
    wait_for_labels(window, "Code", "Summarise it", "Today", "Explain Rust")


def test_chats_are_dragged_into_and_out_of_folders(window: ChatWindow) -> None:
    make_folder(window, "Explain Rust", "Code")
    drag(window, "Summarise it", "Explain Rust")
    wait_for_labels(window, "Code", "Summarise it", "Explain Rust")
    move_by_menu(window, "Explain Rust", "In no folder")
    wait_for_labels(window, "Code", "Summarise it", "Today", "Explain Rust")
    drag(window, "Summarise it", "Today")
    wait_for_labels(window, "Code", "Today", "Summarise it", "Explain Rust")
    drag(window, "Summarise it", "Code")
    wait_for_labels(window, "Code", "Summarise it", "Today", "Explain Rust")


def test_the_keyboard_renames_and_deletes_a_folder_and_its_chats_stay(window: ChatWindow) -> None:
    make_folder(window, "Explain Rust", "Code")
    view = window.page.panel.view
    view.setFocus()
    view.setCurrentIndex(index_of(window, "Today").siblingAtRow(0))
    assert view.currentIndex().data() == "Code"
    window.qtbot.keyClick(view, Qt.Key.Key_F2)
    editor = view.findChild(QLineEdit)
    assert editor is not None
    editor.setText("<b>Rust</b>")
    window.qtbot.keyClick(editor, Qt.Key.Key_Return)
    wait_for_labels(window, "<b>Rust</b>", "Explain Rust", "Today", "Summarise it")
    view.setCurrentIndex(index_of(window, "<b>Rust</b>"))
    window.qtbot.keyClick(view, Qt.Key.Key_Delete)
    wait_for_labels(window, "Today", "Summarise it", "Explain Rust")
    assert len(window.chats.conversations()) == 2
    assert window.chats.folders.all() == ()


def test_a_folder_hides_nothing_from_the_search_and_pins_stay_above(window: ChatWindow) -> None:
    make_folder(window, "Explain Rust", "Code")
    window.page.panel.search.setText("rust")
    wait_for_labels(window, "Found", "Explain Rust")
    window.page.panel.search.clear()
    wait_for_labels(window, "Code", "Explain Rust", "Today", "Summarise it")
    window.page.panel.view.pin_requested.emit(index_of(window, "Explain Rust"))
    wait_for_labels(window, "Pinned", "Explain Rust", "Code", "Today", "Summarise it")


def test_what_is_not_saved_is_in_no_folder(window: ChatWindow) -> None:
    window.page.start_unsaved()
    window.write("a secret")
    window.wait_for("a secret", "An answer.")
    window.qtbot.waitUntil(lambda: "a secret" in window.labels())
    index = index_of(window, "a secret")
    assert not index.flags() & Qt.ItemFlag.ItemIsDragEnabled
    window.page.panel.view.setCurrentIndex(index)
    window.page.panel.view.fill_move_menu()
    assert not window.page.panel.view.move_menu.isEnabled()

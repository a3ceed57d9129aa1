"""Exporting and importing chats in the window, over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from openshelf.chat.archive import ExportForm
from openshelf.ui.pages.chat_organizer import file_name
from tests.ui.chat_window import ChatWindow


@pytest.fixture
def window(tmp_path: Path, themed_app: QApplication, qtbot: QtBot) -> Iterator[ChatWindow]:
    window = ChatWindow(tmp_path, qtbot)
    yield window
    window.close()


def entries(window: ChatWindow) -> list[str]:
    return [action.text() for action in window.page.area.header.export_menu.actions()]


def test_a_chat_goes_out_and_comes_back_with_its_versions(
    window: ChatWindow, tmp_path: Path
) -> None:
    assert not window.page.area.header.export_menu.isEnabled()
    window.write("one / two")
    window.wait_for("one / two", "first")
    window.answer(1).footer.regenerate.click()
    window.wait_for("one / two", "second")
    assert window.page.area.header.export_menu.isEnabled()
    path = tmp_path / "out.json"
    window.page.organizer.export_to(str(path), ExportForm.JSON)
    window.qtbot.waitUntil(window.page.area.notice.isVisible)
    assert str(path) in window.page.area.notice.text.text()
    window.page.start_new()
    window.page.organizer.import_file(str(path))
    window.wait_for("one / two", "second")
    assert window.answer(1).footer.pager.place.text() == "2/2"
    window.qtbot.waitUntil(lambda: window.labels() == ["Today", "one / two", "one / two"])
    assert window.page.dialogue.shown_id == window.chats.conversations()[0].id


def test_the_dialog_proposes_a_name_that_every_system_takes(window: ChatWindow) -> None:
    window.write("../../etc: <passwd>?")
    window.wait_for("../../etc: <passwd>?", "first")
    assert entries(window) == ["Markdown…", "Web page…", "JSON, all versions…"]
    window.qtbot.waitUntil(lambda: "../../etc: <passwd>?" in window.labels())
    window.page.area.header.export_menu.actions()[1].trigger()
    dialog = window.page.findChild(QFileDialog)
    assert dialog is not None
    assert [Path(path).name for path in dialog.selectedFiles()] == ["etc passwd.html"]
    assert dialog.nameFilters() == ["Web page (*.html)"]
    dialog.close()


def test_what_is_no_chat_is_said(window: ChatWindow, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# A note")
    window.page.organizer.import_file(str(tmp_path / "note.md"))
    window.qtbot.waitUntil(window.page.area.notice.isVisible)
    assert "holds no chat" in window.page.area.notice.text.text()
    assert window.chats.conversations() == ()


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("What is a llama?", "What is a llama"),
        ("///", "chat"),
        ("x" * 200, "x" * 60),
        ("模型", "模型"),
    ],
)
def test_names_of_files(title: str, name: str) -> None:
    assert file_name(title) == name

"""The library page over fake services: downloads that move, models that go, words that are true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from openshelf.errors import NotFound, Offline
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.installed import Damage, InstalledModel
from openshelf.library.updates import UpdateReport
from openshelf.library.verifying import FileState
from openshelf.reasons import Reason
from openshelf.ui.models.installed_table import InstalledColumn
from openshelf.ui.models.library_facts import disk_of
from openshelf.ui.pages.library import LibraryPage
from openshelf.ui.places import Place
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import TextLabel
from openshelf.ui.widgets.marked_text import MarkedText
from openshelf.ui.widgets.terms_change import ChangedText
from tests.fakes.downloads import installed_model
from tests.fakes.example_updates import OLD, example_update
from tests.fakes.library import FakeLibrary
from tests.fakes.services import fake_services
from tests.library.foreign import gguf, put
from tests.ui.library_page import Setting

QWEN = installed_model()
LLAMA = installed_model(
    "Llama-3.2-3B", "Q8_0", license_ids=("llama3.2",), installed_at="2026-11-01T09:00:00Z"
)


def download(**changes: Any) -> Download:
    known = Download("d1", "a/b:Q4", "Qwen3-30B", "Q4_K_M", DownloadState.QUEUED, 0, 18_600_000_000)
    return replace(known, **changes)


def test_installed_models_say_what_they_are(make_library: Callable[..., Setting]) -> None:
    missing = installed_model("Gone", missing=True)
    setting = make_library(QWEN, LLAMA, missing)
    assert setting.names() == ["Qwen3-14B", "Gone", "Llama-3.2-3B"]
    assert [setting.cell(QWEN, column) for column in InstalledColumn][:4] == [
        "Qwen3-14B", "Q3_K_M", "7.3 GB", "apache-2.0"
    ]  # fmt: skip
    assert setting.cell(QWEN, InstalledColumn.SPEED) == "21 tok/s"
    assert setting.cell(missing, InstalledColumn.INTEGRITY) == "file is missing"
    assert setting.cell(missing, InstalledColumn.ACTION) == "Get"
    assert "3 models · 14.6 GB" in setting.page.header.subtitle.text()


def test_chat_is_asked_for_with_the_models_id(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(QWEN)
    with qtbot.waitSignal(setting.page.chat_requested) as asked:
        setting.press(QWEN, InstalledColumn.ACTION)
    assert asked.args == [QWEN.id]


def test_keys_are_enough(qtbot: QtBot, make_library: Callable[..., Setting]) -> None:
    setting = make_library(QWEN, LLAMA)
    setting.choose(LLAMA)
    with qtbot.waitSignal(setting.page.chat_requested) as asked:
        qtbot.keyClick(setting.card.view, Qt.Key.Key_Return)
    assert asked.args == [LLAMA.id]
    qtbot.keyClick(setting.card.view, Qt.Key.Key_Delete)
    assert setting.card.question.model_id == LLAMA.id
    qtbot.keyClick(setting.card.question.keep_button, Qt.Key.Key_Space)
    assert setting.card.view.hasFocus()
    qtbot.keyClick(setting.card.view, Qt.Key.Key_Up)
    assert setting.card.view.chosen == QWEN


def test_removing_asks_in_the_row_and_then_tells_what_is_free(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(QWEN, LLAMA)
    question = setting.card.question
    setting.choose(QWEN)
    setting.card.remove_action.trigger()
    assert "1 file, 7.3 GB" in question.text.text()
    question.keep_button.click()
    assert question.isHidden()
    assert len(setting.library.models) == 2
    setting.card.remove_action.trigger()
    question.remove_button.click()
    qtbot.waitUntil(lambda: setting.names() == ["Llama-3.2-3B"])
    said = "Moved to the trash. 7.3 GB are free once you empty it."
    assert setting.page.notice.text.text() == said


def test_without_a_trash_it_can_be_deleted_for_good(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(QWEN)
    setting.library.has_trash = False
    question = setting.card.question
    setting.card.ask_to_remove(QWEN.id)
    question.remove_button.click()
    qtbot.waitUntil(setting.page.notice.isVisible)
    assert question.isHidden()
    assert "It can be deleted for good" in setting.page.notice.text.text()
    assert setting.names() == [QWEN.name]
    setting.card.ask_to_remove(QWEN.id)
    question.delete_button.click()
    qtbot.waitUntil(lambda: setting.names() == [])
    assert setting.page.notice.text.text() == "Removed. 7.3 GB are free again."


def test_a_removal_that_fails_keeps_the_row(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(QWEN)
    setting.library.models.clear()
    setting.card.ask_to_remove(QWEN.id)
    setting.card.question.remove_button.click()
    qtbot.waitUntil(setting.page.notice.isVisible)
    assert QWEN.id in setting.page.notice.text.text()


def test_progress_changes_the_row_and_makes_no_new_one(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(QWEN)
    setting.downloads.put(download())
    qtbot.waitUntil(lambda: len(setting.page.download_rows.rows) == 1)
    row = setting.page.download_rows.rows[0]
    setting.downloads.advance("d1", 11_900_000_000)
    qtbot.waitUntil(lambda: "11.9 GB" in row.words.text())
    assert row.words.text() == "11.9 GB of 18.6 GB · 38.0 MB/s · 3 min left"
    assert row.meter.segments[0].share == pytest.approx(11.9 / 18.6)
    assert setting.page.download_rows.rows == (row,)


def test_pause_resume_cancel(qtbot: QtBot, make_library: Callable[..., Setting]) -> None:
    setting = make_library()
    setting.downloads.put(download())
    setting.downloads.advance("d1", 1_000_000_000)
    qtbot.waitUntil(lambda: len(setting.page.download_rows.rows) == 1)
    row = setting.page.download_rows.rows[0]
    row.action.click()
    qtbot.waitUntil(lambda: row.action.text() == "Resume")
    assert setting.downloads.all["d1"].state is DownloadState.PAUSED
    row.action.click()
    qtbot.waitUntil(lambda: row.action.text() == "Pause")
    row.close_button.click()
    qtbot.waitUntil(lambda: setting.page.download_rows.rows == ())
    assert setting.downloads.all["d1"].state is DownloadState.CANCELLED


def test_why_a_download_waits_or_failed_is_said(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library()
    waits = Reason("The Hub asked to wait 40 s.")
    setting.downloads.put(download(state=DownloadState.WAITING, reason=waits))
    qtbot.waitUntil(lambda: len(setting.page.download_rows.rows) == 1)
    row = setting.page.download_rows.rows[0]
    assert row.words.text() == "The Hub asked to wait 40 s."
    failed = Reason("The file is damaged.")
    setting.downloads.put(download(state=DownloadState.FAILED, reason=failed))
    qtbot.waitUntil(lambda: row.words.text() == "The file is damaged.")
    assert row.action.text() == "Try again"
    row.close_button.click()
    qtbot.waitUntil(lambda: setting.page.download_rows.rows == ())
    assert setting.downloads.all == {}


def test_a_finished_download_leads_to_the_chat_and_into_the_table(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library()
    setting.downloads.put(download(model_name="Qwen3-14B", quant="Q3_K_M"))
    model = setting.downloads.finish("d1")
    qtbot.waitUntil(lambda: setting.names() == ["Qwen3-14B"])
    row = setting.page.download_rows.rows[0]
    with qtbot.waitSignal(setting.page.chat_requested) as asked:
        row.action.click()
    assert asked.args == [model.id]


def test_nothing_installed_leads_to_the_shelf(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library()
    assert setting.page.empty.isVisible()
    assert setting.page.empty.button is not None
    with qtbot.waitSignal(setting.page.place_requested) as asked:
        setting.page.empty.button.click()
    assert asked.args == [Place.SHELF]


def test_what_cannot_be_read_is_said_with_a_way_to_try_again(
    qtbot: QtBot, tmp_path: Path, themed_app: QApplication
) -> None:
    class BrokenLibrary(FakeLibrary):
        def installed(self) -> tuple[InstalledModel, ...]:
            raise NotFound("file", "library.sqlite3")

    services = fake_services(tmp_path, changes={"library": BrokenLibrary()})
    bridge = TaskBridge(services.runner)
    page = LibraryPage(services, bridge)
    qtbot.addWidget(page)
    page.show()
    page.open_page()
    qtbot.waitUntil(page.notice.isVisible)
    assert "library.sqlite3" in page.notice.text.text()
    assert page.notice.button.text() == "Try again"
    bridge.close()
    bridge.deleteLater()


def test_menu_shows_the_folder_and_copies_the_id(
    make_library: Callable[..., Setting], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True
    )
    setting = make_library(QWEN)
    setting.choose(QWEN)
    setting.card.copy_action.trigger()
    setting.card.folder_action.trigger()
    assert QGuiApplication.clipboard().text() == QWEN.id
    assert opened == ["/models"]


def test_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    found = disk_of(tmp_path / "a" / "b")
    assert found is not None
    assert found.path == str(tmp_path)
    assert 0 <= found.free_bytes <= found.total_bytes


def test_hostile_names_are_plain_text_on_one_line(make_library: Callable[..., Setting]) -> None:
    model = installed_model("<b>x</b>\n<img src=file:///etc/passwd>")
    setting = make_library(model)
    assert setting.cell(model, InstalledColumn.MODEL) == "<b>x</b> <img src=file:///etc/passwd>"
    index = setting.card.table.index(0, InstalledColumn.ACTION)
    assert "&lt;img" in index.data(Qt.ItemDataRole.ToolTipRole)
    setting.card.ask_to_remove(model.id)
    assert setting.card.question.text.textFormat() is Qt.TextFormat.PlainText


def test_everything_that_takes_the_focus_has_a_name(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(QWEN, LLAMA)
    setting.downloads.put(download())
    qtbot.waitUntil(lambda: len(setting.page.download_rows.rows) == 1)
    nameless = [
        widget
        for widget in setting.page.findChildren(QWidget)
        if widget.isVisible()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.accessibleName()
    ]
    assert nameless == []


def test_verifying_all_says_what_is_damaged_and_offers_it_again(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(QWEN, LLAMA)
    setting.library.found[LLAMA.id] = (FileState.DAMAGED,)
    ended = qtbot.waitSignal(setting.page.checks.ended)
    with ended:
        setting.page.verify_button.click()
    said = setting.page.checks.text.text()
    assert said.startswith("Damaged: Llama-3.2-3B Q8_0.")
    assert "Qwen" not in said
    integrity = InstalledColumn.INTEGRITY
    qtbot.waitUntil(lambda: setting.cell(LLAMA, integrity) == "damaged, not loaded")
    assert setting.cell(QWEN, integrity).startswith("verified")
    assert setting.cell(LLAMA, InstalledColumn.ACTION) == "Get"
    with qtbot.waitSignal(setting.page.install_requested) as asked:
        setting.press(LLAMA, InstalledColumn.ACTION)
    assert asked.args == [LLAMA.id]
    setting.page.checks.button.click()
    assert setting.page.checks.isHidden()


def test_verifying_one_from_its_menu(qtbot: QtBot, make_library: Callable[..., Setting]) -> None:
    setting = make_library(QWEN, LLAMA)
    setting.choose(QWEN)
    with qtbot.waitSignal(setting.page.checks.ended):
        setting.card.verify_action.trigger()
    assert setting.page.checks.text.text() == (
        "1 model verified: every file is as it was installed."
    )
    assert setting.page.verify_button.isEnabled()


def test_damaged_file_of_ones_own_can_neither_chat_nor_be_fetched(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    mine = installed_model("Mine", source="import", damaged=Damage("Mine.gguf", "f" * 64))
    setting = make_library(mine)
    assert setting.cell(mine, InstalledColumn.ACTION) == "Chat"
    with (
        qtbot.assertNotEmitted(setting.page.chat_requested),
        qtbot.assertNotEmitted(setting.page.install_requested),
    ):
        setting.press(mine, InstalledColumn.ACTION)


def test_importing_lists_a_folder_and_leads_to_the_sheet(
    qtbot: QtBot,
    make_library: Callable[..., Setting],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "person" / "data"))
    lm_studio = tmp_path / "person" / ".lmstudio" / "models" / "ada" / "Small-GGUF"
    path = put(lm_studio / "Small-Q4_0.gguf", gguf("a"))
    mine = put(tmp_path / "mine" / "known.gguf", gguf("b"))
    known = installed_model("Known", source="import", origin="jan")
    file = replace(known.first_file, location=str(mine))
    setting = make_library(replace(known, files=(file,)))
    assert "linked from Jan" in setting.cell(known, InstalledColumn.INTEGRITY)
    card = setting.page.imports
    assert card.isHidden()
    setting.page.import_button.click()
    qtbot.waitUntil(lambda: len(card.rows.rows) == 1)
    (row,) = card.rows.rows
    assert row.name.text() == "Small-Q4_0.gguf"
    assert row.words.text().startswith("LM Studio · ")
    with qtbot.waitSignal(setting.page.install_requested) as asked:
        row.button.click()
    assert asked.args == [str(path)]
    card.look(str(tmp_path / "mine"))
    qtbot.waitUntil(lambda: card.rows.rows[0].name.text() == "known.gguf")
    assert card.rows.rows[0].button.text() == "In the library"
    assert not card.rows.rows[0].button.isEnabled()
    put(tmp_path / "usb" / "openshelf-bundle.json", "{}")
    put(tmp_path / "usb" / "models" / "1" / "files" / "x.gguf", gguf("x"))
    with qtbot.waitSignal(card.bundle_found) as found:
        card.look(str(tmp_path / "usb"))
    assert found.args == [str(tmp_path / "usb")]
    assert card.rows.rows == ()
    assert card.isHidden()
    assert setting.page.bundle.isVisible()
    setting.page.bundle.close_button.click()
    card.open_card()
    card.look(str(tmp_path / "nothing"))
    qtbot.waitUntil(lambda: "No model file" in card.words.text())
    card.close_button.click()
    assert card.isHidden()


def test_importing_is_possible_where_nothing_is_installed(
    qtbot: QtBot,
    make_library: Callable[..., Setting],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "person" / "data"))
    setting = make_library()
    assert setting.page.empty.isVisible()
    setting.page.import_button.click()
    qtbot.waitUntil(setting.page.imports.isVisible)
    qtbot.waitUntil(lambda: "Ollama" in setting.page.imports.words.text())
    setting.page.imports.close_button.click()
    assert setting.page.empty.isVisible()


def _texts(part: QWidget) -> str:
    texts = [label.text() for label in part.findChildren(TextLabel) if label.isVisible()]
    texts += [m.toPlainText() for m in part.findChildren(MarkedText) if m.isVisible()]
    return "\n".join(texts)


def test_an_update_shows_old_and_new_terms_before_anything_is_fetched(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(LLAMA, check_update=lambda model, *_: example_update(model))
    card = setting.page.updates
    assert card.isHidden()
    setting.choose(LLAMA)
    setting.card.update_action.trigger()
    qtbot.waitUntil(lambda: card.install_button.isVisible())
    text = _texts(card)
    for words in (
        "Update of Llama-3.2-3B Q8_0",
        "Nothing was fetched yet.",
        "As accepted",
        "1.2 Whoever takes the guardrails out has no rights any more.",
        "(not in this text)",
        "2.1 The notice goes with every copy",
        "Its terms have to be accepted first.",
    ):
        assert words in text
    assert "1.1 You may use" not in text, "only what changed"
    assert setting.downloads.snapshots() == ()
    with qtbot.waitSignal(setting.page.install_requested) as asked:
        card.install_button.click()
    assert asked.args == [f"hf:{LLAMA.repo}/{LLAMA.first_file.path}"]
    card.close_button.click()
    assert card.isHidden()


def test_nothing_new_needs_no_button(qtbot: QtBot, make_library: Callable[..., Setting]) -> None:
    def same(model: InstalledModel, *_: object) -> UpdateReport:
        return example_update(model, OLD, OLD, has_other_files=False)

    setting = make_library(LLAMA, check_update=same)
    setting.choose(LLAMA)
    setting.card.update_action.trigger()
    card = setting.page.updates
    qtbot.waitUntil(lambda: "Nothing new" in _texts(card))
    assert card.install_button.isHidden()
    assert "As accepted" not in _texts(card)


def test_an_update_that_cannot_be_looked_for_can_be_tried_again(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    answers: list[Exception] = [Offline("huggingface.co")]

    def check(model: InstalledModel, *_: object) -> UpdateReport:
        if answers:
            raise answers.pop()
        return example_update(model, has_other_files=False)

    setting = make_library(LLAMA, check_update=check)
    setting.choose(LLAMA)
    setting.card.update_action.trigger()
    card = setting.page.updates
    qtbot.waitUntil(lambda: card.notice.button.text() == "Try again")
    card.notice.button.click()
    qtbot.waitUntil(lambda: card.install_button.text() == "Read the new terms…")
    assert "The files are the same, but their terms are other ones now." in _texts(card)


def test_other_terms_that_were_accepted_already_ask_nothing(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    def check(model: InstalledModel, *_: object) -> UpdateReport:
        return replace(example_update(model, has_other_files=False), gate="accepted")

    setting = make_library(LLAMA, check_update=check)
    setting.choose(LLAMA)
    setting.card.update_action.trigger()
    card = setting.page.updates
    qtbot.waitUntil(lambda: "What was accepted covers it." in _texts(card))
    assert card.install_button.isHidden()


def test_a_file_of_ones_own_has_nowhere_to_ask(make_library: Callable[..., Setting]) -> None:
    own = installed_model("Own", repo="local", source="import")
    setting = make_library(own)
    setting.choose(own)
    setting.card.view.open_menu()
    assert not setting.card.update_action.isEnabled()
    setting.card.menu.close()


def test_a_hostile_license_text_is_shown_as_what_it_is(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    old = "".join(f"<b>{number}</b>\nsame {number}\n" for number in range(300))
    new = "".join(f"\u202e{number}\x1b[31m\nsame {number}\n" for number in range(300))
    setting = make_library(LLAMA, check_update=lambda model, *_: example_update(model, old, new))
    setting.choose(LLAMA)
    setting.card.update_action.trigger()
    card = setting.page.updates
    qtbot.waitUntil(lambda: card.install_button.isVisible())
    text = _texts(card)
    assert "<b>0</b>" in text
    assert not {"\u202e", "\x1b"} & set(text)
    part = card.findChildren(ChangedText)[0]
    assert part.more.text() == "Show 280 more passages"
    part.more.click()
    assert part.more.text() == "Show 260 more passages"

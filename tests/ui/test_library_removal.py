"""Removing a model: what is said before, what goes, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytestqt.qtbot import QtBot

from tests.fakes.downloads import installed_model
from tests.ui.library_page import Setting

QWEN = installed_model()
LLAMA = installed_model(
    "Llama-3.2-3B", "Q8_0", license_ids=("llama3.2",), installed_at="2026-11-01T09:00:00Z"
)


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


def test_files_of_ones_own_stay_unless_one_says_otherwise(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    (file,) = QWEN.files
    own = replace(QWEN, files=(replace(file, is_ours=False, folder="/models"),))
    setting = make_library(own)
    question = setting.card.question
    setting.card.ask_to_remove(own.id)
    assert question.text.text() == (
        "Take Qwen3-14B off the list? Its chats stay. Kept, because Openshelf did not put it "
        f"there: {file.location}"
    )
    assert question.delete_button.isHidden()
    question.all_tick.click()
    assert question.text.text() == "Remove Qwen3-14B? 1 file, 7.3 GB. Its chats stay."
    assert question.delete_button.isVisible()
    question.keep_button.click()
    setting.card.ask_to_remove(own.id)
    assert not question.all_tick.isChecked(), "asked anew each time"
    question.remove_button.click()
    qtbot.waitUntil(lambda: setting.names() == [])
    assert setting.page.notice.text.text() == "Removed from the list. No room was freed."


def test_a_file_outside_the_model_folders_is_never_offered_to_be_deleted(
    make_library: Callable[..., Setting],
) -> None:
    (file,) = QWEN.files
    linked = replace(QWEN, files=(replace(file, is_ours=False),), origin="lm_studio")
    setting = make_library(linked)
    setting.card.ask_to_remove(linked.id)
    assert setting.card.question.all_tick.isHidden()
    assert file.location in setting.card.question.text.text()


def test_a_removal_that_fails_keeps_the_row(
    qtbot: QtBot, make_library: Callable[..., Setting]
) -> None:
    setting = make_library(QWEN)
    setting.library.models.clear()
    setting.card.ask_to_remove(QWEN.id)
    setting.card.question.remove_button.click()
    qtbot.waitUntil(setting.page.notice.isVisible)
    assert QWEN.id in setting.page.notice.text.text()

"""What the chat page tells beside an answer: the fold of its thoughts, progress, the inspector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.conversation import AnswerFigures, MessageState
from openshelf.chat.interface import ModelInMemory
from openshelf.chat.live import LiveAnswer, LivePhase
from openshelf.errors import DoesNotFit
from openshelf.ui.pages.chat import ChatPage
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble
from tests.fakes.chats import FakeChats
from tests.fakes.downloads import installed_model
from tests.fakes.library import FakeLibrary
from tests.fakes.services import fake_services

MODEL = installed_model("SmolLM2-135M-Instruct", "Q4_1")


@pytest.fixture
def make_page(
    tmp_path: Path, themed_app: QApplication, qtbot: QtBot
) -> Iterator[Callable[..., ChatPage]]:
    made: list[TaskBridge] = []

    def make(chats: FakeChats | None = None) -> ChatPage:
        services = fake_services(
            tmp_path, changes={"chats": chats or FakeChats(), "library": FakeLibrary(MODEL)}
        )
        made.append(TaskBridge(services.runner))
        page = ChatPage(services, made[-1])
        page.resize(1172, 860)
        qtbot.addWidget(page)
        page.show()
        page.open_page()
        qtbot.waitUntil(lambda: page.chosen.installed is not None)
        return page

    yield make
    for bridge in made:
        bridge.close()
        bridge.deleteLater()


def write(qtbot: QtBot, page: ChatPage, text: str) -> None:
    edit = page.area.composer.edit
    edit.setPlainText(text)
    qtbot.keyClick(edit, Qt.Key.Key_Return)


def last_answer(page: ChatPage) -> AnswerView:
    answer = page.area.transcript.last_answer
    assert answer is not None
    return answer


def test_a_shorter_context_is_offered_where_that_one_fits(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    chats.error = DoesNotFit(
        "SmolLM2", "ram", 3 << 30, 1 << 30, device="RAM", why="shorter", context_length=4096
    )
    page = make_page(chats)
    write(qtbot, page, "hello")
    notice = last_answer(page).notice
    qtbot.waitUntil(notice.isVisible)
    assert "needs 3.0 GiB of RAM, and 1.0 GiB are free for it now" in notice.text.text()
    assert "4,096" in notice.text.text()
    assert notice.button.text() == "Use 4,096 tokens"
    chats.error = None
    notice.button.click()
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    assert page.asking._services.settings.current.context_length == 4096
    assert [type(item) for item in page.area.transcript.items] == [UserBubble, AnswerView]


def test_a_shorter_context_is_offered_for_that_failure_only(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    page = make_page(chats)
    write(qtbot, page, "hello")
    answer = last_answer(page)
    qtbot.waitUntil(answer.footer.isVisible)
    wanted: list[int] = []
    answer.shorter_context_wanted.connect(wanted.append)
    answer.show_error(DoesNotFit("m", "ram", 3, 1, device="RAM", why="shorter", context_length=512))
    assert answer.notice.button.text() == "Use 512 tokens"
    answer.show_message(replace(chats.texts[1][-1], state=MessageState.ENGINE_DIED))
    assert answer.notice.button.text() == "Send again"
    answer.notice.button.click()
    assert wanted == []


def test_a_chat_that_is_opened_has_no_figures_of_the_one_before(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    page = make_page(chats)
    write(qtbot, page, "hello")
    qtbot.waitUntil(lambda: page.inspector.answer.isVisibleTo(page.inspector))
    other = chats.new_conversation(MODEL.id)
    page._open_conversation(chats.all[other.id])
    assert not page.inspector.answer.isVisibleTo(page.inspector), "it was not read yet"
    assert page.dialogue.messages == ()


def test_the_time_of_thinking_stands_on_the_fold(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    chats.answer = "<think>\nlong thoughts\n</think>\n\nshort answer"
    page = make_page(chats)
    write(qtbot, page, "think")
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    fold = last_answer(page).reasoning
    assert fold._button.text() == "▸ Thoughts before the answer", "of an older chat"
    live = LiveAnswer(1, 2, LivePhase.GENERATING, "<think>long", 3, 20.0, None, 1.5)
    last_answer(page).show_live(live, "m")
    assert fold._button.text() == "▸ Thinking…"
    last_answer(page).show_live(
        replace(live, text="<think>long</think>It", thought_seconds=6.2), ""
    )
    assert fold._button.text() == "▸ Thought for 6.2 s"
    last_answer(page).show_message(replace(chats.texts[1][-1], thought_seconds=95.0))
    assert fold._button.text() == "▸ Thought for 2 min"
    assert fold._button.accessibleName() == "Thought for 2 min"


def test_the_inspector_tells_parts_figures_and_engine(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    chats.in_memory = ModelInMemory(
        MODEL.id, 4096, 0, 30, "fits_cpu", {"ram": 1}, {"ram": 1}, 0.3,
        engine_version="llama.cpp 0.5.0", engine_folder="/opt/llama", devices=("Ryzen 9",),
    )  # fmt: skip
    page = make_page(chats)
    inspector = page.inspector
    assert not inspector.answer.isVisibleTo(inspector)
    write(qtbot, page, "hello")
    qtbot.waitUntil(lambda: inspector.answer.isVisibleTo(inspector))
    assert inspector.engine_line.text() == "llama.cpp 0.5.0 · Ryzen 9"
    assert inspector.engine_line.toolTip() == "/opt/llama"
    conversation = page.dialogue.conversation
    assert conversation is not None
    question, answer = chats.texts[conversation.id]
    file = Attachment(AttachmentKind.TEXT, "a.txt", tokens=3000, is_counted=True)
    figures = AnswerFigures(3600, 40, 3100, 0.4, 310.0, 21.3)
    chats.texts[conversation.id] = [
        replace(question, attachments=(file,)), replace(answer, figures=figures)
    ]  # fmt: skip
    page._open_conversation(conversation)
    qtbot.waitUntil(lambda: inspector.context_words.text() == "3,640 of 4,096")
    assert inspector.context_legend.words.text() == "files 3,000 · messages 600 · last answer 40"
    shares = [round(segment.share * 4096) for segment in inspector.context_meter.segments]
    assert shares == [3000, 600, 40]
    told = {key: row.value.text() for key, row in inspector.answer.rows.items()}  # type: ignore[attr-defined]
    assert told == {
        "speed": "21.3 tok/s", "reading": "310 tok/s", "first": "0.4 s", "cached": "3,100 of 3,600",
    }  # fmt: skip
    last_answer(page).footer.show_message(
        replace(answer, figures=replace(figures, decode_tokens_per_second=0.0))
    )
    assert last_answer(page).footer.figures.text() == "first token 0.4 s · 40 tokens"
    inspector.answer.show_figures(replace(figures, decode_tokens_per_second=0.0))
    assert inspector.answer.rows["speed"].value.text() == "not timed"  # type: ignore[attr-defined]
    chats.texts[conversation.id][0] = replace(
        question, attachments=(replace(file, is_counted=False),)
    )
    page._open_conversation(conversation)
    qtbot.waitUntil(lambda: "files ≈ 3,000" in inspector.context_legend.words.text())
    chats.texts[conversation.id][1] = replace(
        answer, figures=figures, detail={"code": "turns_dropped", "messages": 2}
    )
    page._open_conversation(conversation)
    qtbot.waitUntil(lambda: not inspector.context_legend.isVisibleTo(inspector))


def test_how_far_it_is_and_how_long_it_takes_is_seen(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    page = make_page()
    write(qtbot, page, "hello")
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    answer = last_answer(page)
    live = LiveAnswer(1, 2, LivePhase.LOADING, "", 0, None, 0.25)
    answer.show_live(live, "SmolLM2")
    assert answer.activity.text() == "Loading SmolLM2… 25 %"
    assert answer.progress.isVisible()
    reading = replace(live, phase=LivePhase.PROMPT, fraction=0.4, seconds_left=7.2)
    answer.show_live(reading, "SmolLM2")
    assert answer.activity.text() == "Reading the conversation… 40 % · 8 s left"
    answer.show_live(replace(reading, seconds_left=180), "SmolLM2")
    assert answer.activity.text() == "Reading the conversation… 40 % · 3 min left"


def test_a_model_that_left_the_gpu_is_told_as_it_happens(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    page = make_page(chats)
    chats.in_memory = ModelInMemory(
        MODEL.id, 4096, 0, 30, "fits_cpu", {"ram": 1}, {"ram": 1}, 0.3, left_gpu=True
    )
    page.refresh()
    qtbot.waitUntil(page.area.notice.isVisible)
    assert "on the CPU, although it was to run on the GPU" in page.area.notice.text.text()
    assert page.area.header.placement.words == "on the CPU, not the GPU"
    page.area.notice.hide()
    page.refresh()
    qtbot.wait(50)
    assert not page.area.notice.isVisible(), "once"

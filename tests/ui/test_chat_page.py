"""The chat page over fake services: sending, streaming, stopping, dying, deleting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from openshelf.chat.attachments import Attachment
from openshelf.chat.conversation import Message, MessageState
from openshelf.chat.interface import ModelInMemory
from openshelf.chat.live import LiveAnswer, LivePhase
from openshelf.engine.protocol import Sampling
from openshelf.errors import DoesNotFit
from openshelf.library.measurements import ComponentMemory
from openshelf.services import Services
from openshelf.tasks import CancelToken, PoolTaskRunner, Report
from openshelf.ui.pages.chat import ChatPage
from openshelf.ui.places import Place
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.bars import SegmentBar
from openshelf.ui.widgets.measured_memory import PartView, PoolView
from openshelf.ui.widgets.transcript_messages import AnswerView
from openshelf.ui.widgets.transcript_question import UserBubble
from tests.fakes.chats import FakeChats
from tests.fakes.downloads import installed_model
from tests.fakes.library import FakeLibrary
from tests.fakes.services import fake_services
from tests.ui.chat_messages import message

MODEL = installed_model("SmolLM2-135M-Instruct", "Q4_1")


class SlowChats(FakeChats):
    """Answers when `go` is set; what `live_answer` says until then is up to the test."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.asked = threading.Event()
        self.sampling: Sampling | None = None

    def send(
        self,
        conversation_id: int,
        text: str,
        model_id: str,
        sampling: Sampling,
        cancel: CancelToken,
        report: Report,
        *,
        attached: Sequence[Attachment] = (),
    ) -> Message:
        self.sampling = sampling
        self.asked.set()
        assert self.go.wait(20)
        return super().send(
            conversation_id, text, model_id, sampling, cancel, report, attached=attached
        )

    def stop(self, conversation_id: int) -> None:
        super().stop(conversation_id)
        self.state = MessageState.STOPPED
        self.go.set()


@pytest.fixture
def make_page(
    tmp_path: Path, themed_app: QApplication, qtbot: QtBot
) -> Iterator[Callable[..., ChatPage]]:
    made: list[tuple[TaskBridge, Services]] = []

    def make(chats: FakeChats | None = None, *models: Any, **changes: Any) -> ChatPage:
        library = FakeLibrary(*(models or (MODEL,)))
        services = fake_services(
            tmp_path, changes={"chats": chats or FakeChats(), "library": library, **changes}
        )
        bridge = TaskBridge(services.runner)
        made.append((bridge, services))
        page = ChatPage(services, bridge)
        page.resize(1172, 860)
        qtbot.addWidget(page)
        page.show()
        page.open_page()
        qtbot.waitUntil(lambda: page.chosen.installed is not None)
        return page

    yield make
    for bridge, services in made:
        if isinstance(services.chats, SlowChats):
            services.chats.go.set()
        services.runner.close()
        bridge.close()
        bridge.deleteLater()


@pytest.fixture
def slow(make_page: Callable[..., ChatPage]) -> Iterator[tuple[ChatPage, SlowChats]]:
    chats = SlowChats()
    yield make_page(chats, runner=PoolTaskRunner(4)), chats
    chats.go.set()


def write(qtbot: QtBot, page: ChatPage, text: str) -> None:
    edit = page.area.composer.edit
    edit.setPlainText(text)
    qtbot.keyClick(edit, Qt.Key.Key_Return)


def last_answer(page: ChatPage) -> AnswerView:
    answer = page.area.transcript.last_answer
    assert answer is not None
    return answer


def test_a_question_is_answered_and_its_figures_are_shown(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    page = make_page()
    write(qtbot, page, "What is it?")
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    question, answer = page.area.transcript.items
    assert isinstance(question, UserBubble)
    assert question.text == "What is it?"
    assert isinstance(answer, AnswerView)
    assert answer.text.toPlainText() == "The answer is 42."
    assert answer.footer.figures.text() == "21.3 tok/s · first token 0.4 s · 9 tokens"
    qtbot.waitUntil(lambda: [r.label for r in page.model.rows][1:] == ["What is it?"])
    assert page.inspector.context_words.text() == "21 of 8,192"


def test_shift_enter_breaks_the_line_and_an_empty_message_is_not_sent(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    page = make_page()
    edit = page.area.composer.edit
    qtbot.keyClicks(edit, "a")
    qtbot.keyClick(edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(edit, "b")
    assert edit.toPlainText() == "a\nb"
    edit.setPlainText("  \n ")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert page.area.transcript.items == ()
    assert not page.area.composer.send_button.isEnabled()


def test_the_answer_is_shown_while_it_is_written_and_can_be_stopped(
    qtbot: QtBot, slow: tuple[ChatPage, SlowChats]
) -> None:
    page, chats = slow
    page.inspector.panel.temperature.set_value(0.3)
    page.inspector.panel.max_tokens.set_value(512)
    write(qtbot, page, "go")
    chats.live_answer = LiveAnswer(1, 2, LivePhase.LOADING, "", 0, None, 0.4)
    qtbot.waitUntil(
        lambda: last_answer(page).activity.text() == "Loading SmolLM2-135M-Instruct… 40 %"
    )
    assert last_answer(page).progress.isVisible()
    chats.live_answer = LiveAnswer(1, 2, LivePhase.GENERATING, "Some **wo", 3, 12.5, None)
    qtbot.waitUntil(lambda: "Some" in last_answer(page).text.toPlainText())
    assert last_answer(page).activity.text() == "12.5 tok/s"
    assert page.area.composer.stop_button.isVisible()
    assert page.area.composer.send_button.isHidden()
    qtbot.keyClick(page.area.composer.edit, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    assert chats.stopped == [1]
    assert chats.sampling == Sampling(temperature=0.3, max_tokens=512)
    assert "stopped" in last_answer(page).footer.figures.text()
    assert page.area.composer.send_button.isVisible()


def test_what_is_loaded_is_shown_while_the_first_answer_is_written(
    qtbot: QtBot, slow: tuple[ChatPage, SlowChats]
) -> None:
    page, chats = slow
    header, inspector = page.area.header, page.inspector
    assert inspector.context_words.text() == "0 of 8,192"
    changes: list[None] = []
    page.memory_changed.connect(lambda: changes.append(None))
    write(qtbot, page, "What is it?")
    assert chats.asked.wait(10)
    chats.all[1] = replace(chats.all[1], title="What is it?")
    chats.live_answer = LiveAnswer(1, 2, LivePhase.LOADING, "", 0, None, 0.4)
    qtbot.waitUntil(lambda: [row.label for row in page.model.rows][1:] == ["What is it?"])
    assert header.placement.words == "not in memory yet"
    assert inspector.context_words.text() == "holds 8,192 tokens", "not a zero that is not true"
    assert changes == []
    chats.in_memory = ModelInMemory(
        MODEL.id, 4096, 0, 31, "fits_cpu", {"ram": 1000 << 20}, {"ram": 999 << 20}, 1.5
    )
    chats.live_answer = LiveAnswer(1, 2, LivePhase.PROMPT, "", 0, None, None)
    qtbot.waitUntil(lambda: header.placement.words == "on the CPU")
    pool = inspector.findChild(PoolView)
    assert pool is not None
    assert pool.difference.text() == "difference −0.1 %"
    assert "llama.cpp" in pool.toolTip()
    assert changes == [None]
    chats.live_answer = LiveAnswer(1, 2, LivePhase.GENERATING, "Some", 1000, 12.5, None)
    qtbot.waitUntil(lambda: inspector.context_words.text() == "more than 1,000 of 4,096")
    chats.go.set()
    qtbot.waitUntil(lambda: inspector.context_words.text() == "21 of 4,096")


def test_an_older_chat_shows_what_it_was_begun_with(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    first, second = (chats.new_conversation(MODEL.id) for _ in range(2))
    chats.all[first.id] = replace(first, title="told", system_prompt="Be <b>brief</b>.")
    chats.all[second.id] = replace(second, title="plain", updated_at="2026-11-22T09:00:00Z")
    page = make_page(chats)
    rows = {row.label: number for number, row in enumerate(page.model.rows)}
    page.panel.view.setCurrentIndex(page.model.index(rows["told"]))
    edit = page.inspector.prompt_edit
    assert edit.toPlainText() == "Be <b>brief</b>."
    assert edit.isReadOnly()
    assert edit.isVisible()
    page.panel.view.setCurrentIndex(page.model.index(rows["plain"]))
    assert not edit.isVisible()


def test_no_timer_runs_when_nothing_is_written(
    qtbot: QtBot, slow: tuple[ChatPage, SlowChats]
) -> None:
    page, chats = slow
    write(qtbot, page, "go")
    assert page.dialogue._turn is not None
    timer = page.dialogue._turn._timer
    assert timer.isActive()
    chats.go.set()
    qtbot.waitUntil(lambda: not page.dialogue.is_answering)
    assert page.dialogue._turn is None


def test_a_dead_engine_is_told_in_the_conversation_and_the_next_message_works(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    page = make_page(chats)
    chats.all[1] = replace(chats.new_conversation(MODEL.id), title="t")
    died = message(
        3, "assistant", "Half an ans", state=MessageState.ENGINE_DIED,
        detail={"code": "engine_killed", "signal": "SIGKILL", "tail": "last words"},
    )  # fmt: skip
    chats.texts[1] = [message(2, "user", "go on"), died]
    page.refresh()
    qtbot.waitUntil(lambda: len(page.model.rows) == 2)
    page.panel.view.setCurrentIndex(page.model.index(1))
    qtbot.waitUntil(lambda: len(page.area.transcript.items) == 2)
    answer = last_answer(page)
    assert answer.text.toPlainText() == "Half an ans"
    assert "ended by the system" in answer.notice.text.text()
    assert "SIGKILL" in answer.notice._details.text()
    assert "last words" in answer.notice._details.text()
    answer.notice.button.click()
    qtbot.waitUntil(
        lambda: last_answer(page) is not answer and last_answer(page).footer.isVisible()
    )
    assert last_answer(page).text.toPlainText() == "The answer is 42."
    assert answer.text.toPlainText() == "Half an ans"


def test_what_could_not_be_asked_is_said_and_tried_again_without_doubling(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    chats.error = DoesNotFit("SmolLM2", "ram", 3 << 30, 1 << 30)
    page = make_page(chats)
    write(qtbot, page, "hello")
    qtbot.waitUntil(lambda: last_answer(page).notice.isVisible())
    assert "3.0 GiB" in last_answer(page).notice.text.text()
    chats.error = None
    last_answer(page).notice.button.click()
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    assert [type(item) for item in page.area.transcript.items] == [UserBubble, AnswerView]


def test_another_chat_can_be_read_while_one_is_answered(
    qtbot: QtBot, slow: tuple[ChatPage, SlowChats]
) -> None:
    page, chats = slow
    write(qtbot, page, "first")
    chats.live_answer = LiveAnswer(1, 2, LivePhase.GENERATING, "so far", 2, None, None)
    qtbot.waitUntil(lambda: "so far" in last_answer(page).text.toPlainText())
    page.start_new()
    assert page.area.transcript.items == ()
    assert "Another chat" in page.area.composer.hint.text()
    write(qtbot, page, "second")
    assert page.area.transcript.items == ()
    qtbot.waitUntil(lambda: len(page.model.rows) == 2)
    page.panel.view.setCurrentIndex(page.model.index(1))
    qtbot.waitUntil(lambda: "so far" in last_answer(page).text.toPlainText())
    assert [i.text for i in page.area.transcript.items if isinstance(i, UserBubble)] == ["first"]
    chats.go.set()
    qtbot.waitUntil(lambda: "42" in last_answer(page).text.toPlainText())


def test_thoughts_are_folded_away(qtbot: QtBot, make_page: Callable[..., ChatPage]) -> None:
    chats = FakeChats()
    chats.answer = "<think>\nlong thoughts\n</think>\n\nshort answer"
    page = make_page(chats)
    write(qtbot, page, "think")
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    answer = last_answer(page)
    assert answer.text.toPlainText() == "short answer"
    assert answer.reasoning.isVisible()
    assert not answer.reasoning.view.isVisible()
    answer.reasoning._button.click()
    assert answer.reasoning.view.toPlainText() == "long thoughts"
    assert answer.reasoning.view.isVisible()


def test_deleting_asks_below_the_list_first(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    chats = FakeChats()
    page = make_page(chats)
    write(qtbot, page, "delete me")
    qtbot.waitUntil(lambda: len(page.model.rows) == 2 and page.model.rows[1].label == "delete me")
    page.panel.view.setCurrentIndex(page.model.index(1))
    qtbot.keyClick(page.panel.view, Qt.Key.Key_Delete)
    assert page.panel.confirmation.isVisible()
    assert "delete me" in page.panel.question.text()
    assert len(chats.all) == 1
    page.panel.delete_button.click()
    qtbot.waitUntil(lambda: chats.all == {} and page.model.rows == ())
    assert page.dialogue.is_empty


def test_deleting_what_is_being_answered_stops_it_first(
    qtbot: QtBot, slow: tuple[ChatPage, SlowChats]
) -> None:
    page, chats = slow
    write(qtbot, page, "go")
    qtbot.waitUntil(lambda: len(page.model.rows) == 2)
    page.panel.ask_to_delete(page.model.index(1))
    page.panel.delete_button.click()
    qtbot.waitUntil(lambda: chats.all == {} and not page.dialogue.is_answering)
    assert chats.stopped == [1]


def test_a_link_shows_its_address_before_it_is_opened(
    qtbot: QtBot, make_page: Callable[..., ChatPage], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toString()) or True
    )
    page = make_page()
    write(qtbot, page, "x")
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    last_answer(page).text.link_pressed.emit("https://example.com/x")
    notice = page.area.link_notice
    assert notice.isVisible()
    assert notice._address_label.text().replace("\u200b", "") == "https://example.com/x"
    assert opened == []
    notice._open.click()
    assert opened == ["https://example.com/x"]
    last_answer(page).text.link_pressed.emit("file:///etc/passwd")
    assert notice.isVisible()
    assert notice._open.isHidden()


def test_nothing_installed_leads_to_the_shelf(
    qtbot: QtBot, tmp_path: Path, themed_app: QApplication
) -> None:
    services = fake_services(tmp_path)
    bridge = TaskBridge(services.runner)
    page = ChatPage(services, bridge)
    qtbot.addWidget(page)
    page.show()
    page.open_page()
    empty = page.area.nothing_installed
    qtbot.waitUntil(empty.isVisible)
    assert empty.button is not None
    with qtbot.waitSignal(page.place_requested) as asked:
        empty.button.click()
    assert asked.args == [Place.SHELF]
    bridge.close()
    bridge.deleteLater()


def test_open_model_begins_a_chat_with_it(qtbot: QtBot, make_page: Callable[..., ChatPage]) -> None:
    other = installed_model()
    chats = FakeChats()
    chats.in_memory = ModelInMemory(
        other.id, 4096, 33, 41, "fits_split", {"gpu:0": 100, "ram": 200}, {"gpu:0": 90}, 1.5
    )
    page = make_page(chats, MODEL, other)
    page.open_model(other.id)
    page.refresh()
    qtbot.waitUntil(lambda: page.area.header.placement.words == "33 of 41 layers on GPU")
    assert "Qwen3-14B · Q3_K_M" in page.area.header.model_button.text()
    assert page.area.composer.edit.hasFocus() or not page.isActiveWindow()
    assert page.inspector.context_words.text() == "0 of 4,096"
    page.area.header.model_menu.actions()[0].trigger()
    assert page.chosen.id == MODEL.id
    assert page.area.header.placement.words == "not in memory yet"


def test_each_part_of_the_memory_stands_beside_its_prediction(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    mib = 1 << 20
    parts = (
        ComponentMemory("gpu:0", "weights", 4000 * mib, 4000 * mib),
        ComponentMemory("gpu:0", "kv_cache", 500 * mib, 500 * mib),
        ComponentMemory("gpu:0", "compute_buffer", 100 * mib, 90 * mib),
        ComponentMemory("CPU", "weights", 300 * mib, None),
    )
    chats = FakeChats()
    chats.in_memory = ModelInMemory(
        MODEL.id, 4096, 41, 41, "fits_gpu", {"gpu:0": 4600 * mib}, {"gpu:0": 4590 * mib}, 1.5, parts
    )
    page = make_page(chats)
    page.open_model(MODEL.id)
    page.refresh()
    qtbot.waitUntil(lambda: len(page.inspector.findChildren(PoolView)) == 2)
    gpu, ram = page.inspector.findChildren(PoolView)
    assert gpu.words == "4.5 GiB measured · 4.5 GiB predicted"
    assert gpu.difference.text() == "difference −0.2 %"
    weights, context, buffers = gpu.findChildren(PartView)
    assert [part.name for part in (weights, context, buffers)] == [
        "Weights",
        "Context memory",
        "Work buffers",
    ]
    assert weights.difference.text() == "difference 0.0 %"
    assert buffers.difference.text() == "difference −10.0 %"
    assert buffers.words == "90.0 MiB measured · 100 MiB predicted"
    assert "KV cache" in context.toolTip()
    (only,) = ram.findChildren(PartView)
    assert only.words == "not told · 300 MiB predicted"
    assert only.difference.text() == ""
    bar = gpu.findChildren(SegmentBar)[0]
    assert bar.accessibleDescription() == gpu.words


def test_hostile_names_and_titles_are_plain_text(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    name = "<b>x</b>\n<img src=file:///etc/passwd>"
    page = make_page(None, installed_model(name, "Q4_&_M"))
    write(qtbot, page, "<b>hi</b>")
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    bubble = page.area.transcript.items[0]
    assert isinstance(bubble, UserBubble)
    assert bubble._label.textFormat() is Qt.TextFormat.PlainText
    assert bubble._label.text() == "<b>hi</b>"
    assert "\n" not in page.area.header.model_button.text()


def test_everything_that_takes_the_focus_has_a_name(
    qtbot: QtBot, make_page: Callable[..., ChatPage]
) -> None:
    page = make_page()
    write(qtbot, page, "x")
    qtbot.waitUntil(lambda: last_answer(page).footer.isVisible())
    nameless = [
        widget
        for widget in page.findChildren(QWidget)
        if widget.isVisible()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.accessibleName()
    ]
    assert nameless == []


def test_a_question_keeps_its_length_out_of_the_layout(
    qtbot: QtBot, themed_app: QApplication
) -> None:
    bubble = UserBubble("word " * 5_000)
    qtbot.addWidget(bubble)
    bubble.resize(600, 100)
    bubble.show()
    assert len(bubble._label.text()) == 6_000
    bubble._more.click()
    assert bubble._label.text() == "word " * 5_000
    assert bubble._more.isHidden()

"""How a question is asked from the window: settings, presets, prompts, thinking, files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.conversation import Message, MessageState, Role
from openshelf.chat.interface import ModelInMemory
from openshelf.chat.presets import PresetKind
from openshelf.engine.asking import AnswerForm, Sampling
from openshelf.errors import EngineFailed, Offline
from openshelf.services import Services
from openshelf.tasks import CancelToken, Report
from openshelf.ui.pages.chat import ChatPage
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.chip import Chip
from openshelf.ui.widgets.transcript_question import UserBubble
from tests.chat.files_of_strangers import pdf_with, photo, write
from tests.fakes.aids import RECOMMENDED, FakeAdvisor, fake_aids
from tests.fakes.chats import FakeChats
from tests.fakes.downloads import installed_model
from tests.fakes.library import FakeLibrary
from tests.fakes.services import fake_services

MODEL = installed_model("SmolLM2-135M-Instruct", "Q4_1")


class ListeningChats(FakeChats):
    """Remembers what it was sent with."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, Sampling, tuple[Attachment, ...]]] = []

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
        self.sent.append((text, sampling, tuple(attached)))
        return super().send(
            conversation_id, text, model_id, sampling, cancel, report, attached=attached
        )


class Desk:
    def __init__(self, folder: Path, advisor: FakeAdvisor | None = None) -> None:
        self.advisor = advisor or FakeAdvisor()
        self.chats = ListeningChats()
        self.aids = fake_aids(self.advisor)
        self.services: Services = fake_services(
            folder,
            changes={
                "chats": self.chats,
                "chat_aids": self.aids,
                "library": FakeLibrary(MODEL),
            },
        )
        self.bridge = TaskBridge(self.services.runner)
        self.page = ChatPage(self.services, self.bridge)
        self.page.resize(1200, 800)
        self.page.show()
        self.page.open_page()

    def send(self, text: str) -> None:
        self.page.area.composer.edit.setPlainText(text)
        self.page.area.composer.send_button.click()

    @property
    def chips(self) -> list[str]:
        bar = self.page.area.composer.bar
        return [chip.words for chip in bar.findChildren(Chip) if chip.isVisibleTo(bar)]


@pytest.fixture
def make_desk(
    tmp_path: Path, themed_app: QApplication, qtbot: QtBot
) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(advisor: FakeAdvisor | None = None) -> Desk:
        desk = Desk(tmp_path, advisor)
        made.append(desk)
        qtbot.addWidget(desk.page)
        qtbot.waitUntil(lambda: desk.page.chosen.id == MODEL.id)
        return desk

    yield make
    for desk in made:
        desk.bridge.close()


def trigger(menu: QMenu, words: str) -> None:
    for action in menu.actions():
        if action.text() == words:
            action.trigger()
            return
    raise AssertionError(f"{words} is not among {[a.text() for a in menu.actions()]}")


# --- settings -------------------------------------------------------------------------------------


def test_the_publishers_settings_are_taken_over_and_said(
    qtbot: QtBot, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(FakeAdvisor(RECOMMENDED))
    panel = desk.page.inspector.panel
    qtbot.waitUntil(lambda: "publisher" in panel.source.text())
    assert panel.sampling == RECOMMENDED.sampling
    panel.temperature.slider.setValue(0)
    assert panel.source.text() == "Changed by you."
    desk.send("hello")
    qtbot.waitUntil(lambda: len(desk.chats.sent) == 1)
    assert desk.chats.sent[0][1] == replace(RECOMMENDED.sampling, temperature=0.0)
    panel.reset_button.click()
    assert panel.sampling == RECOMMENDED.sampling


def test_what_was_changed_by_hand_stays_when_a_recommendation_comes(
    qtbot: QtBot, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk()
    panel = desk.page.inspector.panel
    panel.max_tokens.slider.setValue(0)
    desk.advisor.known = RECOMMENDED
    panel.show_advice(RECOMMENDED)
    assert panel.sampling.max_tokens == 64
    assert panel.sampling.temperature == Sampling().temperature


def test_the_hub_is_asked_only_by_hand(qtbot: QtBot, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    panel = desk.page.inspector.panel
    qtbot.waitUntil(lambda: "Openshelf's own" in panel.source.text())
    assert desk.advisor.asked == []
    desk.advisor.error = Offline("huggingface.co")
    panel.publisher_button.click()
    qtbot.waitUntil(lambda: desk.page.area.notice.isVisibleTo(desk.page.area))
    assert "Offline" in desk.page.area.notice.text.text()
    desk.advisor.error = None
    panel.publisher_button.click()
    qtbot.waitUntil(lambda: "(maker/Model)" in panel.source.text())
    assert panel.sampling.temperature == 0.6
    assert not panel.publisher_button.isVisibleTo(panel)


def test_of_a_model_on_a_server_nothing_is_known_or_asked(
    qtbot: QtBot, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(FakeAdvisor(replace(RECOMMENDED, can_see=False)))
    page, panel = desk.page, desk.page.inspector.panel
    qtbot.waitUntil(lambda: "publisher" in panel.source.text())
    assert page.attaching.cannot_see
    page.asking.show_model(None, on_server=True)
    assert panel.sampling == Sampling()
    assert "server" in panel.source.text()
    assert not panel.publisher_button.isVisibleTo(panel), "nobody could be asked"
    assert page.attaching.cannot_see == "", "a picture is not refused in another model's name"
    page.asking.show_model(MODEL.id)
    qtbot.waitUntil(lambda: "publisher" in panel.source.text())
    assert page.attaching.cannot_see


def test_everything_that_can_be_set_is_sent(qtbot: QtBot, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    wanted = Sampling(
        temperature=0.33, top_p=0.8, top_k=33, min_p=0.015, repeat_penalty=1.07, max_tokens=777,
        seed=7, stop=("END", "###"), form=AnswerForm(json_schema='{"type": "boolean"}'),
    )  # fmt: skip
    panel = desk.page.inspector.panel
    panel.set_sampling(wanted)
    assert panel.sampling == wanted, "exactly, between the steps too"
    desk.send("hello")
    qtbot.waitUntil(lambda: len(desk.chats.sent) == 1)
    assert desk.chats.sent[0][1] == wanted
    panel.seed.setText("")
    panel.stop.setText(" | ")
    assert (panel.sampling.seed, panel.sampling.stop) == (None, ())


def test_a_chat_that_is_opened_is_asked_as_it_was_last(
    qtbot: QtBot, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk()
    earlier = Sampling(temperature=1.2, seed=3, form=AnswerForm(thinking=False))
    conversation = desk.chats.new_conversation(MODEL.id)
    desk.chats.all[conversation.id] = replace(conversation, sampling=earlier)
    desk.advisor.known = replace(desk.advisor.known, can_switch_thinking=True)
    desk.page.asking._foot.show_advice(desk.advisor.known)
    desk.page._open_conversation(desk.chats.all[conversation.id])
    assert desk.page.asking.sampling == earlier
    assert desk.page.area.composer.foot.think_button.text() == "Think: off"


def test_a_new_chat_does_not_go_on_with_the_settings_of_an_opened_one(
    qtbot: QtBot, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(FakeAdvisor(RECOMMENDED))
    page, panel = desk.page, desk.page.inspector.panel
    qtbot.waitUntil(lambda: panel.sampling == RECOMMENDED.sampling)
    conversation = desk.chats.new_conversation(MODEL.id)
    earlier = Sampling(temperature=1.2, seed=3)
    desk.chats.all[conversation.id] = replace(conversation, sampling=earlier)
    page._open_conversation(desk.chats.all[conversation.id])
    assert panel.sampling == earlier
    page.start_new()
    assert panel.sampling == RECOMMENDED.sampling
    panel.seed.setText("9")
    page.start_new()
    assert panel.sampling.seed == 9, "what was set by hand stays"
    page._open_conversation(desk.chats.all[conversation.id])
    panel.seed.setText("4")
    page.start_new()
    assert (panel.sampling.seed, panel.sampling.temperature) == (4, 1.2)


def test_settings_are_saved_chosen_and_deleted(
    qtbot: QtBot, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk()
    panel, presets = desk.page.inspector.panel, desk.aids.presets
    panel.set_sampling(Sampling(temperature=0.1))
    trigger(panel.presets.menu(), "Save as…")
    panel.preset_name.setText("R&D <b>")
    qtbot.keyClick(panel.preset_name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(presets.all()) == 1)
    assert presets.find(PresetKind.SAMPLING, "R&D <b>").sampling == Sampling(temperature=0.1)
    panel.set_sampling(Sampling(temperature=2.0))
    qtbot.waitUntil(lambda: panel.presets.menu().actions()[0].text() == "R&&D <b>")
    trigger(panel.presets.menu(), "R&&D <b>")
    assert panel.sampling.temperature == 0.1
    away = next(a.menu() for a in panel.presets.menu().actions() if a.text() == "Delete")
    assert isinstance(away, QMenu)
    trigger(away, "R&&D <b>")
    qtbot.waitUntil(lambda: presets.all() == ())


def test_a_prompt_is_saved_and_begins_a_new_chat(
    qtbot: QtBot, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk()
    inspector, foot = desk.page.inspector, desk.page.area.composer.foot
    assert not foot.prompt_button.isVisibleTo(foot)
    inspector.prompt_edit.setPlainText("Quote the clause.")
    inspector.prompt_name.named.emit("Contract reader")
    qtbot.waitUntil(lambda: foot.prompt_button.text() == "Prompt: Contract reader")
    inspector.prompt_edit.clear()
    assert foot.prompt_button.text() == "Prompt: none"
    trigger(foot._prompt_menu, "Contract reader")
    assert inspector.system_prompt == "Quote the clause."
    desk.send("hello")
    qtbot.waitUntil(lambda: len(desk.chats.sent) == 1)
    qtbot.waitUntil(lambda: not foot.prompt_button.isEnabled())


def test_thinking_is_offered_only_where_the_template_has_it(
    qtbot: QtBot, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk()
    foot = desk.page.area.composer.foot
    assert not foot.think_button.isVisibleTo(foot)
    foot.show_advice(replace(RECOMMENDED, can_switch_thinking=True))
    assert foot.think_button.text() == "Think: auto"
    trigger(foot._think_menu, "Answer at once")
    assert desk.page.asking.sampling.form.thinking is False
    foot.show_advice(replace(RECOMMENDED, efforts=("low", "medium", "high")))
    trigger(foot._think_menu, "Effort: high")
    assert desk.page.asking.sampling.form == AnswerForm(effort="high")
    assert foot.think_button.text() == "Think: high"
    foot.show_advice(RECOMMENDED)
    assert desk.page.asking.sampling.form == AnswerForm(), "what is not offered is not sent"


def test_a_schema_is_read_from_a_file_and_removed(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    panel = desk.page.inspector.panel
    schema = json.dumps({"type": "object"})
    desk.page.asking.read_schema(str(write(tmp_path / "s.json", schema.encode())))
    qtbot.waitUntil(lambda: panel.sampling.form.json_schema == schema)
    assert panel.schema_button.text() == "set · remove"
    panel.schema_button.click()
    assert panel.sampling.form.json_schema == ""
    desk.page.asking.read_schema(str(tmp_path / "none.json"))
    qtbot.waitUntil(lambda: "none.json" in desk.page.area.notice.text.text())


# --- files ----------------------------------------------------------------------------------------


def test_a_file_is_read_shown_and_sent(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    path = write(tmp_path / "msa.pdf", pdf_with("Thirty days"))
    desk.page.attaching.add([str(path)])
    qtbot.waitUntil(lambda: desk.chips == ["msa.pdf · ≈ 6 tokens"])
    assert "of the 8,192" in desk.page.area.composer.bar.consequence.text()
    desk.send("Sum up.")
    qtbot.waitUntil(lambda: len(desk.chats.sent) == 1)
    (sent,) = desk.chats.sent[0][2]
    assert (sent.name, sent.text) == ("msa.pdf", "[page 1]\nThirty days")
    assert desk.chips == []
    bubble = desk.page.area.transcript.items[0]
    assert isinstance(bubble, UserBubble)
    assert [chip.words for chip in bubble.findChildren(Chip)] == ["msa.pdf · ≈ 6 tokens"]
    qtbot.waitUntil(lambda: not desk.page.dialogue.is_answering)
    desk.send("And?")
    qtbot.waitUntil(lambda: len(desk.chats.sent) == 2)
    assert desk.chats.sent[1][2] == ()


def test_what_would_be_left_out_is_said_before_sending(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    desk.send("hello")
    qtbot.waitUntil(lambda: len(desk.page.dialogue.messages) == 2)
    consequence = desk.page.area.composer.bar.consequence
    desk.page.attaching.add([str(write(tmp_path / "a.txt", b"word " * 5_000))])
    qtbot.waitUntil(lambda: "the first 2 messages" in consequence.text())
    desk.page.attaching.add([str(write(tmp_path / "b.txt", b"word " * 9_000))])
    qtbot.waitUntil(lambda: "cannot be sent whole" in consequence.text())


def test_a_file_can_be_taken_back_and_nothing_follows_into_another_chat(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    for name in ("a.txt", "b.txt"):
        desk.page.attaching.add([str(write(tmp_path / name, b"x"))])
    qtbot.waitUntil(lambda: len(desk.page.attaching.files) == 2)
    desk.page.area.composer.bar.removed.emit(0)
    assert [one.name for one in desk.page.attaching.files] == ["b.txt"]
    desk.page.start_new()
    assert desk.page.attaching.files == ()


def test_what_cannot_be_attached_is_said(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    desk.page.attaching.add([str(write(tmp_path / "a.zip", b"PK\x03\x04"))])
    qtbot.waitUntil(lambda: "neither text nor a PDF" in desk.page.area.notice.text.text())
    assert desk.page.attaching.files == ()
    desk.page.attaching.cannot_see = "SmolLM2"
    desk.page.attaching.add([str(write(tmp_path / "a.jpg", photo()))])
    qtbot.waitUntil(lambda: "SmolLM2 cannot see" in desk.page.area.notice.text.text())
    assert desk.page.attaching.files == ()
    paths = [str(write(tmp_path / f"{n}.txt", b"x")) for n in range(12)]
    desk.page.attaching.add(paths)
    qtbot.waitUntil(lambda: len(desk.page.attaching.files) == 10)
    assert "At most 10" in desk.page.area.notice.text.text()


def test_what_one_model_cannot_see_is_no_word_on_a_servers(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    qtbot.waitUntil(lambda: desk.page.attaching.cannot_see != "")
    desk.page.area.header.model_chosen.emit("server:GPU box/llava")
    assert desk.page.attaching.cannot_see == ""
    desk.page.attaching.add([str(write(tmp_path / "a.jpg", photo()))])
    qtbot.waitUntil(lambda: len(desk.page.attaching.files) == 1)


@pytest.mark.parametrize("onto", ["area", "edit"])
def test_files_are_dropped(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path, onto: str
) -> None:
    desk = make_desk()
    mime = QMimeData()
    address = QUrl.fromLocalFile(str(write(tmp_path / "<b>a.txt", b"x")))
    mime.setUrls([address, QUrl("https://example.invalid/x.txt")])
    if onto == "edit":
        desk.page.area.composer.edit.insertFromMimeData(mime)
        assert desk.page.area.composer.edit.toPlainText() == ""
    else:
        where: Any = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton)
        enter = QDragEnterEvent(QPoint(50, 50), *where, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(desk.page.area, enter)
        assert enter.isAccepted()
        drop = QDropEvent(QPointF(50, 50), *where, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(desk.page.area, drop)
    qtbot.waitUntil(lambda: desk.chips == ["<b>a.txt · ≈ 1 tokens"])
    chip = desk.page.area.composer.bar.findChildren(Chip)[0]
    assert chip.textFormat() is Qt.TextFormat.PlainText


def test_other_words_keep_their_files_in_view(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    file = Attachment(AttachmentKind.TEXT, "a.txt", tokens=3)
    bubble = UserBubble("x", (file,))
    qtbot.addWidget(bubble)
    bubble.show()
    assert [chip.words for chip in bubble.findChildren(Chip)] == ["a.txt · ≈ 3 tokens"]
    # Counted when its model was loaded for it.
    kept = Message(
        1, 1, None, Role.USER, "x", MessageState.COMPLETE, "",
        attachments=(replace(file, tokens=2, is_counted=True),),
    )  # fmt: skip
    bubble.show_place(kept, (1,), is_last=True)
    qtbot.waitUntil(
        lambda: (
            [c.words for c in bubble.findChildren(Chip) if c.isVisible()] == ["a.txt · 2 tokens"]
        )
    )


# --- counting -------------------------------------------------------------------------------------


def in_memory(model_id: str = MODEL.id, context_length: int = 4096) -> ModelInMemory:
    return ModelInMemory(model_id, context_length, 0, 30, "fits_cpu", {"ram": 1}, {"ram": 1}, 0.3)


def test_a_loaded_model_counts_what_is_attached(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    consequence = desk.page.area.composer.bar.consequence
    desk.page.attaching.add([str(write(tmp_path / "a.txt", b"one two three four five six"))])
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · ≈ 8 tokens"])
    assert consequence.text() == "About 8 tokens of the 8,192 that the context holds."
    desk.chats.in_memory = in_memory()
    desk.page.refresh()
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · 6 tokens"])
    assert consequence.text() == "6 tokens of the 4,096 that the context holds."
    desk.page.attaching.cannot_see = ""
    desk.page.attaching.add([str(write(tmp_path / "b.jpg", photo()))])
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · 6 tokens", "b.jpg · picture · 0 tokens"])
    desk.send("Sum up.")
    qtbot.waitUntil(lambda: len(desk.chats.sent) == 1)
    assert [one.is_counted for one in desk.chats.sent[0][2]] == [True, True]


def test_another_model_counts_anew(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    desk.chats.in_memory = in_memory()
    desk.page.refresh()
    qtbot.waitUntil(lambda: desk.page.chosen.loaded is not None)
    desk.page.attaching.add([str(write(tmp_path / "a.txt", b"one two three four five six"))])
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · 6 tokens"])
    desk.page.area.header.model_chosen.emit("another")
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · ≈ 8 tokens"])
    desk.page.area.header.model_chosen.emit(MODEL.id)
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · 6 tokens"])
    desk.chats.in_memory = None
    desk.page.refresh()
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · ≈ 8 tokens"])


def test_a_count_for_what_is_gone_is_cancelled(
    qtbot: QtBot, make_desk: Callable[..., Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk()
    desk.chats.in_memory = in_memory()
    desk.page.refresh()
    qtbot.waitUntil(lambda: desk.page.chosen.loaded is not None)
    tokens: list[CancelToken] = []

    def count(
        attached: Sequence[Attachment], model_id: str, cancel: CancelToken
    ) -> tuple[Attachment, ...]:
        tokens.append(cancel)
        raise EngineFailed("busy")

    monkeypatch.setattr(desk.chats, "count", count)
    desk.page.attaching.add([str(write(tmp_path / "a.txt", b"one two three four five six"))])
    qtbot.waitUntil(lambda: len(tokens) == 1)
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · ≈ 8 tokens"])
    monkeypatch.undo()
    desk.page.refresh()
    qtbot.waitUntil(lambda: desk.chips == ["a.txt · 6 tokens"])
    desk.page.start_new()
    assert desk.chips == []

"""Attachments are counted by the model that reads them, as soon as it is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from openshelf.chat.attachments import Attachment, AttachmentKind, tokens_of
from openshelf.chat.conversation import Message, MessageState, Role
from openshelf.chat.counting import counted, guessed
from openshelf.chat.interface import OpenAny, ServerTicket, Ticket
from openshelf.chat.session import Chats
from openshelf.chat.store import ConversationStore
from openshelf.engine.asking import ChatMessage, Sampling
from openshelf.engine.interface import ServerOrder
from openshelf.engine.process import Engine
from openshelf.engine.protocol import Plan
from openshelf.engine.servers import Server
from openshelf.errors import CancelledByUser, EngineFailed
from openshelf.tasks import CancelToken, no_report
from tests.chat.test_attachments import IMAGE as COUNTED_IMAGE
from tests.chat.test_attachments import Desk
from tests.fakes.engine import Answer, FakeEngine, clearance_for, load_order, model_file
from tests.fakes.tiny_model import write_sliding_window_model

NOTES = Attachment(AttachmentKind.TEXT, "notes.md", "one two three four", tokens=99)
IMAGE = replace(COUNTED_IMAGE, is_counted=False)
OF_NOTES = 7
"""Words of the notes between their marks, as the scripted engine counts."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, Answer(("yes",)))


def shown(desk: Desk) -> tuple[Attachment, ...]:
    return desk.chats.messages(desk.conversation.id)[-2].attachments


def test_without_a_model_it_stays_a_guess(desk: Desk) -> None:
    assert desk.chats.count([NOTES], "m", CancelToken()) == (NOTES,)
    desk.send("hello")
    assert desk.chats.count([NOTES], "other", CancelToken()) == (NOTES,), "not by that model"
    (exact,) = desk.chats.count([NOTES], "m", CancelToken())
    assert exact == replace(NOTES, tokens=OF_NOTES, is_counted=True)
    desk.chats.unload()
    assert desk.chats.count([NOTES], "m", CancelToken()) == (NOTES,)


def test_what_goes_along_is_counted_when_the_model_is_loaded_for_it(desk: Desk) -> None:
    desk.send("look", NOTES, IMAGE)
    assert [(one.tokens, one.is_counted) for one in shown(desk)] == [(OF_NOTES, True), (256, True)]
    assert shown(desk)[0].facts == NOTES.facts
    before = desk.engine.counts
    desk.send("and this", *desk.chats.count([NOTES], "m", CancelToken()))
    assert desk.engine.counts == before + 2, "not again for what was counted before sending"


def test_several_files_add_up(desk: Desk) -> None:
    desk.send("hello")
    files = desk.chats.count([NOTES, replace(NOTES, name="b.md")], "m", CancelToken())
    question = ChatMessage("user", "what now", "", ())
    whole = replace(question, attached="\n\n".join(_marked(one) for one in files))
    bare = desk.engine.count_tokens([question], CancelToken())
    assert desk.engine.count_tokens([whole], CancelToken()) == bare + tokens_of(files)


def _marked(one: Attachment) -> str:
    return f'<document name="{one.name}">\n{one.text}\n</document>'


def test_a_picture_that_the_model_cannot_see_stays_a_guess(desk: Desk) -> None:
    answer = desk.chats.send(
        desk.conversation.id, "look", "blind", Sampling(), CancelToken(), no_report,
        attached=[IMAGE, NOTES],
    )  # fmt: skip
    assert answer.detail is not None
    assert answer.detail["code"] == "EngineFailed.cannot_see"
    assert [one.is_counted for one in shown(desk)] == [False, True]


def test_while_it_answers_it_is_busy_and_a_cancel_is_one(desk: Desk) -> None:
    desk.send("hello")
    desk.engine._is_busy = True
    with pytest.raises(EngineFailed) as raised:
        desk.chats.count([NOTES], "m", CancelToken())
    assert raised.value.why == "busy"
    desk.engine._is_busy = False
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledByUser):
        desk.chats.count([NOTES], "m", cancel)


class ServerEngine(FakeEngine):
    """Remembers what it was told before anything was sent."""

    def load(self, clearance: object, order: object, *rest: object) -> object:  # type: ignore[override]
        return super().load(clearance_for(model_file()), load_order(), CancelToken())


def test_nothing_goes_to_a_server_before_it_is_sent(tmp_path: Path) -> None:
    engine = ServerEngine()
    server = Server("Box", "http://192.0.2.1:9", context_length=None)

    def open_model(model_id: str, cancel: CancelToken) -> Ticket:
        return ServerTicket(
            model_id, clearance_for(model_file()), ServerOrder(server, "m", 4096, "")
        )

    opener: OpenAny = open_model
    chats = Chats(ConversationStore(tmp_path / "chats.sqlite3"), engine, opener)
    conversation = chats.new_conversation("m")
    chats.send(
        conversation.id, "hello", "m", Sampling(), CancelToken(), no_report, attached=[NOTES]
    )
    assert chats.count([NOTES], "m", CancelToken()) == (NOTES,)
    assert engine.counts == 0
    chats.close()


def test_a_guess_is_made_of_what_is_there() -> None:
    assert guessed(replace(NOTES, tokens=7, is_counted=True)) == replace(NOTES, tokens=6)
    assert guessed(replace(IMAGE, tokens=256, is_counted=True)) == replace(IMAGE, tokens=1024)


def test_a_full_disk_does_not_cost_the_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import openshelf.chat.answering as answering
    from openshelf.errors import NotEnoughDisk

    def full(*_: object) -> None:
        raise NotEnoughDisk("chats.sqlite3")

    monkeypatch.setattr(answering, "keep_counts", full)
    answer = desk.send("look", NOTES)
    assert (answer.state, answer.role) == (MessageState.COMPLETE, Role.ASSISTANT)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    caplog.clear()
    assert isinstance(answer, Message)


# --- the real engine ------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "tiny.gguf"
    write_sliding_window_model(path, window=1024)
    engine = Engine()
    file = model_file(str(path), path.stat().st_size)
    engine.load(clearance_for(file), load_order(file, plan=Plan(1024)), CancelToken())
    yield engine
    engine.close()


def test_the_count_is_what_the_prompt_takes(engine: Engine) -> None:
    files = counted(engine, [NOTES, replace(NOTES, name="b.md", text="x" * 50)], CancelToken())
    assert all(one.is_counted for one in files)
    attached = "\n\n".join(_marked(one) for one in files)
    done = engine.chat(
        [ChatMessage("user", "what", attached)], Sampling(max_tokens=1), CancelToken(),
        lambda text, count: None,
    )  # fmt: skip
    bare = engine.count_tokens([ChatMessage("user", "what")], CancelToken())
    assert done.prompt_tokens == bare + tokens_of(files)


def test_a_cancel_leaves_the_model_in_memory(engine: Engine) -> None:
    """Cutting a book into tokens takes longer than a worker gets to obey a stop."""
    pid, cancel = engine.pid, CancelToken()
    book = replace(NOTES, text="word " * 200_000)

    class Late(CancelToken):
        """Cancelled once the engine is at work."""

        looks = 0

        def raise_if_cancelled(self) -> None:
            self.looks += 1
            if self.looks == 3:
                self.cancel()
            super().raise_if_cancelled()

    cancel = Late()
    with pytest.raises(CancelledByUser):
        counted(engine, [book], cancel)
    assert engine.pid == pid
    assert engine.loaded is not None
    assert counted(engine, [NOTES], CancelToken())[0].is_counted


class Hanging(FakeEngine):
    """A template that never ends: the worker is ended over it, and the model is gone."""

    def count_tokens(self, messages: Sequence[ChatMessage], cancel: CancelToken) -> int:
        if len(messages[0].attached) < self.least:
            return super().count_tokens(messages, cancel)
        self._loaded = None
        raise EngineFailed("template_hung")

    least = 0


@pytest.mark.parametrize("least", [0, 1], ids=["without a file", "with it"])
def test_an_engine_that_ends_over_it_says_why(tmp_path: Path, least: int) -> None:
    desk = Desk(tmp_path)
    engine = Hanging()
    engine.least = least
    desk.chats = Chats(desk.store, engine, desk.open_model)
    answer = desk.send("look", NOTES, replace(NOTES, name="b.md"))
    assert answer.state is MessageState.FAILED
    assert answer.detail is not None
    assert answer.detail["code"] == "EngineFailed.template_hung"
    assert not engine.asked, "there is no model to be asked"

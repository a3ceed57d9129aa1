"""What a server does wrong: the chat is kept to the last token shown, a sentence says what to do,
and the next message works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.chat.conversation import Message, MessageState
from openshelf.chat.interface import ServerTicket
from openshelf.chat.session import Chats
from openshelf.chat.store import ConversationStore
from openshelf.engine.asking import MOST_ANSWER
from openshelf.engine.engines import Engines
from openshelf.engine.protocol import Sampling
from openshelf.engine.servers import ServerModelName
from openshelf.errors import NetworkFailure, OpenshelfError
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken, no_report
from tests.fakes.engine import FakeEngine
from tests.fakes.model_server import MODEL, FakeModelServer
from tests.fakes.servers import KEY, clearance_for_server, remote_engine, server_order

ID = ServerModelName("Box", MODEL).id
WHOLE, BEGUN = "Hello there, friend.", "Hello there"


class Desk:
    def __init__(self, folder: Path, server: FakeModelServer) -> None:
        self.path = folder / "chats.sqlite3"
        self.server = server
        self.order = server_order(server.address)
        engines = Engines(FakeEngine(), remote_engine(KEY))
        self.chats = Chats(ConversationStore(self.path), engines, self.open_model)
        self.conversation = self.chats.new_conversation(ID).id
        self.live: list[str] = []

    def open_model(self, model_id: str, cancel: CancelToken) -> ServerTicket:
        return ServerTicket(model_id, clearance_for_server(self.order), self.order)

    def send(self, text: str = "Hi", max_tokens: int = 1024) -> Message:
        return self.chats.send(
            self.conversation, text, ID, Sampling(max_tokens=max_tokens), CancelToken(), no_report
        )

    def stored(self) -> tuple[Message, ...]:
        """As the next start of the app would find it."""
        self.chats.close()
        store = ConversationStore(self.path)
        branch = store.branch(self.conversation)
        store.close()
        return branch


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, server: FakeModelServer) -> Iterator[Desk]:
    desk = Desk(tmp_path, server)
    yield desk
    desk.chats.close()


MIDWAY = {
    "close": "stopped in the middle",
    "end": "stopped in the middle",
    "reset": "stopped in the middle",
    "http 500": "stopped in the middle",
    "half line": "stopped in the middle",
    "hang": "Nothing came from",
    "comments": "Nothing came from",
    "bad json": "cannot be read",
    "nested": "cannot be read",
    "long line": "more at once",
    "wrong role": "cannot be read",
    "wrong fields": "cannot be read",
    "wrong choices": "cannot be read",
    "error event": "failed while it answered: It failed.",
}
"""After two tokens."""
BEFORE = {
    "wrong_type": "piece by piece",
    "html": "sign-in page",
    "gzip": "cannot be read",
    "garbage": "cannot be read",
    "status:401": "Enter the right one in Settings",
    "status:403": "Enter the right one in Settings",
    "status:404": "choose one of those it lists",
    "status:400": "does not take this request: It failed.",
    "status:429": "asks to wait 7.0 s",
    "status:500": "failed (It failed.). Look at its log",
    "status:502": "Check that it runs",
    "status:503": "not ready yet",
    "silence": "Nothing came from",
}
"""Instead of an answer."""


@pytest.mark.parametrize("fault", [*MIDWAY, *BEFORE])
def test_a_fault_during_an_answer(fault: str, desk: Desk, server: FakeModelServer) -> None:
    server.error_headers = {"Retry-After": "7"}
    assert desk.send("First").content == WHOLE
    server.fail(fault)
    started = time.monotonic()
    failed = desk.send("Second")
    assert time.monotonic() - started < 5
    assert (failed.content, failed.state) == (BEGUN if fault in MIDWAY else "", MessageState.FAILED)
    assert failed.detail is not None
    told = wording.sentence(Reason(str(failed.detail["code"]), failed.detail))
    assert {**MIDWAY, **BEFORE}[fault] in told
    assert KEY not in repr(failed)
    again = desk.send("Third")
    assert (again.content, again.state) == (WHOLE, MessageState.COMPLETE)
    kept = desk.stored()
    texts = [message.content for message in kept]
    assert texts == ["First", WHOLE, "Second", failed.content, "Third", WHOLE]


@pytest.mark.parametrize("fault", ["nulls", "no done"])
def test_what_is_only_untidy_is_no_fault(fault: str, desk: Desk, server: FakeModelServer) -> None:
    server.fail(fault.replace(" ", "_"))
    answer = desk.send()
    assert (answer.content, answer.state) == (WHOLE, MessageState.COMPLETE)


def test_an_answer_that_nobody_counted(desk: Desk, server: FakeModelServer) -> None:
    server.usage = None
    answer = desk.send()
    assert (answer.content, answer.state, answer.figures) == (WHOLE, MessageState.COMPLETE, None)
    server.usage = {"prompt_tokens": 30, "completion_tokens": 5}
    counted = desk.send("Again")
    assert counted.figures is not None
    assert counted.figures.prompt_tokens == 30


def test_a_server_that_does_not_stop_is_stopped(desk: Desk, server: FakeModelServer) -> None:
    server.fail("endless")
    answer = desk.send(max_tokens=16)
    assert answer.state is MessageState.LENGTH
    assert answer.content.startswith(f"{BEGUN}and on and on ")
    assert len(answer.content) < 1000
    assert desk.send("Next").content == WHOLE


def test_halves_of_a_character_are_put_together(desk: Desk, server: FakeModelServer) -> None:
    server.fail("halves")
    answer = desk.send()
    assert answer.content == f"{BEGUN}\U0001f600\ufffd!, friend."
    assert desk.stored()[-1].content == answer.content


@pytest.mark.parametrize("fault", ["flood", "calls without end"])
def test_an_answer_does_not_fill_the_memory(
    fault: str, desk: Desk, server: FakeModelServer
) -> None:
    server.fail(fault)
    answer = desk.send(max_tokens=0)
    assert answer.state is MessageState.LENGTH
    assert len(answer.content) < MOST_ANSWER + 2_000_000
    assert desk.send("Next").content == WHOLE


def test_a_redirect_takes_neither_chat_nor_key_along(desk: Desk, server: FakeModelServer) -> None:
    with FakeModelServer() as other:
        server.elsewhere = other.address.removesuffix("/v1")
        server.fail("redirect")
        answer = desk.send()
        assert answer.state is MessageState.FAILED
        assert answer.detail is not None
        told = wording.sentence(Reason(str(answer.detail["code"]), answer.detail))
        assert other.address.split("/")[2] in told
        assert "neither the chat nor the key went there" in told
        assert other.requests == []
    assert desk.send("Next").content == WHOLE


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("status:401", "does not accept the key"),
        ("status:404", "mostly ends in /v1"),
        ("html", "mostly ends in /v1"),
        ("silence", "did not answer in time"),
        ("garbage", "cannot be read"),
        ("redirect", "sends requests on"),
    ],
)
def test_a_fault_before_anything_can_be_asked(
    fault: str, words: str, desk: Desk, server: FakeModelServer
) -> None:
    """The question is kept, and asked again by the next try."""
    server.elsewhere = "http://127.0.0.1:1"
    server.fail(fault, "models")
    with pytest.raises(NetworkFailure) as caught:
        desk.send("First")
    assert words in wording.error_sentence(caught.value)
    assert desk.send("First").content == WHOLE
    assert [message.content for message in desk.stored()] == ["First", WHOLE]


def test_a_model_that_is_gone(desk: Desk, server: FakeModelServer) -> None:
    server.models = [{"id": "another"}]
    with pytest.raises(OpenshelfError) as caught:
        desk.send()
    assert f"does not have this model ({MODEL})" in wording.error_sentence(caught.value)


def test_a_long_conversation_is_shortened_until_it_fits(
    desk: Desk, server: FakeModelServer
) -> None:
    server.models = [{"id": MODEL}]
    for number in range(3):
        desk.send(f"Question {number} " + "word " * 900)
    server.error_body = {"error": {"code": 400, "type": "exceed_context_size_error"}}
    server.fail("status:400")
    before = len(server.chats())
    answer = desk.send("Last")
    assert answer.content == WHOLE
    first, second = server.chats()[before:]
    assert len(second.body["messages"]) < len(first.body["messages"])
    assert second.body["messages"][-1]["content"] == "Last"


def test_a_model_on_a_server_is_told_apart(desk: Desk) -> None:
    desk.send()
    held = desk.chats.loaded()
    assert held is not None
    assert held.server is not None
    assert (held.server.name, held.server.model, held.server.is_here) == ("Box", MODEL, True)
    assert (held.context_length, held.server.tells_context) == (4096, True)
    assert held.measured_bytes == held.predicted_bytes == {}
    desk.chats.unload()
    assert desk.chats.loaded() is None

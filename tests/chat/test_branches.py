"""Edit, regenerate, continue: a tree in which nothing is lost, over a scripted engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.chat.conversation import Message, MessageState
from openshelf.chat.session import AskWith, Chats, LoadTicket
from openshelf.chat.store import ConversationStore
from openshelf.engine.protocol import Sampling
from openshelf.errors import DoesNotFit, EngineFailed, NotFound, UsageError
from openshelf.tasks import CancelToken, no_report
from tests.fakes.engine import Answer, FakeEngine, clearance_for, death, load_order, model_file

ASK = AskWith("m", Sampling())


class Room:
    """Chats over a fake engine, with one conversation begun in it."""

    def __init__(self, path: Path) -> None:
        self.engine = FakeEngine(Answer(("first",)), Answer(("second",)))
        self.store = ConversationStore(path)
        self.error: Exception | None = None
        self.chats = Chats(self.store, self.engine, self._open_model)
        self.id = self.chats.new_conversation("m", "Be kind.").id

    def _open_model(self, model_id: str, cancel: CancelToken) -> LoadTicket:
        if self.error is not None:
            raise self.error
        file = model_file()
        return LoadTicket(model_id, clearance_for(file), load_order(file), "fits_cpu", 30)

    def send(self, text: str) -> Message:
        return self.chats.send(self.id, text, "m", Sampling(), CancelToken(), no_report)

    def edit(self, question_id: int, text: str) -> Message:
        return self.chats.edit(question_id, text, ASK, CancelToken(), no_report)

    def regenerate(self, answer_id: int) -> Message:
        return self.chats.regenerate(answer_id, ASK, CancelToken(), no_report)

    def go_on(self, answer_id: int) -> Message:
        return self.chats.continue_answer(answer_id, ASK, CancelToken(), no_report)

    def texts(self) -> list[str]:
        return [message.content for message in self.chats.messages(self.id)]

    def asked(self) -> list[str]:
        return [message.content for message in self.engine.asked[-1]]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path / "chats.sqlite3")
    yield room
    room.chats.close()


def test_an_edit_is_a_version_beside_the_first(room: Room) -> None:
    room.send("one")
    room.send("two")
    first, _, second, _ = room.chats.messages(room.id)
    answer = room.edit(first.id, " another one ")
    assert room.texts() == ["another one", "second"]
    assert room.asked() == ["Be kind.", "another one"], "the system prompt stays its root"
    edited = room.chats.messages(room.id)[0]
    assert room.chats.versions(room.id) == {edited.id: (first.id, edited.id)}
    room.chats.show(first.id)
    assert room.texts() == ["one", "first", "two", "second"]
    again = room.edit(second.id, "2")
    assert room.texts() == ["one", "first", "2", "second"]
    room.chats.show(answer.id)
    assert room.texts() == ["another one", "second"]
    room.chats.show(first.id)
    assert room.chats.messages(room.id)[-1].id == again.id, "the branch made last is shown"


def test_words_that_did_not_change_are_no_second_question(room: Room) -> None:
    room.send("one")
    question, first = room.chats.messages(room.id)
    second = room.edit(question.id, "one\n")
    assert room.texts() == ["one", "second"]
    assert room.chats.versions(room.id) == {second.id: (first.id, second.id)}


def test_another_answer_to_the_same_question(room: Room) -> None:
    first = room.send("one")
    second = room.regenerate(first.id)
    assert room.asked() == ["Be kind.", "one"]
    assert (first.content, second.content) == ("first", "second")
    assert room.texts() == ["one", "second"]
    assert room.chats.versions(room.id) == {second.id: (first.id, second.id)}
    room.send("two")
    third = room.regenerate(first.id)
    assert room.chats.versions(room.id) == {third.id: (first.id, second.id, third.id)}
    room.chats.show(second.id)
    assert room.texts() == ["one", "second", "two", "second"]


def test_what_cannot_be_begun_leaves_the_branch_as_it_was(room: Room) -> None:
    first = room.send("one")
    room.send("two")
    before = room.chats.messages(room.id)
    room.chats.unload()
    room.error = DoesNotFit("m", "ram", 2, 1)
    with pytest.raises(DoesNotFit):
        room.regenerate(first.id)
    assert room.chats.messages(room.id) == before
    with pytest.raises(DoesNotFit):
        room.go_on(before[-1].id)
    assert room.chats.messages(room.id) == before
    assert room.chats.versions(room.id) == {}
    with pytest.raises(DoesNotFit):
        room.edit(before[0].id, "in other words")
    assert room.texts() == ["in other words"], "what was written is kept"
    room.error = None
    room.send("in other words")
    assert room.texts() == ["in other words", "second"]


def test_an_answer_goes_on_where_it_ended(room: Room) -> None:
    room.engine.answers = [
        Answer(("One", " two"), finish_reason="length"),
        Answer((" three",), error=death()),
        Answer((" four",)),
    ]
    cut = room.send("count")
    assert cut.state is MessageState.LENGTH
    died = room.go_on(cut.id)
    assert room.asked() == ["Be kind.", "count", "One two"]
    assert (died.content, died.state) == ("One two three", MessageState.ENGINE_DIED)
    whole = room.go_on(cut.id)
    assert (whole.id, whole.content) == (cut.id, "One two three four")
    assert whole.state is MessageState.COMPLETE
    assert room.texts() == ["count", "One two three four"]
    assert room.chats.versions(room.id) == {}


def test_a_load_that_dies_takes_nothing_of_what_is_gone_on_with(room: Room) -> None:
    answer = room.send("one")
    room.chats.unload()
    room.engine.load_error = death("load")
    died = room.go_on(answer.id)
    assert (died.content, died.state) == ("first", MessageState.ENGINE_DIED)
    assert room.chats.messages(room.id)[-1] == died


def test_what_something_follows_cannot_go_on(room: Room) -> None:
    first = room.send("one")
    room.send("two")
    with pytest.raises(UsageError):
        room.go_on(first.id)
    assert room.texts() == ["one", "first", "two", "second"]


def test_each_side_has_its_own(room: Room) -> None:
    answer = room.send("one")
    question = room.chats.messages(room.id)[0]
    for wrong in (lambda: room.edit(answer.id, "x"), lambda: room.regenerate(question.id)):
        with pytest.raises(NotFound):
            wrong()
    with pytest.raises(NotFound):
        room.go_on(question.id)
    with pytest.raises(NotFound):
        room.chats.show(99)
    with pytest.raises(UsageError):
        room.edit(question.id, "  ")
    assert room.texts() == ["one", "first"]


def test_only_one_answer_at_a_time(room: Room) -> None:
    answer = room.send("one")
    refused: list[str] = []

    def again(progress: object) -> None:
        with pytest.raises(EngineFailed) as failure:
            room.regenerate(answer.id)
        refused.append(failure.value.why)

    room.chats.regenerate(answer.id, ASK, CancelToken(), again)
    assert set(refused) == {"busy"}
    assert len(room.chats.versions(room.id)) == 1


def test_versions_of_one_conversation_are_not_those_of_another(room: Room) -> None:
    plain = [room.chats.new_conversation("m").id for _ in range(2)]
    for conversation_id in plain:
        room.chats.send(conversation_id, "same", "m", Sampling(), CancelToken(), no_report)
    assert [room.chats.versions(conversation_id) for conversation_id in plain] == [{}, {}]

"""Sending, streaming, stopping and failing, over a scripted engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.chat.conversation import Message, MessageState, Role
from openshelf.chat.session import LivePhase, LoadTicket
from openshelf.chat.store import ConversationStore
from openshelf.errors import (
    ClearanceRefused,
    ContextFull,
    DoesNotFit,
    EngineDied,
    EngineFailed,
    NotEnoughDisk,
    NotFound,
    OutOfMemory,
    UsageError,
)
from openshelf.licenses.clearance import Verdict
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken, Progress, no_report
from tests.chat.desk import SAMPLING, Desk
from tests.conftest import ExpectedLogs
from tests.fakes.engine import Answer, clearance_for, death, load_order, model_file


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(*answers: Answer) -> Desk:
        desks.append(Desk(tmp_path / str(len(desks)), *answers))
        return desks[-1]

    yield make
    for desk in desks:
        desk.chats.close()


MakeDesk = Callable[..., Desk]


def test_a_question_and_its_answer(make_desk: MakeDesk) -> None:
    desk = make_desk(Answer(tokens=("Hello", " there") * 10))
    conversation = desk.chats.new_conversation("m", "Be kind.")
    reports: list[Progress] = []
    answer = desk.chats.send(
        conversation.id, " What is a llama? ", "m", SAMPLING, CancelToken(), reports.append
    )
    assert answer.content == "Hello there" * 10
    assert answer.state is MessageState.COMPLETE
    assert answer.figures is not None
    assert (answer.figures.completion_tokens, answer.figures.cached_tokens) == (20, 4)
    question, kept = desk.chats.messages(conversation.id)
    assert (question.role, question.content) == (Role.USER, "What is a llama?")
    assert kept == answer
    assert [m.role for m in desk.engine.asked[0]] == ["system", "user"]
    assert desk.chats.conversations()[0].title == "What is a llama?"
    assert [(run.model_id, run.decode_tokens_per_second) for run in desk.runs] == [("m", 20.0)]
    assert desk.runs[0].reached is None, "nothing is known of the device"
    assert [p.phase for p in reports[:2]] == ["loading", "prompt"]
    assert reports[-1].phase == "generating"
    assert desk.chats.live(conversation.id) is None


def test_what_cannot_be_kept_of_an_answer_costs_no_answer(
    make_desk: Callable[..., Desk], expected_logs: ExpectedLogs
) -> None:
    expected_logs("what was measured could not be kept")
    desk = make_desk(Answer(tokens=["word "] * 20))
    desk.keep_error = NotEnoughDisk("/data", 1_000_000, 0)
    conversation = desk.chats.new_conversation("m")
    assert desk.send(conversation.id).state is MessageState.COMPLETE
    assert desk.runs == []


def test_a_few_tokens_measure_nothing(make_desk: MakeDesk) -> None:
    desk = make_desk(Answer(tokens=("Yes",)))
    desk.send(desk.chats.new_conversation("m").id)
    assert desk.runs == []


def test_the_model_is_loaded_once_and_changed_when_asked(make_desk: MakeDesk) -> None:
    desk = make_desk()
    conversation = desk.chats.new_conversation("m")
    assert desk.chats.loaded() is None
    desk.send(conversation.id)
    desk.send(conversation.id, "And?")
    assert desk.opened == ["m"]
    memory = desk.chats.loaded()
    assert memory is not None
    assert (memory.model_id, memory.placement, memory.n_layers) == ("m", "fits_cpu", 30)
    assert (memory.predicted_bytes, memory.measured_bytes) == ({"ram": 10}, {"ram": 11})
    unloads = desk.engine.unloads
    answer = desk.send(conversation.id, "You?", model_id="other")
    assert desk.opened == ["m", "other"]
    assert desk.engine.unloads == unloads + 1, "the one before goes first"
    assert answer.model_id == "other"
    assert desk.chats.conversations()[0].model_id == "other"
    desk.chats.unload()
    assert desk.chats.loaded() is None
    desk.send(conversation.id, "Again", model_id="other")
    assert desk.opened == ["m", "other", "other"]


def test_a_policy_that_changed_is_asked_again(make_desk: MakeDesk) -> None:
    desk = make_desk()
    conversation = desk.chats.new_conversation("m")
    desk.send(conversation.id)
    desk.allowed = False
    desk.open_error = ClearanceRefused("m", "blocked")
    with pytest.raises(ClearanceRefused):
        desk.send(conversation.id, "And?")
    assert desk.chats.loaded() is None
    assert len(desk.engine.asked) == 1


@pytest.mark.parametrize(
    "error", [DoesNotFit("m", "ram", 2, 1), NotFound("id", "m"), ClearanceRefused("m", "blocked")]
)
def test_what_stops_the_opening_is_raised_and_the_question_stays(
    make_desk: MakeDesk, error: Exception
) -> None:
    desk = make_desk()
    conversation = desk.chats.new_conversation("m")
    desk.open_error = error
    with pytest.raises(type(error)):
        desk.send(conversation.id, "Hi")
    assert [m.content for m in desk.stored(conversation.id)] == ["Hi"]
    desk.open_error = None
    desk.send(conversation.id, "Hi")
    assert [m.content for m in desk.stored(conversation.id)] == ["Hi", "Hello there."]
    assert [m.content for m in desk.engine.asked[0]] == ["Hi"]


def test_another_question_after_a_failed_one_takes_its_place(make_desk: MakeDesk) -> None:
    desk = make_desk()
    conversation = desk.chats.new_conversation("m")
    desk.engine.load_error = OutOfMemory("out_of_memory", "no room")
    with pytest.raises(OutOfMemory):
        desk.send(conversation.id, "first")
    desk.send(conversation.id, "second")
    assert [m.content for m in desk.stored(conversation.id)] == ["second", "Hello there."]
    versions = desk.store.siblings(desk.stored(conversation.id)[0].id)
    assert [m.content for m in versions] == ["first", "second"]


def test_a_clearance_that_does_not_cover_the_file(make_desk: MakeDesk) -> None:
    desk = make_desk()
    file = model_file()
    desk.chats._holder.open_model = lambda model_id, cancel: LoadTicket(
        model_id, clearance_for(file, verdict=Verdict.BLOCKED), load_order(file), "fits_cpu", 1
    )
    with pytest.raises(ClearanceRefused):
        desk.send(desk.chats.new_conversation("m").id)
    assert desk.engine.loads == []


def test_an_empty_message_and_a_conversation_that_is_not_there(make_desk: MakeDesk) -> None:
    desk = make_desk()
    with pytest.raises(UsageError):
        desk.send(desk.chats.new_conversation("m").id, "  \n ")
    with pytest.raises(NotFound):
        desk.send(99)
    with pytest.raises(NotFound):
        desk.chats.messages(99)


def test_live_shows_each_phase_and_the_text_so_far(make_desk: MakeDesk) -> None:
    answer = Answer(tokens=("One", " two", " three"), pause_before=2)
    desk = make_desk(answer)
    desk.engine.load_pause = threading.Event()
    conversation = desk.chats.new_conversation("m")
    result = desk.send_in_thread(conversation.id)
    assert desk.engine.loading.wait(10)
    live = desk.chats.live(conversation.id)
    assert live is not None
    assert (live.phase, live.fraction, live.text) == (LivePhase.LOADING, 0.5, "")
    assert desk.chats.live(conversation.id + 1) is None
    desk.engine.load_pause.set()
    assert answer.paused.wait(10)
    live = desk.chats.live(conversation.id)
    assert live is not None
    assert (live.phase, live.text, live.tokens) == (LivePhase.GENERATING, "One two", 2)
    streaming = desk.stored(conversation.id)[-1]
    assert streaming.state is MessageState.STREAMING
    assert streaming.id == live.message_id
    answer.resume.set()
    assert result().content == "One two three"


def test_the_text_is_kept_each_second(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = make_desk(Answer())
    kept: list[tuple[str, str]] = []
    update = desk.store.update

    def recorded(message: Message) -> None:
        update(message)
        kept.append((message.state.value, message.content))

    monkeypatch.setattr(desk.store, "update", recorded)

    def slowly() -> Iterator[str]:
        for number in range(1, 7):
            desk.seconds += 0.4
            yield str(number)

    desk.engine.answers[0].tokens = slowly()
    desk.send(desk.chats.new_conversation("m").id)
    assert kept == [("streaming", "123"), ("streaming", "123456"), ("complete", "123456")]


def test_stop_keeps_what_was_written(make_desk: MakeDesk) -> None:
    answer = Answer(tokens=("One", " two", " three"), pause_before=2)
    desk = make_desk(answer)
    conversation = desk.chats.new_conversation("m")
    result = desk.send_in_thread(conversation.id)
    assert answer.paused.wait(10)
    desk.chats.stop(conversation.id)
    stopped = result()
    assert (stopped.content, stopped.state) == ("One two", MessageState.STOPPED)
    assert desk.stored(conversation.id)[-1] == stopped
    desk.engine.answers = [Answer()]
    assert desk.send(conversation.id, "Go on").state is MessageState.COMPLETE
    assert [m.content for m in desk.engine.asked[-1]] == ["Hi", "One two", "Go on"]
    desk.chats.stop(conversation.id)  # nothing is written: nothing happens


def test_what_was_stopped_before_its_first_word_has_no_figures(make_desk: MakeDesk) -> None:
    answer = Answer(tokens=("One",), pause_before=0)
    desk = make_desk(answer)
    conversation = desk.chats.new_conversation("m")
    result = desk.send_in_thread(conversation.id)
    assert answer.paused.wait(10)
    desk.chats.stop(conversation.id)
    stopped = result()
    assert (stopped.content, stopped.state) == ("", MessageState.STOPPED)
    assert stopped.figures is None


def test_the_callers_token_stops_a_load(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.engine.load_pause = threading.Event()
    conversation = desk.chats.new_conversation("m")
    cancel = CancelToken()
    result = desk.send_in_thread(conversation.id, cancel)
    assert desk.engine.loading.wait(10)
    cancel.cancel()
    stopped = result()
    assert (stopped.content, stopped.state) == ("", MessageState.STOPPED)
    assert desk.chats.loaded() is None


def test_a_death_in_the_middle_keeps_the_text_and_the_next_message_works(
    make_desk: MakeDesk,
) -> None:
    desk = make_desk(Answer(tokens=("Half", " an"), error=death()), Answer())
    conversation = desk.chats.new_conversation("m")
    answer = desk.send(conversation.id)
    assert (answer.content, answer.state) == ("Half an", MessageState.ENGINE_DIED)
    assert answer.detail is not None
    assert answer.detail["signal"] == "SIGKILL"
    assert answer.detail["tail"] == "the last words"
    said = wording.sentence(Reason(str(answer.detail["code"]), answer.detail))
    assert "kept" in said
    assert desk.stored(conversation.id)[-1] == answer
    assert desk.chats.loaded() is None
    assert desk.send(conversation.id, "Go on").state is MessageState.COMPLETE
    assert desk.opened == ["m", "m"]


@pytest.mark.parametrize(
    ("signal", "code"),
    [
        ("SIGKILL", "engine_killed"),
        ("SIGILL", "engine_wrong_cpu"),
        ("SIGABRT", "engine_crashed"),
        ("", "engine_died"),
    ],
)
def test_each_death_has_its_sentence(make_desk: MakeDesk, signal: str, code: str) -> None:
    desk = make_desk(Answer(error=EngineDied(None, signal, "chat", "")))
    answer = desk.send(desk.chats.new_conversation("m").id)
    assert answer.detail is not None
    assert answer.detail["code"] == code
    assert code in wording.TEMPLATES


def test_a_death_while_loading_is_an_answer_too(make_desk: MakeDesk) -> None:
    desk = make_desk()
    desk.engine.load_error = death("load")
    conversation = desk.chats.new_conversation("m")
    answer = desk.send(conversation.id)
    assert (answer.content, answer.state) == ("", MessageState.ENGINE_DIED)
    assert answer.detail is not None
    assert answer.detail["code"] == "engine_died_loading"
    desk.send(conversation.id, "Again")
    assert [m.content for m in desk.engine.asked[0]] == ["Again"], "roles alternate"


def test_a_refusal_is_kept_with_its_reason(make_desk: MakeDesk) -> None:
    desk = make_desk(Answer(tokens=(), error=EngineFailed("template_failed", "line 3")))
    conversation = desk.chats.new_conversation("m")
    answer = desk.send(conversation.id)
    assert answer.state is MessageState.FAILED
    assert answer.detail is not None
    said = wording.sentence(Reason(str(answer.detail["code"]), answer.detail))
    assert "line 3" in said
    assert desk.stored(conversation.id)[-1] == answer


def test_a_length_that_was_guessed_too_low_is_tried_with_less(make_desk: MakeDesk) -> None:
    desk = make_desk(Answer(tokens=("long " * 700,)))
    conversation = desk.chats.new_conversation("m")
    for number in range(3):
        desk.send(conversation.id, f"q{number}")
    desk.engine.answers = [
        Answer(tokens=(), error=ContextFull("counted", needed_tokens=5000, context_length=4096)),
        Answer(),
    ]
    before = len(desk.engine.asked)
    answer = desk.send(conversation.id, "last")
    first, second = desk.engine.asked[before:]
    assert len(second) < len(first)
    assert second[-1].content == "last"
    assert answer.state is MessageState.COMPLETE
    assert answer.detail is not None
    assert answer.detail["code"] == "turns_dropped"


def test_a_question_that_is_too_long_fails_in_words(make_desk: MakeDesk) -> None:
    desk = make_desk(
        Answer(tokens=(), error=ContextFull("counted", needed_tokens=5000, context_length=4096))
    )
    answer = desk.send(desk.chats.new_conversation("m").id, "x" * 100)
    assert answer.state is MessageState.FAILED
    assert answer.detail is not None
    assert answer.detail["code"] == "ContextFull.counted"
    said = wording.sentence(Reason(str(answer.detail["code"]), answer.detail))
    assert "5,000 tokens" in said
    assert "4,096" in said


def test_one_answer_at_a_time(make_desk: MakeDesk) -> None:
    answer = Answer(pause_before=1)
    desk = make_desk(answer)
    first, second = desk.chats.new_conversation("m"), desk.chats.new_conversation("m")
    result = desk.send_in_thread(first.id)
    assert answer.paused.wait(10)
    assert desk.chats.is_answering
    for conversation in (first, second):
        with pytest.raises(EngineFailed) as raised:
            desk.send(conversation.id)
        assert raised.value.why == "busy"
    assert desk.stored(second.id) == ()
    answer.resume.set()
    assert result().state is MessageState.COMPLETE
    assert not desk.chats.is_answering
    assert desk.send(second.id).state is MessageState.COMPLETE


def test_deleting_a_conversation_stops_its_answer_first(make_desk: MakeDesk) -> None:
    answer = Answer(pause_before=1)
    desk = make_desk(answer)
    conversation = desk.chats.new_conversation("m")
    result = desk.send_in_thread(conversation.id)
    assert answer.paused.wait(10)
    desk.chats.delete_conversation(conversation.id)
    assert result().state is MessageState.STOPPED
    assert desk.chats.conversations() == ()


def test_closing_keeps_the_answer_so_far(make_desk: MakeDesk, tmp_path: Path) -> None:
    answer = Answer(pause_before=1)
    desk = make_desk(answer)
    conversation = desk.chats.new_conversation("m")
    result = desk.send_in_thread(conversation.id)
    assert answer.paused.wait(10)
    desk.chats.close()
    result()
    again = ConversationStore(tmp_path / "0" / "chats.sqlite3")
    assert again.branch(conversation.id)[-1].content == "Hello"
    again.close()


def test_a_full_disk_in_between_does_not_end_the_answer(
    make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch, expected_logs: ExpectedLogs
) -> None:
    desk = make_desk(Answer(tokens=("a", "b", "c")))
    update = desk.store.update

    def fail_while_streaming(message: Message) -> None:
        if message.state is MessageState.STREAMING:
            raise NotEnoughDisk("/", 1, 0)
        update(message)

    monkeypatch.setattr(desk.store, "update", fail_while_streaming)
    monkeypatch.setattr("openshelf.chat.answering._SAVE_SECONDS", 0.0)
    expected_logs("could not be kept")
    assert desk.send(desk.chats.new_conversation("m").id).content == "abc"


def test_an_unexpected_failure_does_not_leave_a_streaming_message(make_desk: MakeDesk) -> None:
    desk = make_desk(Answer(tokens=("a",), error=RuntimeError("bug")))
    conversation = desk.chats.new_conversation("m")
    with pytest.raises(RuntimeError):
        desk.send(conversation.id)
    assert desk.stored(conversation.id)[-1].state is MessageState.FAILED
    assert desk.stored(conversation.id)[-1].content == "a"
    with pytest.raises(RuntimeError):
        desk.send(conversation.id, "the desk is free again")


def test_an_answer_without_a_word_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Answer(tokens=("", "\n")), Answer())
    conversation = desk.chats.new_conversation("m").id
    for code in ("answer_empty", None):
        answer = desk.chats.send(conversation, "Hi", "m", SAMPLING, CancelToken(), no_report)
        assert answer.state is MessageState.COMPLETE
        assert (answer.detail or {}).get("code") == code
    assert "without a word" in wording.sentence(Reason("answer_empty"))
    desk.chats.close()

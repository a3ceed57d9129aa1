"""A conversation with the real engine and the real model, through a death in the middle."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.chat.conversation import Message, MessageState
from openshelf.chat.session import AskWith, Chats, LoadTicket
from openshelf.chat.store import ConversationStore
from openshelf.engine.process import Engine
from openshelf.engine.protocol import Plan, Sampling
from openshelf.tasks import CancelToken, Progress, no_report
from tests.fakes.engine import clearance_for, load_order, model_file

pytestmark = pytest.mark.model

ENDLESS = Sampling(temperature=1.0, top_p=1.0, min_p=0.0, max_tokens=3000, seed=5)
SHORT = Sampling(temperature=0, max_tokens=20)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def chats(engine: Engine, starter_model: Path, tmp_path: Path) -> Iterator[Chats]:
    file = model_file(str(starter_model), starter_model.stat().st_size)

    def open_model(model_id: str, cancel: CancelToken) -> LoadTicket:
        order = load_order(file, plan=Plan(4096, needed_bytes={"ram": 200_000_000}))
        return LoadTicket(model_id, clearance_for(file), order, "fits_cpu", 30)

    chats = Chats(ConversationStore(tmp_path / "chats.sqlite3"), engine, open_model)
    yield chats
    chats.close()


def send(chats: Chats, conversation_id: int, text: str) -> Message:
    return chats.send(conversation_id, text, "m", SHORT, CancelToken(), no_report)


def test_a_conversation_of_three_turns(chats: Chats) -> None:
    conversation = chats.new_conversation("m", "You are a teacher.")
    for number, text in enumerate(("What is a llama?", "And an alpaca?", "Which is larger?")):
        answer = send(chats, conversation.id, text)
        assert answer.content
        assert answer.state in (MessageState.LENGTH, MessageState.COMPLETE)
        assert answer.figures is not None
        assert (answer.figures.cached_tokens > 20) == (number > 0)
    memory = chats.loaded()
    assert memory is not None
    assert memory.measured_bytes["ram"] > 100_000_000
    assert memory.context_length == 4096
    chats.unload()
    assert chats.loaded() is None


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_kill_9_in_the_middle_of_an_answer(chats: Chats, engine: Engine) -> None:
    conversation = chats.new_conversation("m")
    killed = threading.Event()

    def kill_once(progress: Progress) -> None:
        if progress.phase == "generating" and progress.done >= 20 and not killed.is_set():
            killed.set()
            os.kill(engine.pid, signal.SIGKILL)

    answer = chats.send(
        conversation.id, "Tell me a long story.", "m", ENDLESS, CancelToken(), kill_once
    )
    assert killed.is_set()
    assert answer.state is MessageState.ENGINE_DIED
    assert answer.detail is not None
    assert answer.detail["signal"] == "SIGKILL"
    assert len(answer.content) > 20, "what was shown is kept"
    assert chats.messages(conversation.id)[-1] == answer
    assert chats.loaded() is None
    after = send(chats, conversation.id, "Go on.")
    assert after.content
    assert after.figures is not None
    assert after.figures.prompt_tokens > 30, "the partial answer is part of what it continues"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_kill_9_between_two_messages_is_not_even_noticed(chats: Chats, engine: Engine) -> None:
    conversation = chats.new_conversation("m")
    send(chats, conversation.id, "Hello")
    connection = engine._jobs.connection
    assert connection is not None
    os.kill(engine.pid, signal.SIGKILL)
    assert connection._ended.wait(10)
    assert send(chats, conversation.id, "Are you there?").state in (
        MessageState.LENGTH,
        MessageState.COMPLETE,
    )


def evaluated(answer: Message) -> int:
    """Tokens that were read anew for it."""
    assert answer.figures is not None
    return answer.figures.prompt_tokens - answer.figures.cached_tokens


def test_other_words_another_answer_and_going_on_read_nothing_twice(chats: Chats) -> None:
    """The answers are drawn at random, in tokens that a tokenizer would often cut otherwise."""
    wild = AskWith("m", Sampling(temperature=1.5, max_tokens=60, seed=3))
    conversation = chats.new_conversation("m", "You are a teacher.")
    answers = [
        chats.send(conversation.id, text, "m", wild.sampling, CancelToken(), no_report)
        for text in ("What is a llama?", "And an alpaca?", "Which is larger?")
    ]
    assert answers[-1].state is MessageState.LENGTH
    longer = chats.continue_answer(answers[-1].id, wild, CancelToken(), no_report)
    assert longer.content.startswith(answers[-1].content)
    assert len(longer.content) > len(answers[-1].content)
    assert evaluated(longer) == 1
    another = chats.regenerate(longer.id, wild, CancelToken(), no_report)
    assert another.content
    assert evaluated(another) == 1, "only the last token of the question, to draw from"
    question = chats.messages(conversation.id)[-2]
    edited = chats.edit(question.id, "Which one spits?", wild, CancelToken(), no_report)
    assert evaluated(edited) <= 30
    assert edited.figures is not None
    assert edited.figures.cached_tokens > 150

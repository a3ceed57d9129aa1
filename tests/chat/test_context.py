"""Which messages go to the engine."""

from __future__ import annotations

import dataclasses
import itertools

from hypothesis import given
from hypothesis import strategies as st

from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.context import approximate_tokens, budget_tokens, choose_messages
from openshelf.chat.conversation import Message, MessageState, Role
from openshelf.engine.asking import MOST_IMAGES, Sampling


def message(role: Role, content: str) -> Message:
    return Message(1, 1, None, role, content, MessageState.COMPLETE, "")


def talk(*contents: str, system: str = "") -> list[Message]:
    """Questions and answers in turn."""
    roles = (Role.USER, Role.ASSISTANT)
    turns = [message(roles[number % 2], content) for number, content in enumerate(contents)]
    return ([message(Role.SYSTEM, system)] if system else []) + turns


def test_everything_goes_while_it_fits() -> None:
    sent = choose_messages(talk("q1", "a1", "q2", system="s"), 1000)
    assert [(m.role, m.content) for m in sent.messages] == [
        ("system", "s"), ("user", "q1"), ("assistant", "a1"), ("user", "q2"),
    ]  # fmt: skip
    assert sent.dropped == 0


def test_a_question_without_an_answer_is_left_out() -> None:
    branch = talk("q1", "", "q2", "partly", "q3")
    assert [m.content for m in choose_messages(branch, 1000).messages] == ["q2", "partly", "q3"]


def test_whole_turns_go_from_the_front_and_the_system_prompt_stays() -> None:
    long = "x" * 350  # 100 tokens
    sent = choose_messages(talk(long, long, long, long, "last", system="s"), 300)
    assert [m.role for m in sent.messages][:2] == ["system", "user"]
    assert sent.messages[-1].content == "last"
    assert sent.dropped in (2, 4)
    assert len(sent.messages) == 6 - sent.dropped


def test_a_question_that_is_too_long_alone_is_sent_all_the_same() -> None:
    """The engine counts exactly; it is its word whether that is too long."""
    sent = choose_messages(talk("q", "a", "x" * 10_000), 100)
    assert [m.content for m in sent.messages] == ["x" * 10_000]
    assert sent.dropped == 2


def test_the_beginning_changes_rarely() -> None:
    """Turn after turn, what is left out stays the same for a while: the engine reuses the rest."""
    text = "x" * 70  # about 20 tokens
    branch: list[Message] = []
    beginnings = []
    for _ in range(60):
        branch.append(message(Role.USER, text))
        beginnings.append(choose_messages(branch, 600).dropped)
        branch.append(message(Role.ASSISTANT, text))
    changes = sum(1 for a, b in itertools.pairwise(beginnings) if a != b)
    assert beginnings == sorted(beginnings)
    assert beginnings[-1] > 0
    assert changes <= 15


def test_no_more_pictures_go_than_an_engine_takes() -> None:
    """However long the context is, and not one turn less each time."""
    picture = Attachment(AttachmentKind.IMAGE, "a.png", data=b"png", tokens=10)
    branch: list[Message] = []
    counts, beginnings = [], []
    for _ in range(60):
        question = dataclasses.replace(message(Role.USER, "q"), attachments=(picture,))
        sent = choose_messages([*branch, question], 1_000_000)
        counts.append(sum(len(m.images) for m in sent.messages))
        beginnings.append(sent.dropped)
        branch += [question, message(Role.ASSISTANT, "a")]
    assert max(counts) == MOST_IMAGES
    assert min(counts[MOST_IMAGES:]) >= MOST_IMAGES // 2
    assert len(set(beginnings)) < 12


def test_an_answer_without_an_end_has_room_too() -> None:
    assert budget_tokens(8192, Sampling(max_tokens=100)) == 8092
    assert budget_tokens(8192, Sampling(max_tokens=100_000)) == 6144
    assert budget_tokens(8192, Sampling(max_tokens=0)) == 6144


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=15), st.integers(50, 900))
def test_what_is_sent_fits_or_is_the_last_question(contents: list[str], budget: int) -> None:
    branch = talk(*contents[: len(contents) - (len(contents) + 1) % 2])
    sent = choose_messages(branch, budget)
    assert sent.messages[-1].content == branch[-1].content
    assert [m.role for m in sent.messages] == ["user", "assistant"] * (len(sent.messages) // 2) + [
        "user"
    ]
    length = sum(approximate_tokens(m.content) + 8 for m in sent.messages)
    assert length <= budget or len(sent.messages) == 1
    assert len(sent.messages) + sent.dropped == len(branch)


def test_other_scripts_count_by_the_letter() -> None:
    assert approximate_tokens("天空为什么是蓝色的") == 9
    assert approximate_tokens("a" * 35) == 10

"""Which messages go to the engine: whole turns, the oldest left out where they no longer fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.chat.answer_parts import as_history
from openshelf.chat.attachments import (
    AttachmentKind,
    document_text,
    images_in_base64,
    tokens_of,
)
from openshelf.chat.conversation import Message, Role
from openshelf.engine.asking import MOST_IMAGES, ChatMessage, Sampling

_TOKENS_PER_MESSAGE = 8
_CHARACTERS_PER_TOKEN = 3.5
# Left out in thirds of the context: one turn at a time would change the beginning with every
# question, and the engine would read everything anew each time.
_BLOCKS = 3


@dataclass(frozen=True)
class Sent:
    """What the engine gets, and how many messages it does not get because of their length."""

    messages: tuple[ChatMessage, ...]
    dropped: int


@dataclass(frozen=True)
class Foreseen:
    """What sending would do: so many messages are left out; without `fits` not even the question
    has room."""

    dropped: int
    fits: bool
    context_length: int


def foresee(
    messages: Sequence[Message], question: Message, context_length: int, sampling: Sampling
) -> Foreseen:
    """As `choose_messages` will decide, by the same guess of lengths."""
    budget = budget_tokens(context_length, sampling)
    sent = choose_messages([*messages, question], budget)
    kept = [m for m in messages if m.role is Role.SYSTEM]
    needed = sum(_length(m) for m in kept) + _length(question)
    return Foreseen(sent.dropped, needed <= budget, context_length)


def budget_tokens(context_length: int, sampling: Sampling) -> int:
    """Tokens for what is read, so that an answer has room; as much as any, where it may go on to
    the end of the context."""
    wanted = sampling.max_tokens if sampling.max_tokens > 0 else context_length
    return context_length - min(wanted, context_length // 4)


def approximate_tokens(text: str) -> int:
    """A guess on the safe side: letters beyond ASCII count as a token each."""
    ascii_count = sum(1 for character in text if character < "\x80")
    return math.ceil(ascii_count / _CHARACTERS_PER_TOKEN) + len(text) - ascii_count


def choose_messages(branch: Sequence[Message], budget_tokens: int) -> Sent:
    """The system prompt, the last question (which `branch` ends with), and the turns before it
    that fit into `budget_tokens` and hold no more pictures than an engine takes.

    A question without an answer's text is left out together with it, so that roles alternate.
    """
    system = [m for m in branch if m.role is Role.SYSTEM]
    turns = _turns([m for m in branch if m.role is not Role.SYSTEM])
    lengths = [sum(_length(m) for m in turn) for turn in turns]
    needed = sum(lengths) + sum(_length(m) for m in system)
    dropped = 0
    if needed > budget_tokens and turns:
        block = max(1, budget_tokens // _BLOCKS)
        goal = math.ceil((needed - budget_tokens) / block) * block
        gone = 0
        while dropped < len(turns) - 1 and gone < goal:
            gone += lengths[dropped]
            dropped += 1
    dropped = _without_more_pictures(turns, dropped)
    kept = [*system, *(m for turn in turns[dropped:] for m in turn)]
    return Sent(
        tuple(_as_sent(m) for m in kept),
        sum(len(turn) for turn in turns[:dropped]),
    )


def _without_more_pictures(turns: Sequence[Sequence[Message]], dropped: int) -> int:
    """How many turns are left out so that an engine takes the pictures of the others."""
    counts = [sum(_pictures(message) for message in turn) for turn in turns]
    block = MOST_IMAGES // _BLOCKS
    goal = math.ceil((sum(counts) - MOST_IMAGES) / block) * block
    gone = sum(counts[:dropped])
    while dropped < len(turns) - 1 and gone < goal:
        gone += counts[dropped]
        dropped += 1
    return dropped


def _pictures(message: Message) -> int:
    return sum(one.kind is AttachmentKind.IMAGE for one in message.attachments)


def _turns(messages: Sequence[Message]) -> list[list[Message]]:
    """Questions with their answers; the last one is the question now asked."""
    turns: list[list[Message]] = []
    for message in messages:
        if message.role is Role.USER:
            turns.append([message])
        elif turns and message.content:
            turns[-1].append(message)
    return [turn for turn in turns[:-1] if len(turn) > 1] + turns[-1:]


def _as_sent(message: Message) -> ChatMessage:
    content = message.content
    return ChatMessage(
        message.role.value,
        as_history(content) if message.role is Role.ASSISTANT else content,
        document_text(message.attachments),
        images_in_base64(message.attachments),
    )


def _length(message: Message) -> int:
    attached = tokens_of(message.attachments)
    return approximate_tokens(message.content) + attached + _TOKENS_PER_MESSAGE

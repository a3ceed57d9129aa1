"""A conversation as a tree of messages: an edit or a new answer is a branch, nothing is lost."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from openshelf.chat.attachments import Attachment
from openshelf.engine.asking import Sampling


class Role(enum.StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class MessageState(enum.StrEnum):
    """How a message ended. Everything but COMPLETE is said below it."""

    COMPLETE = "complete"
    STREAMING = "streaming"
    STOPPED = "stopped"
    LENGTH = "length"
    ENGINE_DIED = "engine_died"
    FAILED = "failed"


@dataclass(frozen=True)
class AnswerFigures:
    """Seconds, and tokens per second."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    first_token_seconds: float
    prefill_tokens_per_second: float
    decode_tokens_per_second: float


@dataclass(frozen=True)
class Message:
    """`created_at` is ISO UTC; `detail` is a code with data for states that need saying.
    `attachments` are without their content unless it was asked for; `thought_seconds` is how long
    an answer was thought about, None where it was not."""

    id: int
    conversation_id: int
    parent_id: int | None
    role: Role
    content: str
    state: MessageState
    created_at: str
    model_id: str | None = None
    figures: AnswerFigures | None = None
    detail: dict[str, object] | None = None
    attachments: tuple[Attachment, ...] = ()
    thought_seconds: float | None = None


@dataclass(frozen=True)
class Conversation:
    """Times are ISO UTC; `system_prompt` is what it was begun with, or empty; `sampling` is what
    it was last asked with. One that is not saved is gone with the app."""

    id: int
    title: str
    created_at: str
    updated_at: str
    model_id: str | None = None
    system_prompt: str = ""
    is_pinned: bool = False
    folder_id: int | None = None
    is_saved: bool = True
    sampling: Sampling | None = None


@dataclass(frozen=True)
class Folder:
    """Holds conversations; a conversation is in one at most."""

    id: int
    name: str


@dataclass(frozen=True)
class FoundConversation:
    """A conversation with all the words that were searched for in one of its messages, and a
    line around them; without a message they are in its title."""

    conversation_id: int
    message_id: int | None = None
    excerpt: str = ""

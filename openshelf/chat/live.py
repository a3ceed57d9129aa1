"""The answer that is being written now: one thread adds to it, others look."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from openshelf.chat.conversation import Message
from openshelf.chat.thinking import ThinkingClock
from openshelf.tasks import CancelToken


class LivePhase(enum.StrEnum):
    LOADING = "loading"
    PROMPT = "prompt"
    GENERATING = "generating"


@dataclass(frozen=True)
class LiveAnswer:
    """The answer while it is written. `fraction` is of the load or of the prompt, if known."""

    conversation_id: int
    message_id: int
    phase: LivePhase
    text: str
    tokens: int
    tokens_per_second: float | None
    fraction: float | None
    thought_seconds: float | None = None
    """So far; None where nothing was thought."""


class AnswerInProgress:
    """Thread-safe. `cancel` ends it, `ended` says that nothing is written any more."""

    def __init__(self, conversation_id: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.conversation_id = conversation_id
        self.cancel = CancelToken()
        self.ended = threading.Event()
        self.message: Message | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._phase = LivePhase.LOADING
        self._fraction: float | None = None
        self._text = ""
        self._new: list[str] = []
        self._tokens = 0
        self._first_token_at: float | None = None
        self._last_token_at = 0.0
        self._thinking = ThinkingClock()

    def begin(self, message: Message) -> None:
        """The message that is written from now on; what it has already is where it goes on."""
        with self._lock:
            self.message, self._text = message, message.content
            self._new.clear()
            self._thinking = ThinkingClock(message.content, message.thought_seconds)

    @property
    def thought_seconds(self) -> float | None:
        with self._lock:
            self._thinking.look(self._joined(), self._last_token_at)
            return self._thinking.seconds

    @property
    def text(self) -> str:
        with self._lock:
            return self._joined()

    def _joined(self) -> str:
        """Put together when somebody looks: with each token it would copy the whole answer."""
        if self._new:
            self._text += "".join(self._new)
            self._new.clear()
        return self._text

    @property
    def tokens(self) -> int:
        with self._lock:
            return self._tokens

    def move_to(self, phase: LivePhase, fraction: float | None = None) -> None:
        with self._lock:
            self._phase, self._fraction = phase, fraction

    def add(self, text: str, count: int) -> None:
        with self._lock:
            self._last_token_at = self._clock()
            if self._first_token_at is None:
                self._first_token_at = self._last_token_at
                self._phase, self._fraction = LivePhase.GENERATING, None
            self._new.append(text)
            self._tokens += count
            if self._thinking.is_due(self._last_token_at):
                self._thinking.look(self._joined(), self._last_token_at)

    def snapshot(self) -> LiveAnswer | None:
        """None before there is a message to show it in."""
        with self._lock:
            if self.message is None:
                return None
            return LiveAnswer(
                conversation_id=self.conversation_id,
                message_id=self.message.id,
                phase=self._phase,
                text=self._joined(),
                tokens=self._tokens,
                tokens_per_second=self._rate(),
                fraction=self._fraction,
                thought_seconds=self._thinking.seconds,
            )

    def _rate(self) -> float | None:
        if self._first_token_at is None:
            return None
        seconds = self._last_token_at - self._first_token_at
        return (self._tokens - 1) / seconds if seconds > 0 and self._tokens > 1 else None

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

_LEAST_SECONDS = 1.0
"""Before that nobody can tell how long the rest takes."""


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
    seconds_left: float | None = None
    """Of the load or of the prompt, from how far it came since it began."""


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
        self._began: tuple[float, float] | None = None
        """When the phase told how far it is for the first time, and how far it was then."""
        self._seconds_left: float | None = None

    def begin(self, message: Message) -> None:
        """The message that is written from now on; what it has already is where it goes on."""
        with self._lock:
            self.message, self._text = message, message.content
            self._new.clear()
            self._thinking = ThinkingClock(message.content, message.thought_seconds)

    @property
    def thought_seconds(self) -> float | None:
        with self._lock:
            if self._first_token_at is not None:
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
        now = self._clock()
        with self._lock:
            if phase is not self._phase or fraction is None or self._began is None:
                self._began = None if fraction is None else (now, fraction)
            self._phase, self._fraction = phase, fraction
            self._seconds_left = self._left(now)

    def _left(self, now: float) -> float | None:
        """At the pace since the phase began; what was there already took no time."""
        if self._began is None or self._fraction is None:
            return None
        began_at, before = self._began
        done, seconds = self._fraction - before, now - began_at
        if done <= 0 or seconds < _LEAST_SECONDS:
            return None
        return seconds * max(0.0, 1 - self._fraction) / done

    def add(self, text: str, count: int) -> None:
        with self._lock:
            self._last_token_at = self._clock()
            if self._first_token_at is None:
                self._first_token_at = self._last_token_at
                self._phase, self._fraction = LivePhase.GENERATING, None
                self._seconds_left = None
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
                seconds_left=self._seconds_left,
            )

    def _rate(self) -> float | None:
        if self._first_token_at is None:
            return None
        seconds = self._last_token_at - self._first_token_at
        return (self._tokens - 1) / seconds if seconds > 0 and self._tokens > 1 else None

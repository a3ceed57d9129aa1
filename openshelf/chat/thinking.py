"""How long an answer was thought about, from its first token to the end of its thoughts."""

from __future__ import annotations

from openshelf.chat.answer_parts import split_answer

LOOK_SECONDS = 0.05
"""The answer so far is parted anew for each look."""


class ThinkingClock:
    """`look` at the answer so far, every LOOK_SECONDS until it `is_over`; times from one clock."""

    def __init__(self, text: str = "", seconds: float | None = None) -> None:
        """`text` is what there is already of an answer that is gone on with, after `seconds`."""
        parts = split_answer(text)
        self._seconds = seconds or 0.0
        self._has_thought = seconds is not None
        self._is_thinking = parts.is_thinking or not text
        self._looked_at: float | None = None
        # Of thoughts that took nobody knows how long, no part is told.
        self.is_over = bool(parts.answer.strip()) or (bool(parts.reasoning) and seconds is None)

    @property
    def seconds(self) -> float | None:
        """None where nothing was thought."""
        return round(self._seconds, 2) if self._has_thought else None

    def is_due(self, now: float) -> bool:
        if self.is_over:
            return False
        return self._looked_at is None or now - self._looked_at >= LOOK_SECONDS

    def look(self, text: str, now: float) -> None:
        before, self._looked_at = self._looked_at, now
        if self.is_over:
            return
        parts = split_answer(text)
        if parts.reasoning.strip():
            self._has_thought = True
        if before is not None and self._is_thinking:
            self._seconds += now - before
        answer = parts.answer.strip()  # some begin with an empty line before they think
        # Of the first letters alone nobody can tell, so they count as what follows them.
        self._is_thinking = parts.is_thinking or not (answer or parts.reasoning)
        self.is_over = bool(answer or parts.calls) and not parts.is_thinking

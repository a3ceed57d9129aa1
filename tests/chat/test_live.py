"""What is told of an answer before its first word: how far the load and the prompt are."""

from __future__ import annotations

import pytest

from openshelf.chat.conversation import Message, MessageState, Role
from openshelf.chat.live import AnswerInProgress, LiveAnswer, LivePhase


class Watched:
    def __init__(self) -> None:
        self.now = 50.0
        self.answer = AnswerInProgress(1, lambda: self.now)
        self.answer.begin(Message(2, 1, 1, Role.ASSISTANT, "", MessageState.STREAMING, ""))

    def move(self, seconds: float, phase: LivePhase, fraction: float | None) -> LiveAnswer:
        self.now += seconds
        self.answer.move_to(phase, fraction)
        live = self.answer.snapshot()
        assert live is not None
        return live


def test_time_left_comes_from_the_pace_of_this_phase() -> None:
    watched = Watched()
    assert watched.move(0, LivePhase.LOADING, None).seconds_left is None
    assert watched.move(9, LivePhase.LOADING, 0.0).seconds_left is None
    assert watched.move(0.5, LivePhase.LOADING, 0.1).seconds_left is None, "too early to tell"
    assert watched.move(1.5, LivePhase.LOADING, 0.5).seconds_left == 2.0
    assert watched.move(1, LivePhase.LOADING, 1.0).seconds_left == 0.0
    # Half of the prompt was in the context already: that took no time.
    assert watched.move(0, LivePhase.PROMPT, None).seconds_left is None
    assert watched.move(1, LivePhase.PROMPT, 0.5).seconds_left is None
    assert watched.move(4, LivePhase.PROMPT, 0.7).seconds_left == pytest.approx(6.0)
    assert watched.move(1, LivePhase.PROMPT, 0.7).seconds_left == pytest.approx(7.5), (
        "it stands still"
    )
    watched.answer.add("word", 1)
    live = watched.answer.snapshot()
    assert live is not None
    assert (live.phase, live.seconds_left) == (LivePhase.GENERATING, None)

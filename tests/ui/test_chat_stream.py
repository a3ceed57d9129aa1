"""An answer as it is written: how often it is looked at, and what is done where nobody sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.ui.models import chat_turn
from openshelf.ui.models.chat_turn import ChatTurn
from tests.fakes.engine import Answer
from tests.ui.chat_window import ChatWindow


@pytest.fixture
def window(tmp_path: Path, themed_app: QApplication, qtbot: QtBot) -> Iterator[ChatWindow]:
    window = ChatWindow(tmp_path, qtbot)
    answer = Answer(("Some", " more"), pause_before=1)
    window.engine.answers = [answer]
    window.write("go")
    qtbot.waitUntil(lambda: len(window.items) == 2 and window.texts()[1] == "Some")
    yield window
    answer.resume.set()
    window.close()


def turn_of(window: ChatWindow) -> ChatTurn:
    turn = window.page.dialogue._turn
    assert turn is not None
    return turn


def test_an_answer_is_not_laid_out_while_another_page_is_shown(window: ChatWindow) -> None:
    turn = turn_of(window)
    assert turn.last is not None
    window.page.hide()
    turn._timer.stop()
    turn._last = replace(turn.last, text="Some words", tokens=2)
    turn.advanced.emit(turn.last)
    assert window.texts()[1] == "Some"
    assert window.page.dialogue.live_tokens == 2
    window.page.show()
    assert window.texts()[1] == "Some words"


def test_what_nobody_sees_is_looked_at_four_times_a_second(window: ChatWindow) -> None:
    turn = turn_of(window)
    window.page.hide()
    turn._set_pace()
    assert turn._timer.interval() == chat_turn.UNSEEN_FRAME_MILLISECONDS
    window.page.show()
    assert turn._timer.interval() < chat_turn.UNSEEN_FRAME_MILLISECONDS


def test_a_slow_machine_is_looked_at_less_often(
    window: ChatWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, cpu = turn_of(window), 0.0
    turn._timer.stop()
    monkeypatch.setattr(chat_turn.time, "thread_time", lambda: cpu)
    turn._cpu_seconds = 0.0
    for seconds, wanted in ((0.0005, 33), (0.004, 80), (0.1, 220), (0.0005, 33)):
        for _ in range(80):
            cpu += seconds
            turn._set_pace()
        assert turn._timer.interval() == pytest.approx(wanted, abs=1)

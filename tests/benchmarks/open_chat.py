"""What it costs the window's thread to open a conversation of 300 turns.

Run by name: `pytest -m benchmark tests/benchmarks/open_chat.py -s`. CPU time of the window's thread
from the click to the moment when nothing is left to do, with laying out and painting, and the
longest turn of the event loop in it; five times, after one to warm up.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from openshelf.chat.archive import Archive
from openshelf.chat.conversation import Conversation, Message, MessageState, Role
from openshelf.chat.store import ConversationStore
from openshelf.ui.theme import Scheme, apply_theme, load_fonts
from tests.benchmarks.transcript_stream import Desk
from tests.fakes.engine import FakeEngine
from tests.fakes.long_answer import long_answer

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(600),
    pytest.mark.qt_log_ignore("This plugin does not support", extend=True),
]
TURNS = 300
ANSWER_TOKENS = 400
MOST_MILLISECONDS = 200
QUIET_TURNS = 12


def conversation() -> Archive:
    """Answers of 400 tokens with lists, tables and code, a question before each."""
    tokens = long_answer(TURNS * ANSWER_TOKENS // 3)
    messages: list[Message] = []
    for turn in range(TURNS):
        start = (turn * ANSWER_TOKENS) % (len(tokens) - ANSWER_TOKENS)
        answer = "".join(tokens[start : start + ANSWER_TOKENS])
        texts = ((Role.USER, f"Question {turn}: what follows?"), (Role.ASSISTANT, answer))
        for role, text in texts:
            number = len(messages) + 1
            parent = number - 1 or None
            messages.append(
                Message(number, 0, parent, role, text, MessageState.COMPLETE, "", "model")
            )
    return Archive(Conversation(0, "300 turns", "", ""), tuple(messages), len(messages))


@pytest.fixture
def desk(tmp_path: Path, qapp: QApplication) -> Iterator[Desk]:
    load_fonts()
    apply_theme(qapp, Scheme.LIGHT)
    folder = tmp_path / "0"
    folder.mkdir()
    store = ConversationStore(folder / "chats.sqlite3")
    store.add_archive(conversation())
    store.close()
    desk = Desk(folder, FakeEngine())
    yield desk
    desk.close()


def opened(app: QApplication, desk: Desk, chat: Conversation) -> tuple[float, float, float]:
    """CPU ms until nothing is left to do; of the longest turn; and until something is shown."""
    desk.page.start_new()
    for _ in range(50):
        app.processEvents()
    transcript = desk.page.area.transcript
    total = longest = shown = quiet = 0.0
    begun = time.thread_time()
    desk.page._open_conversation(chat)
    total = longest = time.thread_time() - begun
    while quiet < QUIET_TURNS:
        begun = time.thread_time()
        app.processEvents()
        cost = time.thread_time() - begun
        total, longest = total + cost, max(longest, cost)
        if not shown and transcript.items and transcript.isVisible():
            shown = total
        quiet = quiet + 1 if cost < 0.0005 and transcript.items else 0
        time.sleep(0.002)
    return total * 1e3, longest * 1e3, shown * 1e3


def test_opening(qapp: QApplication, desk: Desk) -> None:
    chat = desk.chats.conversations()[0]
    opened(qapp, desk, chat)
    runs = [opened(qapp, desk, chat) for _ in range(5)]
    for name, values in zip(
        ("all of it", "longest turn", "until it is shown"), zip(*runs, strict=True), strict=True
    ):
        print(f"{name:20} " + "  ".join(f"{value:6.1f}" for value in values) + " ms")  # noqa: T201
    middle = sorted(total for total, _, _ in runs)[2]
    assert middle <= MOST_MILLISECONDS
    assert list(itertools.chain(desk.page.area.transcript.items))

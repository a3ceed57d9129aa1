"""kill -9 of the app in the middle of chatting: every acknowledged message is there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from openshelf.chat.conversation import MessageState
from openshelf.chat.store import ConversationStore
from openshelf.children import child_environment

ROOT = Path(__file__).resolve().parents[2]
_PER_APP = 100_000


def run_and_kill(path: Path, turn: int, seconds: float) -> list[str]:
    """Start the app, kill it `seconds` after its first acknowledgment; whole lines only."""
    app = subprocess.Popen(
        [sys.executable, "-m", "tests.chat.chatting_app", str(path), str(turn)],
        cwd=ROOT,
        env=child_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert app.stdout is not None
    first = app.stdout.readline()
    killer = threading.Timer(seconds, app.kill)
    killer.start()
    lines = [line for line in (first, *app.stdout) if line.endswith("\n")]
    app.wait(60)
    killer.join()
    app.stdout.close()
    return lines


def kill_while_chatting(path: Path, times: int) -> int:
    """Returns how many messages were acknowledged, and checks each one after each kill."""
    dice = random.Random(20261126)
    acknowledged: dict[int, str] = {}
    unfinished = 0
    for turn in range(times):
        lines = run_and_kill(path, turn * _PER_APP, dice.random() / 2)
        assert lines, "the app wrote nothing"
        new = dict(json.loads(line) for line in lines)
        acknowledged.update(new)
        store = ConversationStore(path)
        assert store.notes == ()
        for message_id, text in (new if turn + 1 < times else acknowledged).items():
            kept = store.message(message_id)
            # One that was being gone on with may have more by now, and never less.
            assert kept.content.startswith(text)
            assert kept.state is not MessageState.STREAMING
        last = store.branch(store.message(max(new)).conversation_id)[-1]
        unfinished += last.state is MessageState.STOPPED
        assert store._database.read("PRAGMA integrity_check") == [("ok",)]
        indexed = store._database.read("SELECT count(*) FROM message_words")
        messages = store._database.read("SELECT count(*) FROM messages WHERE role <> 'system'")
        assert indexed == messages
        store.close()
    assert unfinished > times // 10, "the kills met no answer that was being written"
    return len(acknowledged)


@pytest.mark.timeout(600)
def test_fifty_kills_lose_no_acknowledged_message(tmp_path: Path) -> None:
    assert kill_while_chatting(tmp_path / "chats.sqlite3", 50) >= 50


@pytest.mark.endurance
@pytest.mark.timeout(5400)
def test_five_hundred_kills_lose_no_acknowledged_message(tmp_path: Path) -> None:
    count = kill_while_chatting(tmp_path / "chats.sqlite3", 500)
    print(f"{count} acknowledged messages, 500 kills")  # noqa: T201
    assert count >= 500

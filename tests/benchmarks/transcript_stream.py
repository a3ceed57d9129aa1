"""What a 100,000-token answer at 200 tokens per second costs the window's thread, and the app.

Run by name: `pytest -m benchmark tests/benchmarks/transcript_stream.py -s`, about six minutes.

Whole answer: in lockstep, without waiting. The engine hands over what 200 tokens per second make
in one look of the window (33 ms), the window looks, lays out and paints, then the next. Counted is
the window thread's CPU time of everything between two looks, which is at least one turn of the
event loop; one second of streaming is 30.3 looks.

In real time: a child process writes through the real pipe at 200 tokens per second, here with
every event-loop turn by itself, and the CPU time of all threads of the app. Wall time per turn is
printed beside that of the same window with nothing to do.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QElapsedTimer, QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from openshelf.chat.session import Chats, LoadTicket
from openshelf.chat.store import ConversationStore
from openshelf.children import child_environment
from openshelf.engine.interface import EngineLike, OnTokens
from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Done, Sampling
from openshelf.tasks import CancelToken, PoolTaskRunner, Report, no_report
from openshelf.ui.models import chat_turn
from openshelf.ui.models.chat_turn import ChatTurn
from openshelf.ui.pages.chat import ChatPage
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import Scheme, apply_theme, load_fonts
from tests.fakes import scripted_worker
from tests.fakes.downloads import installed_model
from tests.fakes.engine import FakeEngine, clearance_for, load_order, model_file
from tests.fakes.long_answer import long_answer
from tests.fakes.services import FakeLibrary, fake_services

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1800),
    pytest.mark.qt_log_ignore("This plugin does not support", extend=True),
]
TOKENS = int(os.environ.get("STREAM_TOKENS", "100000"))
SECONDS = float(os.environ.get("STREAM_SECONDS", "60"))
RATE = 200.0
LOOK_SECONDS = chat_turn.FRAME_MILLISECONDS / 1000
TURNS_PER_LOOK = 3
"""Look and layout, resizing and scrolling, painting: each posts the next."""
TURNS_AFTER = 60
MODEL = installed_model("SmolLM2-135M-Instruct", "Q4_1")


class LockstepEngine(FakeEngine):
    """Hands over what comes between two looks, each time that it is told to."""

    def __init__(self, tokens: Sequence[str]) -> None:
        super().__init__()
        self._tokens = tokens
        self._go, self._given = threading.Semaphore(0), threading.Semaphore(0)
        self.seconds = 0.0
        self.is_done = False

    def step(self) -> None:
        self._go.release()
        assert self._given.acquire(timeout=60)

    def chat(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        cancel: CancelToken,
        on_tokens: OnTokens,
        report: Report = no_report,
    ) -> Done:
        given = 0
        for number in itertools.count(1):
            assert self._go.acquire(timeout=60)
            self.seconds = number * LOOK_SECONDS
            due = min(len(self._tokens), round(number * LOOK_SECONDS * RATE))
            on_tokens("".join(self._tokens[given:due]), due - given)
            given = due
            self.is_done = given == len(self._tokens)
            self._given.release()
            if self.is_done:
                return self._done("stop", given)
        raise AssertionError

    def __repr__(self) -> str:
        return f"<{self.seconds:.0f} s>"


class Desk:
    """The chat page over real conversations, a real store and the given engine."""

    def __init__(
        self, folder: Path, engine: EngineLike, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.engine = engine
        self.chats = Chats(
            ConversationStore(folder / "chats.sqlite3"), engine, self._open_model, clock=clock
        )
        self.services = fake_services(
            folder,
            runner=PoolTaskRunner(4),
            changes={"chats": self.chats, "library": FakeLibrary(MODEL)},
        )
        self.bridge = TaskBridge(self.services.runner)
        self.page = ChatPage(self.services, self.bridge)
        self.page.resize(1172, 860)
        self.page.show()
        self.page.open_page()
        self.wait(lambda: self.page.chosen.model is not None)

    def _open_model(self, model_id: str, cancel: CancelToken) -> LoadTicket:
        file = model_file(str(Path(__file__)), Path(__file__).stat().st_size)
        return LoadTicket(model_id, clearance_for(file), load_order(file), "fits_cpu", 30)

    def ask(self) -> None:
        self.page.area.composer.send_requested.emit("Write a very long report.")

    def wait(self, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not ready():
            assert time.monotonic() < end
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.001)

    @property
    def tokens(self) -> int:
        return self.page.dialogue.live_tokens

    def close(self) -> None:
        self.chats.stop(self.page.dialogue.shown_id or 0)
        self.wait(lambda: not self.page.dialogue.is_answering)
        self.page.close()
        self.page.deleteLater()
        self.services.runner.close()
        self.bridge.close()
        self.bridge.deleteLater()
        self.chats.close()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def one_turn() -> tuple[float, float]:
    """Wait for an event, then one turn: CPU seconds of this thread, and wall seconds."""
    flags = QEventLoop.ProcessEventsFlag
    clock = QElapsedTimer()
    clock.start()
    cpu = time.thread_time()
    QCoreApplication.processEvents(flags.AllEvents | flags.WaitForMoreEvents)
    return time.thread_time() - cpu, clock.nsecsElapsed() / 1e9


def figures(name: str, costs: Sequence[float]) -> tuple[float, float]:
    """p95 and worst, in ms, printed."""
    ordered = sorted(costs)
    p50, p95 = (ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.95))
    worst = ordered[-1] * 1e3
    print(f"{name:44} median {p50:6.2f}  p95 {p95:6.2f}  worst {worst:6.2f} ms  n {len(ordered)}")  # noqa: T201
    return p95, worst


@pytest.fixture
def app(qapp: QApplication) -> QApplication:
    load_fonts()
    apply_theme(qapp, Scheme.LIGHT)
    return qapp


@pytest.fixture
def start(tmp_path: Path, app: QApplication) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(engine: EngineLike, **changes: Any) -> Desk:
        desks.append(Desk(tmp_path / str(len(desks)), engine, **changes))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()
        desk.engine.close()


def scripted_engine(fast: int = 0) -> Engine:
    root = Path(scripted_worker.__file__).parent.parent.parent
    command = [sys.executable, "-s", "-P", scripted_worker.__file__]
    command += [str(TOKENS), str(fast), str(RATE)]
    return Engine(command, child_environment({"PYTHONPATH": str(root)}))


def test_whole_answer(start: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_turn, "FRAME_MILLISECONDS", 0)
    monkeypatch.setattr(chat_turn, "SLOWEST_FRAME_MILLISECONDS", 0)
    engine = LockstepEngine(long_answer(TOKENS))
    desk = start(engine, clock=lambda: engine.seconds)
    desk.ask()
    desk.wait(lambda: desk.page.dialogue.conversation is not None)
    looks: list[float] = []
    turns: list[float] = []
    everything = time.process_time()
    while not engine.is_done:
        engine.step()
        part = [one_turn()[0] for _ in range(TURNS_PER_LOOK)]
        looks.append(sum(part))
        turns.append(max(part))
    everything = time.process_time() - everything
    print(f"\n{TOKENS:,} tokens, whole, {engine.seconds:.0f} s at {RATE:.0f} tokens/s")  # noqa: T201
    for number, at in enumerate(range(0, len(looks), max(1, len(looks) // 5)), start=1):
        figures(f"  fifth {number}: CPU between two looks", looks[at : at + len(looks) // 5])
    p95, worst = figures("CPU between two looks", looks)
    figures("CPU of the longest turn of each", turns)
    share = everything / engine.seconds
    print(f"whole app, in-process engine, painting: {share:.2%} of a core")  # noqa: T201
    end: list[float] = []
    keep_awake = QTimer()
    keep_awake.start(5)
    while desk.page.dialogue.is_answering or len(end) < TURNS_AFTER:
        end.append(one_turn()[0])
    print(f"when it is over: {max(end) * 1e3:.1f} ms in one turn")  # noqa: T201
    assert p95 <= 16
    assert max(worst, *(cost * 1e3 for cost in end)) <= 50


def real_time(desk: Desk, seconds: float) -> tuple[list[tuple[float, float]], float]:
    """Turns of so many seconds, and the share of a core that all threads of the app took."""
    end = time.monotonic() + seconds
    cpu, wall = time.process_time(), time.monotonic()
    turns = []
    keep_awake = QTimer()
    keep_awake.start(50)
    while time.monotonic() < end:
        turns.append(one_turn())
    return turns, (time.process_time() - cpu) / (time.monotonic() - wall)


def late(desk: Desk, seconds: float) -> tuple[list[float], list[tuple[float, float]], float]:
    """How late a 10 ms timer came, wall seconds; and what `real_time` tells."""
    delays: list[float] = []
    clock = QElapsedTimer()
    timer = QTimer()
    timer.setInterval(50)

    def heard() -> None:
        delays.append(max(0.0, clock.nsecsElapsed() / 1e9 - 0.05))
        clock.start()

    timer.timeout.connect(heard)
    clock.start()
    timer.start()
    turns, share = real_time(desk, seconds)
    timer.stop()
    return delays, turns, share


def test_transport(start: Callable[..., Desk]) -> None:
    """The pipe, the answer, the store, the window's look: with everything but painting."""
    desk = start(scripted_engine())
    delays, turns, share = late(desk, min(10.0, SECONDS))
    print(f"\nidle: {share:.2%} of a core")  # noqa: T201
    figures("idle: wall time, a timer late by", delays)
    figures("idle: CPU per turn", [cpu for cpu, _ in turns])
    conversation = desk.chats.new_conversation(MODEL.id)
    stop = CancelToken()
    thread = threading.Thread(
        target=desk.chats.send,
        args=(conversation.id, "Go.", MODEL.id, Sampling(max_tokens=TOKENS), stop, no_report),
    )
    thread.start()
    desk.wait(lambda: bool((live := desk.chats.live(conversation.id)) and live.tokens))
    _, pipe = real_time(desk, SECONDS)
    stop.cancel()
    thread.join()
    print(f"transport alone (pipe, answer, store): {pipe:.2%} of a core")  # noqa: T201
    assert pipe <= 0.03


@pytest.mark.parametrize("painting", [False, True])
def test_real_time(
    start: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, *, painting: bool
) -> None:
    set_pace = ChatTurn._set_pace
    fast = max(0, TOKENS - round(RATE * (SECONDS + 10)))
    desk = start(scripted_engine(fast))
    desk.ask()
    desk.wait(lambda: desk.page.dialogue.is_answering)
    if not painting:
        # Another page of the window is shown.
        desk.page.hide()
    while desk.tokens <= fast:
        one_turn()
    before = desk.tokens
    looks: list[None] = []
    monkeypatch.setattr(ChatTurn, "_set_pace", lambda turn: (looks.append(None), set_pace(turn))[1])
    delays, turns, share = late(desk, SECONDS)
    rate = (desk.tokens - before) / SECONDS
    words = "with painting" if painting else "without painting"
    print(f"\nreal time after {before:,} tokens, {rate:.0f} tokens/s, {words}")  # noqa: T201
    figures("CPU per turn", [cpu for cpu, _ in turns])
    figures("wall time, a timer late by", delays)
    print(f"looks per second: {len(looks) / SECONDS:.1f}")  # noqa: T201
    print(f"whole app, {words}: {share:.2%} of a core")  # noqa: T201
    assert rate > RATE * 0.95
    if painting:
        assert share <= 0.08
        assert sorted(cpu for cpu, _ in turns)[int(len(turns) * 0.95)] <= 0.016
        assert max(cpu for cpu, _ in turns) <= 0.050
    else:
        assert len(looks) <= SECONDS * 5
        assert share <= 0.03

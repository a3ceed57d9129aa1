"""The bridge delivers on the window's thread: progress seldom, outcomes once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject, QThread
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.errors import NotFound
from openshelf.tasks import (
    Announcer,
    Cancelled,
    CancelToken,
    Failed,
    InlineTaskRunner,
    Outcome,
    PoolTaskRunner,
    Progress,
    Report,
    Succeeded,
    TaskRunner,
)
from openshelf.ui.task_bridge import PROGRESS_INTERVAL_SECONDS, TaskBridge


class Receiver(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.outcomes: list[Outcome[object]] = []
        self.progress: list[Progress] = []
        self.times: list[float] = []
        self.threads: set[bool] = set()
        self.heard: list[object] = []

    def _note(self) -> None:
        self.threads.add(self.thread() == QThread.currentThread())

    def on_outcome(self, outcome: Outcome[object]) -> None:
        self._note()
        self.outcomes.append(outcome)

    def on_progress(self, progress: Progress) -> None:
        self._note()
        self.progress.append(progress)
        self.times.append(time.monotonic())

    def on_heard(self, snapshot: object) -> None:
        self._note()
        self.heard.append(snapshot)


@pytest.fixture(params=[PoolTaskRunner, InlineTaskRunner], ids=["pool", "inline"])
def runner(request: pytest.FixtureRequest) -> Iterator[TaskRunner]:
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def carrier(qapp: QApplication, runner: TaskRunner) -> Iterator[TaskBridge]:
    made = TaskBridge(runner)
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def receiver(qapp: QApplication) -> Receiver:
    return Receiver()


def test_an_outcome_arrives_once_and_after_submit(
    carrier: TaskBridge, receiver: Receiver, qtbot: QtBot
) -> None:
    def work(cancel: CancelToken, report: Report) -> int:
        return 7

    task = carrier.submit("seven", work, on_outcome=receiver.on_outcome)
    assert task.name == "seven"
    assert receiver.outcomes == [], "never from inside submit"
    qtbot.waitUntil(lambda: receiver.outcomes == [Succeeded(7)])
    qtbot.wait(20)
    assert receiver.outcomes == [Succeeded(7)]
    assert receiver.threads == {True}


def test_a_failure_and_a_cancel_are_outcomes(
    carrier: TaskBridge, receiver: Receiver, qtbot: QtBot
) -> None:
    error = NotFound("model", "x")

    def fail(cancel: CancelToken, report: Report) -> int:
        raise error

    def stop(cancel: CancelToken, report: Report) -> int:
        cancel.cancel()
        cancel.raise_if_cancelled()
        return 1

    carrier.submit("fail", fail, on_outcome=receiver.on_outcome)
    qtbot.waitUntil(lambda: len(receiver.outcomes) == 1)
    carrier.submit("stop", stop, on_outcome=receiver.on_outcome)
    qtbot.waitUntil(lambda: len(receiver.outcomes) == 2)
    assert receiver.outcomes == [Failed(error), Cancelled()]


def test_progress_is_thinned_and_its_last_value_arrives(
    qapp: QApplication, receiver: Receiver, qtbot: QtBot
) -> None:
    runner = PoolTaskRunner()
    bridge = TaskBridge(runner)
    may_end = threading.Event()

    def work(cancel: CancelToken, report: Report) -> None:
        end = time.monotonic() + 0.35
        done = 0
        while time.monotonic() < end:
            done += 1
            report(Progress(done, None, "counting"))
            cancel.wait(0.001)
        report(Progress(1_000_000, None, "last"))
        may_end.wait(5)

    bridge.submit("count", work, on_progress=receiver.on_progress, on_outcome=receiver.on_outcome)
    qtbot.waitUntil(lambda: bool(receiver.progress) and receiver.progress[-1].phase == "last")
    may_end.set()
    qtbot.waitUntil(lambda: len(receiver.outcomes) == 1)
    runner.close()
    bridge.close()
    gaps = [b - a for a, b in zip(receiver.times, receiver.times[1:], strict=False)]
    assert all(gap >= PROGRESS_INTERVAL_SECONDS * 0.9 for gap in gaps)
    assert 2 <= len(receiver.progress) <= 8
    assert receiver.threads == {True}


def test_no_progress_after_the_outcome(
    carrier: TaskBridge, receiver: Receiver, qtbot: QtBot
) -> None:
    def work(cancel: CancelToken, report: Report) -> None:
        for done in range(100):
            report(Progress(done, 100, "x"))

    for _ in range(3):
        carrier.submit("x", work, on_progress=receiver.on_progress, on_outcome=receiver.on_outcome)
    qtbot.waitUntil(lambda: len(receiver.outcomes) == 3)
    seen = len(receiver.progress)
    qtbot.wait(150)
    assert len(receiver.progress) == seen


def test_announcements_keep_their_order(
    carrier: TaskBridge, receiver: Receiver, qtbot: QtBot
) -> None:
    announcer: Announcer[int] = Announcer()
    unsubscribe = carrier.listen(announcer, receiver.on_heard)
    thread = threading.Thread(target=lambda: [announcer.announce(n) for n in range(500)])
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(receiver.heard) == 500)
    assert receiver.heard == list(range(500))
    assert receiver.threads == {True}
    unsubscribe()
    announcer.announce(501)
    qtbot.wait(20)
    assert len(receiver.heard) == 500


def test_announcements_by_key_keep_the_last_of_each(
    carrier: TaskBridge, receiver: Receiver, qtbot: QtBot
) -> None:
    announcer: Announcer[tuple[str, int]] = Announcer()
    carrier.listen(announcer, receiver.on_heard, latest_by=lambda pair: pair[0])
    for number in range(200):
        announcer.announce(("a", number))
        announcer.announce(("b", number))
    qtbot.waitUntil(lambda: ("b", 199) in receiver.heard and ("a", 199) in receiver.heard)
    assert len(receiver.heard) <= 6


def test_nothing_reaches_a_deleted_object(carrier: TaskBridge, qtbot: QtBot) -> None:
    receiver, witness = Receiver(), Receiver()
    announcer: Announcer[int] = Announcer()
    carrier.listen(announcer, receiver.on_heard)
    carrier.listen(announcer, witness.on_heard)
    receiver.deleteLater()
    with qtbot.waitSignal(receiver.destroyed):
        pass
    announcer.announce(1)
    qtbot.waitUntil(lambda: witness.heard == [1])
    assert receiver.heard == []


def test_a_closed_bridge_delivers_nothing(
    carrier: TaskBridge, receiver: Receiver, qtbot: QtBot
) -> None:
    announcer: Announcer[int] = Announcer()
    carrier.listen(announcer, receiver.on_heard)
    announcer.announce(1)
    carrier.call_soon(receiver.on_heard, 2)
    carrier.close()
    announcer.announce(3)
    qtbot.wait(30)
    assert receiver.heard == []

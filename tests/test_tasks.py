"""A task ends exactly once, whatever happens in it."""

from __future__ import annotations

import threading

import pytest

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
    Task,
    run_to_outcome,
)


def run_on_pool(work) -> list[Outcome[object]]:
    runner = PoolTaskRunner(workers=2)
    outcomes: list[Outcome[object]] = []
    ended = threading.Event()

    def on_outcome(task: Task, outcome: Outcome[object]) -> None:
        outcomes.append(outcome)
        ended.set()

    runner.submit("test", work, on_outcome=on_outcome)
    assert ended.wait(5)
    runner.close()
    return outcomes


def test_success_carries_the_value() -> None:
    assert run_on_pool(lambda cancel, report: 42) == [Succeeded(42)]


def test_expected_failure_carries_the_error() -> None:
    error = NotFound("model", "x")

    def fail(cancel: CancelToken, report: Report) -> None:
        raise error

    assert run_on_pool(fail) == [Failed(error)]


def test_unexpected_failure_is_logged_and_carried(caplog: pytest.LogCaptureFixture) -> None:
    def fail(cancel: CancelToken, report: Report) -> None:
        raise ZeroDivisionError

    outcome = run_to_outcome(fail, CancelToken(), lambda progress: None)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ZeroDivisionError)
    assert "unexpected failure" in caplog.text


def test_cancelling_becomes_its_own_outcome() -> None:
    runner = PoolTaskRunner(workers=1)
    outcomes: list[Outcome[object]] = []
    started, ended = threading.Event(), threading.Event()

    def wait(cancel: CancelToken, report: Report) -> None:
        started.set()
        cancel.wait(5)
        cancel.raise_if_cancelled()

    def on_outcome(task: Task, outcome: Outcome[object]) -> None:
        outcomes.append(outcome)
        ended.set()

    task = runner.submit("test", wait, on_outcome=on_outcome)
    assert started.wait(5)
    task.cancel()
    assert ended.wait(5)
    runner.close()
    assert outcomes == [Cancelled()]


def test_work_that_was_cancelled_before_it_began_never_runs() -> None:
    token = CancelToken()
    token.cancel()
    ran: list[bool] = []
    assert run_to_outcome(lambda cancel, report: ran.append(True), token, print) == Cancelled()
    assert ran == []


def test_closed_runner_takes_nothing_and_stops_what_runs() -> None:
    runner = PoolTaskRunner(workers=1)
    started, ended = threading.Event(), threading.Event()

    def wait(cancel: CancelToken, report: Report) -> None:
        started.set()
        cancel.wait(10)
        ended.set()

    runner.submit("test", wait)
    assert started.wait(5)
    runner.close()
    assert ended.is_set()
    assert runner.submit("late", lambda cancel, report: None).cancel_token.is_cancelled


def test_cancel_callbacks_run_once_also_when_late() -> None:
    token = CancelToken()
    calls: list[str] = []
    token.on_cancel(lambda: calls.append("early"))
    token.cancel()
    token.cancel()
    token.on_cancel(lambda: calls.append("late"))
    assert calls == ["early", "late"]


def test_progress_tells_time_left_only_when_it_can() -> None:
    assert Progress(50, 100, "downloading", 25.0).seconds_left == 2.0
    assert Progress(50, None, "downloading", 25.0).seconds_left is None
    assert Progress(50, 100, "downloading").seconds_left is None
    assert Progress(50, 0, "downloading").fraction is None


def test_inline_runner_reports_before_it_returns() -> None:
    seen: list[object] = []

    def work(cancel: CancelToken, report: Report) -> str:
        report(Progress(1, 2, "half"))
        return "done"

    InlineTaskRunner().submit(
        "test",
        work,
        on_progress=lambda task, progress: seen.append(progress),
        on_outcome=lambda task, outcome: seen.append(outcome),
    )
    assert seen == [Progress(1, 2, "half"), Succeeded("done")]


def test_announcer_forgets_who_unsubscribed() -> None:
    announcer: Announcer[int] = Announcer()
    heard: list[int] = []
    unsubscribe = announcer.subscribe(heard.append)
    announcer.announce(1)
    unsubscribe()
    unsubscribe()
    announcer.announce(2)
    assert heard == [1]

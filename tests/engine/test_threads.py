"""Threads beside other busy programs: a machine played second by second, and the real engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Plan, Sampling
from openshelf.engine.worker_threads import Others, ThreadPacer
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.tiny_model import write_sliding_window_model

# Tokens per second by busy programs and threads, on two cores: as measured (engine.md, A2).
TWO_CORES = {0: {1: 80.0, 2: 110.0}, 1: {1: 80.0, 2: 37.0}, 2: {1: 55.0, 2: 0.33}}


def eight_cores(busy: int, threads: int) -> float:
    """A rate that grows with the threads until one has no core of its own."""
    return threads * 10.0 if threads + busy <= 8 else threads * 1.0


class Played:
    """An answer that goes on and on, on a machine that is more and less busy."""

    def __init__(
        self, threads: int, cores: int, rate: Callable[[int, int], float], busy: int = 0
    ) -> None:
        self.now = 100.0
        self.busy = busy
        self.changes: list[int] = []
        self._rate = rate
        self.pacer = ThreadPacer(
            threads, self.changes.append, lambda: float(self.busy), cores=cores
        )
        self.pacer.begin(self.now)

    def run(self, seconds: float, busy: int) -> float:
        """Tokens per second."""
        self.busy = busy
        start, tokens = self.now, 0
        while self.now - start < seconds:
            self.now += 1 / self._rate(busy, self.pacer.threads)
            self.pacer.token(self.now)
            tokens += 1
        return tokens / (self.now - start)


def on_two_cores(busy: int = 0) -> Played:
    return Played(2, 2, lambda busy, threads: TWO_CORES[busy][threads], busy)


def test_an_idle_machine_is_left_alone() -> None:
    played = on_two_cores()
    assert played.run(60, busy=0) == pytest.approx(110, rel=0.01)
    assert played.changes == []


@pytest.mark.parametrize("busy", [1, 2])
def test_a_busy_one_gets_fewer_threads_and_keeps_its_rate(busy: int) -> None:
    played = on_two_cores()
    played.run(5, busy=0)
    alone = TWO_CORES[busy][1]
    assert played.run(60, busy=busy) >= 0.9 * alone
    assert played.pacer.threads == 1


def test_the_threads_come_back_when_there_is_room() -> None:
    played = on_two_cores()
    played.run(5, busy=0)
    played.run(60, busy=2)
    played.run(5, busy=0)
    assert played.run(20, busy=0) >= 0.95 * 110
    assert played.pacer.threads == 2


@pytest.mark.parametrize("busy", [1, 2])
def test_one_that_is_busy_from_the_beginning_begins_with_fewer(busy: int) -> None:
    played = on_two_cores(busy)
    assert played.changes == [1]
    assert played.run(30, busy=busy) >= 0.9 * TWO_CORES[busy][1]
    played.run(5, busy=0)
    assert played.run(20, busy=0) >= 0.95 * 110


def test_many_threads_go_down_as_far_as_they_must() -> None:
    played = Played(7, 8, eight_cores)
    assert played.run(10, busy=0) == pytest.approx(70, rel=0.02)
    assert played.run(60, busy=3) >= 0.7 * 50
    assert played.pacer.threads in (4, 5)
    played.run(10, busy=0)
    assert played.run(30, busy=0) >= 0.9 * 70


def test_a_machine_that_only_became_slower_keeps_its_threads() -> None:
    slow = {0: 1.0, 1: 0.4}
    played = Played(4, 8, lambda busy, threads: threads * 10.0 * slow[busy])
    played.run(10, busy=0)
    played.run(60, busy=1)
    assert played.pacer.threads == 4
    assert len(played.changes) == 2, "tried once and taken back"


def test_a_longer_context_is_no_reason() -> None:
    played = Played(2, 2, lambda busy, threads: 100.0)
    for step in range(200):
        played._rate = lambda busy, threads, step=step: 100.0 / (1 + step / 50)  # type: ignore[misc]
        played.run(1, busy=0)
    assert played.changes == []


def test_one_thread_stays_one() -> None:
    played = Played(1, 2, lambda busy, threads: 80.0 if busy == 0 else 1.0)
    played.run(5, busy=0)
    played.run(20, busy=1)
    assert played.changes == []


def test_a_pause_between_answers_is_no_slowness() -> None:
    played = on_two_cores()
    played.run(5, busy=0)
    played.now += 500
    played.pacer.begin(played.now)
    played.run(5, busy=0)
    assert played.changes == []


def test_what_others_take_leaves_ourselves_out() -> None:
    others = Others()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert others.busy_cores() < 64
    assert others.busy_cores() >= 0.0


def test_the_real_engine_tells_how_many_threads_wrote(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_sliding_window_model(path)
    file = model_file(str(path), path.stat().st_size)
    engine = Engine()
    order = load_order(file, plan=Plan(256, n_threads=2))
    engine.load(clearance_for(file), order, CancelToken())
    done = engine.chat(
        (ChatMessage("user", "Hi"),), Sampling(max_tokens=40), CancelToken(), lambda *_: None
    )
    assert done.n_threads in (1, 2)
    engine.close()

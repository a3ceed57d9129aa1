"""How long a stop takes while a model is loaded, a prompt is read, an answer is written; and what
memory an unload leaves.

Run by name: `pytest -m benchmark tests/benchmarks/stopping.py -s`. A stop is acknowledged when
`cancel` has returned, which is what a click does; it is over when the engine takes the next job.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Plan, Sampling
from openshelf.errors import CancelledByUser
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file

pytestmark = [pytest.mark.benchmark, pytest.mark.model, pytest.mark.timeout(1800)]

ROUNDS = 15
MOST_ACKNOWLEDGED, MOST_STOPPED = 0.1, 0.5
MOST_LEFT_BYTES = 30_000_000
UNLOADS = 5
PLAN = Plan(8192, use_mmap=False)
LONG = ChatMessage("user", "word " * 7000)
STORY = ChatMessage("user", "Tell me a very long story about a lighthouse and its keeper.")
ENDLESS = Sampling(temperature=1.0, max_tokens=4000, seed=1, min_p=0.0, top_p=1.0)

Begin = Callable[[CancelToken, Callable[[], None]], None]


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.devices()
    yield engine
    engine.close()


def load(engine: Engine, path: Path, cancel: CancelToken, begun: Callable[[], None]) -> None:
    file = model_file(str(path), path.stat().st_size)
    engine.load(clearance_for(file), load_order(file, plan=PLAN), cancel, lambda _: begun())


def stopped(begin: Begin) -> tuple[float, float]:
    """Seconds until `cancel` returned, and until the job was over."""
    cancel, begun, moments = CancelToken(), threading.Event(), []

    def click() -> None:
        assert begun.wait(120)
        moments.append(time.perf_counter())
        cancel.cancel()
        moments.append(time.perf_counter())

    thread = threading.Thread(target=click)
    thread.start()
    begin(cancel, begun.set)
    ended = time.perf_counter()
    thread.join()
    return moments[1] - moments[0], ended - moments[0]


def say(name: str, pairs: list[tuple[float, float]]) -> None:
    acknowledged, over = zip(*pairs, strict=True)
    print(  # noqa: T201
        f"\n{name:10} acknowledged at most {max(acknowledged) * 1000:.1f} ms; stopped after "
        f"{statistics.median(over) * 1000:.0f} ms, at most {max(over) * 1000:.0f} ms "
        f"({len(pairs)} rounds, load {os.getloadavg()[0]:.1f})",
        end="",
    )
    assert max(acknowledged) <= MOST_ACKNOWLEDGED
    assert max(over) <= MOST_STOPPED


def test_stop_during_load_prompt_and_answer(engine: Engine, starter_model: Path) -> None:
    def loading(cancel: CancelToken, begun: Callable[[], None]) -> None:
        with pytest.raises(CancelledByUser):
            load(engine, starter_model, cancel, begun)

    def reading(cancel: CancelToken, begun: Callable[[], None]) -> None:
        done = engine.chat([LONG], ENDLESS, cancel, lambda text, count: None, lambda _: begun())
        assert (done.finish_reason, done.completion_tokens) == ("cancelled", 0)

    def writing(cancel: CancelToken, begun: Callable[[], None]) -> None:
        done = engine.chat([STORY], ENDLESS, cancel, lambda text, count: begun())
        assert done.finish_reason == "cancelled"
        assert done.completion_tokens > 0

    pid = engine.pid
    say("load", [stopped(loading) for _ in range(ROUNDS)])
    load(engine, starter_model, CancelToken(), lambda: None)
    say("answer", [stopped(writing) for _ in range(ROUNDS)])
    say("prompt", [stopped(_different(engine, reading)) for _ in range(ROUNDS)])
    assert engine.pid == pid, "no stop cost a worker"


def _different(engine: Engine, begin: Begin) -> Begin:
    """Something else in the context first, so that the prompt is read anew."""
    sampling = Sampling(temperature=0, max_tokens=1)
    engine.chat([STORY], sampling, CancelToken(), lambda text, count: None)
    return begin


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc")
def test_memory_after_each_unload(engine: Engine, starter_model: Path) -> None:
    before = _resident(engine.pid)
    grown = []
    for _ in range(UNLOADS):
        load(engine, starter_model, CancelToken(), lambda: None)
        engine.chat([STORY], Sampling(max_tokens=32), CancelToken(), lambda text, count: None)
        engine.unload()
        grown.append(_resident(engine.pid) - before)
    shown = " ".join(f"{size / 1e6:+.1f}" for size in grown)
    print(f"\nmemory after {UNLOADS} unloads, above that before the first load: {shown} MB")  # noqa: T201
    assert max(grown) <= MOST_LEFT_BYTES


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024

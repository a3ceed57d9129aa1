"""Answers on a busy machine: threads that adapt, beside a fixed number of them.

Run by name on an idle machine: `pytest -m benchmark tests/benchmarks/busy_threads.py -s`. As many
threads as there are cores, beside 0, 1 and 2 programs that keep a core each busy; the fixed ones
are a bare decode loop. Rounds are interleaved; printed are medians.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import ChatMessage, Plan, Sampling
from openshelf.engine.worker_threads import available_cores
from openshelf.tasks import CancelToken
from tests.benchmarks import generation
from tests.benchmarks.generation import BareLoop, say
from tests.fakes.engine import clearance_for, load_order, model_file

pytestmark = [pytest.mark.benchmark, pytest.mark.model, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("OPENSHELF_ROUNDS", "3"))
TOKENS = int(os.environ.get("OPENSHELF_TOKENS", "256"))
THREADS = available_cores()
BUSY = (0, 1, 2)
PROMPT = (ChatMessage("user", "Tell me a very long story about a lighthouse and its keeper."),)
LEAST_OF_ONE = 0.8
"""Of what one thread alone reaches beside the same programs."""


@contextlib.contextmanager
def busy_programs(count: int) -> Iterator[None]:
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def loaded(path: Path, threads: int) -> Engine:
    engine = Engine()
    file = model_file(str(path), path.stat().st_size)
    order = load_order(file, plan=Plan(4096, n_threads=threads))
    engine.load(clearance_for(file), order, CancelToken())
    answer(engine, 64)
    return engine


def answer(engine: Engine, tokens: int) -> tuple[float, int]:
    """Tokens per second, and how many threads wrote the end."""
    sampling = Sampling(temperature=0, max_tokens=tokens)
    done = engine.chat(PROMPT, sampling, CancelToken(), lambda text, count: None)
    return done.decode_tokens_per_second, done.n_threads


def test_threads_beside_busy_programs(starter_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "PLAN", dataclasses.replace(generation.PLAN, n_threads=THREADS))
    paced, single = loaded(starter_model, THREADS), loaded(starter_model, 1)
    bare = BareLoop(starter_model)
    prompt = bare.prompt(PROMPT)
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for busy in BUSY:
            with busy_programs(busy):
                for name, engine in (("paced", paced), ("one", single)):
                    rate, threads = answer(engine, TOKENS)
                    found.setdefault((name, busy), []).append(rate)
                    if name == "paced":
                        found.setdefault(("threads", busy), []).append(threads)
                bare.clear()
                # Fewer tokens: beside two programs each may take seconds.
                rate = bare.time(prompt, max(16, TOKENS // 8)).per_second
                found.setdefault(("fixed", busy), []).append(rate)
    for busy in BUSY:
        median = {name: statistics.median(found[name, busy])
                  for name in ("paced", "one", "fixed", "threads")}  # fmt: skip
        say(
            f"{busy} busy: {THREADS} threads fixed {median['fixed']:.1f} tokens/s, adapting "
            f"{median['paced']:.1f} (ends with {median['threads']:.0f}), one {median['one']:.1f}"
        )
    for engine in (paced, single):
        engine.close()
    bare.model.close()
    for busy in BUSY[1:]:
        share = statistics.median(found["paced", busy]) / statistics.median(found["one", busy])
        say(f"beside {busy}: {share:.2f} of one thread alone")
        assert share >= LEAST_OF_ONE

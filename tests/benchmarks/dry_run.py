"""How long a dry run takes, with a worker to be started and with one that is up.

Run by name: `pytest -m benchmark tests/benchmarks/dry_run.py -s`. Prints medians and 95th
percentiles over the sixteen recorded headers, and what it ran on.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import Plan
from openshelf.gguf.header import Header, read_header
from openshelf.gguf.shadow import shadow_file

pytestmark = pytest.mark.benchmark
HEADERS = Path(__file__).parents[1] / "data" / "headers"
PLAN = Plan(context_length=8192, n_threads=1)
ROUNDS = 3
MOST_COLD, MOST_WARM = 500, 60
"""Milliseconds for 95 %."""


def timed(engine: Engine, header: Header, inside: list[float] | None = None) -> float:
    """Milliseconds from the header to the figures, the shadow included; `inside` gets those of
    llama.cpp's own calls, below which nothing could be."""
    started = time.perf_counter()
    with shadow_file(header) as shadow:
        result = engine.dry_run(shadow, PLAN)
    if inside is not None:
        inside.append(result.seconds * 1000)
    return (time.perf_counter() - started) * 1000


def p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95) - 1]


def show(name: str, values: list[float]) -> None:
    print(  # noqa: T201
        f"dry run, {name:15} median {statistics.median(values):6.0f} ms, "
        f"p95 {p95(values):6.0f} ms, worst {max(values):6.0f} ms ({len(values)} runs)"
    )


def test_a_dry_run_takes_a_moment() -> None:
    index = json.loads((HEADERS / "index.json").read_text("utf-8"))
    headers = [
        read_header(HEADERS / f"{name}.gguf.header", file_bytes=facts["file_bytes"])
        for name, facts in index.items()
    ]
    cold = []
    for header in headers:
        engine = Engine()
        cold.append(timed(engine, header))
        engine.close()
    engine = Engine()
    timed(engine, headers[0])
    inside: list[float] = []
    warm = [timed(engine, header, inside) for _ in range(ROUNDS) for header in headers]
    engine.close()
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores")  # noqa: T201
    show("worker to start", cold)
    show("worker up", warm)
    show("llama.cpp alone", inside)
    assert p95(cold) <= MOST_COLD
    assert p95(warm) <= MOST_WARM

"""How long a dry run takes, with a worker to be started and with one that is up.

    python -m tests.benchmarks.dry_run

Prints medians and 95th percentiles over the sixteen recorded headers, and what it ran on.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from pathlib import Path

from openshelf.engine.process import Engine
from openshelf.engine.protocol import Plan
from openshelf.gguf.header import Header, read_header
from openshelf.gguf.shadow import shadow_file

HEADERS = Path(__file__).parents[1] / "data" / "headers"
PLAN = Plan(context_length=8192, n_threads=1)
ROUNDS = 3


def timed(engine: Engine, header: Header) -> float:
    """Milliseconds from the header to the figures, the shadow included."""
    started = time.perf_counter()
    with shadow_file(header) as shadow:
        engine.dry_run(shadow, PLAN)
    return (time.perf_counter() - started) * 1000


def show(name: str, values: list[float]) -> None:
    p95 = sorted(values)[int(len(values) * 0.95) - 1]
    print(  # noqa: T201
        f"{name:5} median {statistics.median(values):6.0f} ms, p95 {p95:6.0f} ms, "
        f"worst {max(values):6.0f} ms ({len(values)} runs)"
    )


def main() -> None:
    index = json.loads((HEADERS / "index.json").read_text("utf-8"))
    headers = [
        read_header(HEADERS / f"{name}.gguf.header", file_bytes=facts["file_bytes"])
        for name, facts in index.items()
    ]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")  # noqa: T201
    cold = []
    for header in headers:
        engine = Engine()
        cold.append(timed(engine, header))
        engine.close()
    engine = Engine()
    timed(engine, headers[0])
    warm = [timed(engine, header) for _ in range(ROUNDS) for header in headers]
    engine.close()
    show("cold", cold)
    show("warm", warm)


if __name__ == "__main__":
    main()

"""The engine's dry run against what a real load allocates, to the byte, printed as a table.

Run by name: `pytest -m benchmark tests/benchmarks/allocations.py -s`. Real headers get holes for
weights and are loaded without a mapping, so that every byte is allocated; takes up to 6 GB.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.engine.process import Engine
from openshelf.engine.protocol import DeviceBytes, Plan
from openshelf.gguf.header import read_header
from openshelf.gguf.shadow import shadow_file
from openshelf.units import MIB
from tests.engine.test_dry_run import _allocated
from tests.fit.machines import DATA, INDEX
from tests.fit.recipes import LAYERED

pytestmark = pytest.mark.benchmark
MOST_BYTES = 6_000_000_000
ROUNDED_BYTES = 0.01 * MIB
PLANS = (
    Plan(4096),
    Plan(16384, kv_type_k="q8_0", kv_type_v="q8_0", ubatch=128),
    Plan(2048, flash_attention="off", n_outputs_max=0),
)


def _files(folder: Path) -> dict[str, Path]:
    files = {name: recipe.write(folder / name) for name, recipe in LAYERED.items()}
    for name, facts in INDEX.items():
        if facts["file_bytes"] > MOST_BYTES:
            continue
        files[name] = folder / name
        files[name].write_bytes((DATA / "headers" / f"{name}.gguf.header").read_bytes())
        with files[name].open("r+b") as file:
            file.truncate(facts["file_bytes"])
    return files


def _off(engine: Engine, path: Path, truth: list[tuple[DeviceBytes, ...]]) -> tuple[int, float]:
    """Bytes by which the breakdown differs, and the worst of one buffer by the log alone."""
    by_breakdown, by_log = 0, 0.0
    with shadow_file(read_header(path)) as shadow:
        for plan, allocated in zip(PLANS, truth, strict=True):
            result = engine.dry_run(shadow, plan)
            assert result.source == "breakdown"
            for device, exact in zip(result.devices, allocated, strict=True):
                by_breakdown += abs((device.weights_bytes or 0) - (exact.weights_bytes or 0))
                by_breakdown += abs((device.kv_cache_bytes or 0) - (exact.kv_cache_bytes or 0))
                by_breakdown += abs(device.compute_buffer_bytes - exact.compute_buffer_bytes)
            logged = engine.dry_run(shadow, plan, from_log=True)
            (cpu,) = logged.devices
            by_log = max(by_log, abs(cpu.compute_buffer_bytes - allocated[0].compute_buffer_bytes))
            caches = sum(device.kv_cache_bytes or 0 for device in allocated)
            by_log = max(by_log, abs(logged.kv_cache_bytes - caches))
    return by_breakdown, by_log


@pytest.mark.timeout(1800)
def test_dry_run_against_real_allocations(tmp_path: Path) -> None:
    engine, lines, architectures = Engine(), [], set()
    worst = 0
    for name, path in _files(tmp_path).items():
        truth = [_allocated([(path, plan)])[0] for plan in PLANS]
        off, by_log = _off(engine, path, truth)
        architectures.add(read_header(path).architecture)
        worst = max(worst, off)
        lines.append(f"{name:24} {len(PLANS)} plans: {off} bytes, {by_log / MIB:.3f} MiB by log")
        assert by_log <= ROUNDED_BYTES
        path.unlink()
    engine.close()
    summary = f"{len(architectures)} architectures, {len(lines)} models: {worst} bytes at worst"
    print("", *lines, summary, sep="\n")  # noqa: T201
    assert len(architectures) >= 12
    assert worst == 0

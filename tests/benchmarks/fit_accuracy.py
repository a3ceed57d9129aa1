"""How near the estimate comes to llama.cpp's own allocations, printed as a table.

Run by name: `pytest -m benchmark tests/benchmarks/fit_accuracy.py -s`. The records are
tests/data/fit_truth*.tsv (GPUs by RPC servers); the CPU's figures are asked of
the installed engine. The dry run's own figures, what it takes and what a header costs stand in
modules beside this one and run along; really allocating whole models takes some minutes.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openshelf.fit.memory import (
    FitRequest,
    ModelShape,
    PlacedDevice,
    Placement,
    estimate,
    shape_from_header,
)
from openshelf.gguf.header import read_header
from openshelf.units import GIB, MIB
from tests.benchmarks.allocations import (
    test_dry_run_against_real_allocations as test_dry_run_against_real_allocations,
)
from tests.benchmarks.dry_run import (
    test_a_dry_run_takes_a_moment as test_a_dry_run_takes_a_moment,
)
from tests.fit.machines import DATA, INDEX, shape_of
from tests.fit.recipes import LAYERED
from tests.fit.records import Record, read_records, read_shape_records
from tests.fit.shaped import write_shapes
from tests.fit.test_installed_engine import ask_engine
from tests.fit.test_truth import TRUTH, Truth
from tests.fit.written import recorded_models, written_models

pytestmark = pytest.mark.benchmark
SPLIT_SETS = ("truth_part", "truth_2gpu")
ESTIMATES = 1000
SECONDS_FOR_ESTIMATES = 0.05
CARDS = [step * GIB // 4 for step in range(8, 97 * 4)]
REQUESTS = [
    FitRequest(context, kv, kv, ubatch=ubatch, flash_attention="on")
    for context, kv, ubatch in itertools.product(
        (2048, 8192, 32768, 131072), ("f16", "q8_0", "q4_0"), (128, 512, 2048)
    )
]
ROUNDED_MIB = 0.01


@dataclass
class Row:
    """One line of the table: errors of totals, and bytes by which exact parts differ."""

    name: str
    errors: list[float] = field(default_factory=list)
    exact_bytes: float = 0

    def __str__(self) -> str:
        sizes = sorted(abs(error) for error in self.errors)
        return (
            f"{self.name:34} n {len(sizes):5}  median {statistics.median(sizes):7.3%}  "
            f"p95 {self.p95:7.3%}  worst {sizes[-1]:7.3%}  lowest {min(self.errors):+8.3%}  "
            f"weights and KV {self.exact_bytes:.0f} bytes"
        )

    @property
    def p95(self) -> float:
        return sorted(abs(error) for error in self.errors)[int(0.95 * len(self.errors))]

    @property
    def worst(self) -> float:
        return max(abs(error) for error in self.errors)


def _row(name: str, rows: Iterable[Truth]) -> Row:
    row = Row(name)
    for truth in rows:
        row.errors.extend(truth.errors())
        for device, (weights, kv_cache, _) in zip(truth.estimate(), truth.buffers, strict=True):
            row.exact_bytes += abs(device.weights_bytes - weights)
            row.exact_bytes += abs(device.kv_cache_bytes - kv_cache)
    return row


def _print(*lines: object) -> None:
    print("", *lines, sep="\n")  # noqa: T201


def test_estimate_against_the_records() -> None:
    full = _row("full offload and CPU", (t for t in TRUTH if t.set_name not in SPLIT_SETS))
    split = _row("partial offload, two devices", (t for t in TRUTH if t.set_name in SPLIT_SETS))
    models = [_row(f"  {name}", (t for t in TRUTH if t.model == name)) for name in INDEX]
    _print(full, split, *models)
    assert full.exact_bytes == split.exact_bytes == 0
    assert statistics.median(map(abs, full.errors)) <= 0.001
    assert full.p95 <= 0.01
    assert full.worst <= 0.03
    assert split.p95 <= 0.02
    assert split.worst <= 0.05


def test_nothing_fits_that_does_not() -> None:
    """Each record against cards of 2 to 96 GiB, each device for itself, less nothing."""
    wrong_yes = wrong_no = answers = 0
    for truth in TRUTH:
        for device, buffers in zip(truth.estimate(), truth.buffers, strict=True):
            needed = device.total_bytes - device.overhead_bytes
            for card in CARDS:
                answers += 1
                wrong_yes += needed <= card < sum(buffers)
                wrong_no += sum(buffers) <= card < needed
    _print(f"false fits {wrong_yes}, false refusals {wrong_no}, of {answers} answers")
    assert wrong_yes == 0
    assert wrong_no <= 0.02 * answers


def _ask(row: Row, path: Path, requests: Sequence[FitRequest]) -> None:
    shape = shape_from_header(read_header(path))
    for request, (kv_cache, compute) in zip(requests, ask_engine(path, requests), strict=True):
        (cpu,) = estimate(shape, request, Placement())
        difference = abs(cpu.kv_cache_bytes / MIB - kv_cache)
        row.exact_bytes += difference * MIB if difference > ROUNDED_MIB else 0
        truth = cpu.weights_bytes + (kv_cache + compute) * MIB
        row.errors.append((cpu.compute_buffer_bytes - compute * MIB) / truth)


def test_estimate_against_the_installed_engine(tmp_path: Path) -> None:
    real, written = Row("16 headers on the CPU"), Row("written headers on the CPU")
    each = []
    for name, index in INDEX.items():
        path = tmp_path / name
        path.write_bytes((DATA / "headers" / f"{name}.gguf.header").read_bytes())
        with path.open("r+b") as file:
            file.truncate(index["file_bytes"])
        each.append(Row(f"  {name}"))
        _ask(each[-1], path, REQUESTS)
        real.errors += each[-1].errors
        real.exact_bytes += each[-1].exact_bytes
    for name, recipe in LAYERED.items():
        each.append(Row(f"  {name}"))
        _ask(each[-1], recipe.write(tmp_path / name), REQUESTS)
        written.errors += each[-1].errors
        written.exact_bytes += each[-1].exact_bytes
    _print(real, written, *each)
    assert real.exact_bytes == written.exact_bytes == 0
    assert statistics.median(map(abs, real.errors)) <= 0.001
    assert real.p95 <= 0.01
    assert real.worst <= 0.03
    assert written.p95 <= 0.01
    assert written.worst <= 0.03
    assert min(real.errors + written.errors) >= -0.002


def _record_row(name: str, rows: Iterable[Record], shapes: Mapping[str, ModelShape]) -> Row:
    row = Row(name)
    for record in rows:
        for device, truth in record.pairs(shapes):
            row.exact_bytes += abs(device.weights_bytes - truth[0])
            row.exact_bytes += abs(device.kv_cache_bytes - truth[1])
            ours = device.total_bytes - device.overhead_bytes
            row.errors.append((ours - sum(truth)) / max(sum(truth), 1))
    return row


def test_estimate_against_pretended_gpus(tmp_path: Path) -> None:
    """Real and written headers alike. The written ones have so few layers that they are mostly
    compute buffer; what state layers lose between blocks in a pipeline is a bound."""
    models = [*recorded_models(), *written_models()]
    shapes = {m.name: shape_from_header(read_header(m.write(tmp_path / m.name))) for m in models}
    records = [record for record in read_records() if shapes[record.model].known]
    real = [record for record in records if record.model in INDEX]
    sets = ("cpu", "full", "partial", "two", "alone", "experts")
    rows = {
        name: _record_row(f"16 headers: {name}", (r for r in real if r.set_name == name), shapes)
        for name in sets
    }
    others = {
        name: _record_row(
            f"written: {name}",
            (r for r in records if r.set_name == name and r.model not in INDEX),
            shapes,
        )
        for name in sets
    }
    _print(*rows.values(), *others.values())
    assert sum(row.exact_bytes for row in (*rows.values(), *others.values())) == 0
    wrong_yes = sum(
        device.total_bytes - device.overhead_bytes <= card < sum(truth)
        for record in records
        for device, truth in record.pairs(shapes)
        for card in CARDS
    )
    assert wrong_yes == 0
    for full in (rows["full"], others["full"]):
        assert statistics.median(map(abs, full.errors)) <= 0.001
        assert full.p95 <= 0.01
        assert full.worst <= 0.03
    split = [error for name in ("partial", "two", "alone") for error in rows[name].errors]
    assert sorted(map(abs, split))[int(0.95 * len(split))] <= 0.01
    assert max(split) <= 0.06
    assert min(split) >= -0.001
    assert min(min(others[name].errors) for name in ("partial", "two", "alone")) >= -0.02


def test_estimate_against_the_catalogs_shapes(tmp_path: Path) -> None:
    """Models of every graph in their real size, on pretended GPUs, in each way of parting them."""
    written = write_shapes(tmp_path)
    shapes = {name: shape_from_header(read_header(path)) for name, path in written.items()}
    records = read_shape_records()
    sets = ("cpu", "full", "partial", "two", "experts")
    rows = [
        _record_row(f"catalog: {name}", (r for r in records if r.set_name == name), shapes)
        for name in sets
    ]
    _print(*rows)
    assert sum(row.exact_bytes for row in rows) == 0
    assert min(error for row in rows for error in row.errors) >= -0.003


def test_a_thousand_estimates_take_a_twentieth_of_a_second() -> None:
    """Rows that are reckoned again for another context, and, printed beside it, the first time."""
    headers = [shape_of(name) for name in INDEX]
    placement = Placement((PlacedDevice("gpu", "gpu"),), 99)
    first, again = 1.0, 1.0
    for _ in range(5):
        rows = itertools.islice(itertools.cycle(headers), ESTIMATES)
        shapes = [dataclasses.replace(shape) for shape in rows]  # without what an estimate keeps
        first = min(first, _seconds(shapes, FitRequest(), placement))
        again = min(again, _seconds(shapes, FitRequest(16384), placement))
    _print(f"{ESTIMATES} estimates in {again * 1e3:.1f} ms, the first time {first * 1e3:.1f} ms")
    assert again <= SECONDS_FOR_ESTIMATES


def _seconds(shapes: Iterable[ModelShape], request: FitRequest, placement: Placement) -> float:
    start = time.thread_time()
    for shape in shapes:
        estimate(shape, request, placement)
    return time.thread_time() - start

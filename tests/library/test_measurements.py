"""What loads and answers took: put beside the prediction, kept, logged, combined."""

from __future__ import annotations

import dataclasses
import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.engine.protocol import DeviceBytes, Plan
from openshelf.fit.memory import DeviceMemory
from openshelf.hardware.facts import LearnedRate
from openshelf.library import measurements
from openshelf.library.installed import InstalledFile
from openshelf.library.measurements import (
    ComponentMemory,
    LoadMeasurement,
    MeasuredRun,
    compare,
    totals,
    warn_of_differences,
)
from openshelf.library.schema import LIBRARY
from openshelf.library.store import Library
from tests.conftest import ExpectedLogs
from tests.library.test_store import place_file, register

MIB = 1 << 20
CPU = DeviceMemory("CPU", "cpu", "ram", 300 * MIB, 0, 20 * MIB, overhead_bytes=90 * MIB)
GPU = DeviceMemory("gpu:0", "gpu", "gpu:0", 4000 * MIB, 500 * MIB, 100 * MIB)
NAMES = {"gpu:0": "CUDA0"}
PLAN = Plan(
    8192, n_gpu_layers=33, kv_type_k="q8_0", tensor_split=(3.0, 1.0), needed_bytes={"ram": 5}
)
FILE = InstalledFile("q4/m-Q4_K_M.gguf", "/home/someone/models/m-Q4_K_M.gguf", 123, "ab" * 32)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path / "library.sqlite3", tmp_path / "models")
    yield opened
    opened.close()


def load(*components: ComponentMemory, number: int = 0, model_id: str = "m") -> LoadMeasurement:
    return LoadMeasurement(
        model_id, f"2026-11-25T00:00:{number:02}Z", "llama.cpp 1", "llama", "breakdown", PLAN,
        components or (ComponentMemory("CPU", "weights", 100, 100),),
    )  # fmt: skip


# --- side by side -------------------------------------------------------------------------------


def test_prediction_and_measurement_side_by_side() -> None:
    told = (
        DeviceBytes("CPU", None, 0, 21 * MIB),
        DeviceBytes("CUDA0", 4000 * MIB, 500 * MIB, 90 * MIB),
    )
    rows = compare((CPU, GPU), told, NAMES)
    assert rows == (
        ComponentMemory("CPU", "weights", 300 * MIB, None),
        ComponentMemory("CPU", "compute_buffer", 20 * MIB, 21 * MIB),
        ComponentMemory("gpu:0", "weights", 4000 * MIB, 4000 * MIB),
        ComponentMemory("gpu:0", "kv_cache", 500 * MIB, 500 * MIB),
        ComponentMemory("gpu:0", "compute_buffer", 100 * MIB, 90 * MIB),
    )
    assert [row.difference for row in rows] == [None, pytest.approx(0.05), 0.0, 0.0, -0.1]
    assert totals(rows) == (
        ComponentMemory("CPU", "total", 320 * MIB, 321 * MIB),
        ComponentMemory("gpu:0", "total", 4600 * MIB, 4590 * MIB),
    )


def test_a_device_that_nothing_was_predicted_for_stands_there_too() -> None:
    rows = compare((CPU,), (DeviceBytes("CUDA1", 0, 0, 50 * MIB),), {})
    assert rows[-1] == ComponentMemory("CUDA1", "compute_buffer", 0, 50 * MIB)
    assert rows[-1].difference is None
    assert rows[-1].is_off
    assert rows[0] == ComponentMemory("CPU", "weights", 300 * MIB, 0), "nothing was found there"


@pytest.mark.parametrize(
    ("predicted", "measured", "is_off"),
    [
        (1000 * MIB, 1050 * MIB, False),
        (1000 * MIB, 1051 * MIB, True),
        (1000 * MIB, 949 * MIB, True),
        (10 * MIB, 14 * MIB, False),
        (10 * MIB, 14 * MIB + 1, True),
        (0, 4 * MIB, False),
        (1000 * MIB, None, False),
    ],
)
def test_what_counts_as_far_off(predicted: int, measured: int | None, *, is_off: bool) -> None:
    assert ComponentMemory("CPU", "weights", predicted, measured).is_off is is_off


# --- the log ------------------------------------------------------------------------------------


def test_a_difference_is_logged_with_all_it_takes_to_repeat_it(
    caplog: pytest.LogCaptureFixture, expected_logs: ExpectedLogs
) -> None:
    expected_logs("a load took other memory than predicted")
    parts = (
        ComponentMemory("CPU", "weights", 300 * MIB, 300 * MIB),
        ComponentMemory("gpu:0", "compute_buffer", 100 * MIB, 110 * MIB),
    )
    hostile = dataclasses.replace(load(*parts), architecture="x\nERROR fake line " + "y" * 500)
    warn_of_differences(hostile, (FILE,))
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    text = record.getMessage()
    report = json.loads(text.partition("predicted: ")[2])
    assert report["off"] == ["gpu:0 compute_buffer", "gpu:0 total"]
    assert report["engine"] == "llama.cpp 1"
    assert report["files"] == [{"name": "m-Q4_K_M.gguf", "size_bytes": 123, "sha256": "ab" * 32}]
    assert report["plan"]["n_gpu_layers"] == 33
    assert report["plan"]["kv_type_k"] == "q8_0"
    assert report["components"][1]["measured_bytes"] == 110 * MIB
    assert "someone" not in text
    assert "\n" not in text
    assert len(report["architecture"]) == 100


def test_small_differences_that_add_up_are_logged_too(expected_logs: ExpectedLogs) -> None:
    """None of them is 5 % or 4 MiB off, all together are."""
    expected_logs("a load took other memory than predicted")
    parts = tuple(
        ComponentMemory("CPU", name, 20 * MIB, 24 * MIB)
        for name in ("weights", "kv_cache", "compute_buffer")
    )
    assert not any(part.is_off for part in parts)
    warn_of_differences(load(*parts), ())


def test_what_was_foreseen_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_differences(load(ComponentMemory("CPU", "weights", 100 * MIB, 103 * MIB)), (FILE,))
    assert caplog.records == []


# --- kept ---------------------------------------------------------------------------------------


def test_loads_are_kept_whole_and_the_newest_comes_first(library: Library, tmp_path: Path) -> None:
    parts = compare((CPU, GPU), (DeviceBytes("CUDA0", 4000 * MIB, None, 100 * MIB),), NAMES)
    parts = tuple(dataclasses.replace(p, measured_bytes=p.predicted_bytes) for p in parts[:-1])
    first, second = load(number=1), load(*parts, number=2)
    library.keep_load(first)
    library.keep_load(second)
    library.keep_load(load(model_id="other"))
    assert library.measurements("m") == (second, first)
    again = Library(tmp_path / "library.sqlite3", tmp_path / "models")
    assert again.measurements("m") == (second, first)
    assert again.measurements("unknown") == ()
    again.close()


def test_only_the_latest_loads_of_a_model_are_kept(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurements, "KEPT_LOADS", 3)
    library.keep_load(load(model_id="other"))
    for number in range(5):
        library.keep_load(load(number=number))
    assert [kept.measured_at[-3:-1] for kept in library.measurements("m")] == ["04", "03", "02"]
    assert len(library.measurements("other")) == 1
    rows = library._database.read("SELECT count(*) FROM measured_components")
    assert rows == [(4,)], "the parts go with their load"


def test_a_removed_model_leaves_no_loads_behind(library: Library, tmp_path: Path) -> None:
    model = register(library, place_file(tmp_path / "models", "a.gguf", b"a"))
    assert library.find(model.id).last_used_at is None
    library.keep_load(load(model_id=model.id))
    assert library.find(model.id).last_used_at == "2026-11-25T00:00:00Z"
    library.remove(model.id)
    assert library.measurements(model.id) == ()


def test_a_library_of_the_version_before_gets_the_new_tables(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(f"{LIBRARY.migrations[0]} PRAGMA user_version = 1;")
    old.execute("INSERT INTO placed VALUES ('/models/x')")
    old.commit()
    old.close()
    library = Library(path, tmp_path / "models")
    assert library.problem is None
    assert library.was_placed(Path("/models/x"))
    library.keep_load(load())
    assert len(library.measurements("m")) == 1
    library.close()


# --- speeds -------------------------------------------------------------------------------------


def run(
    speed: float, reached: float | None = None, *, model_id: str = "m", **key: object
) -> MeasuredRun:
    rate = LearnedRate("Ryzen", "cpu", "llama.cpp 1", 7, reached, None, 1)
    return MeasuredRun(
        model_id, "2026-11-25T00:00:00Z", 0, speed,
        None if reached is None else dataclasses.replace(rate, **key),  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_device_has_the_median_of_its_latest_answers(library: Library) -> None:
    assert library.learned_rates() == ()
    for reached in (11e9, 12e9, 13e9):
        library.keep_run(run(20, reached, operations_per_second=reached * 4))
    (rate,) = library.learned_rates()
    assert rate == LearnedRate("Ryzen", "cpu", "llama.cpp 1", 7, 12e9, 48e9, 3)


def test_a_busy_machine_for_a_while_changes_little(library: Library) -> None:
    for reached in (12e9, 12.1e9, 11.9e9, 12e9, 12.2e9, 0.4e9, 0.5e9, 0.3e9, 0.6e9):
        library.keep_run(run(reached / 600e6, reached))
    (rate,) = library.learned_rates()
    assert rate.bytes_per_second == 11.9e9


def test_what_lasts_is_learned_in_the_end(library: Library) -> None:
    for reached in [12e9] * 20 + [6e9] * 5:
        library.keep_run(run(20, reached))
    (rate,) = library.learned_rates()
    assert rate.bytes_per_second == 6e9
    assert rate.runs == 9


def test_a_new_engine_begins_anew_and_devices_are_told_apart(library: Library) -> None:
    library.keep_run(run(20, 12e9))
    library.keep_run(run(20, 30e9, n_threads=15))
    library.keep_run(run(90, 400e9, device="GeForce", kind="cuda", n_threads=0))
    library.keep_run(run(20, 14e9, engine_version="llama.cpp 2"))
    rates = {(r.kind, r.n_threads): r for r in library.learned_rates()}
    assert {key: rate.bytes_per_second for key, rate in rates.items()} == {
        ("cpu", 7): 14e9,
        ("cpu", 15): 30e9,
        ("cuda", 0): 400e9,
    }
    assert rates["cpu", 7].engine_version == "llama.cpp 2"


def test_runs_do_not_pile_up(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "KEPT_RUNS", 10)
    for _ in range(15):
        library.keep_run(run(20, 12e9))
        library.keep_run(run(20))
    assert library._database.read("SELECT count(*) FROM runs") == [(20,)]


def test_a_models_own_speed_is_the_median_on_the_same_devices(
    library: Library, tmp_path: Path
) -> None:
    model = register(library, place_file(tmp_path / "models", "a.gguf", b"a"))
    for speed in (20.0, 21.0, 0.6):
        library.keep_run(run(speed, 12e9, model_id=model.id))
    assert library.find(model.id).decode_tokens_per_second == 20.0
    on_gpu = dataclasses.replace(
        run(95.0, 400e9, model_id=model.id, kind="cuda", n_threads=0), n_gpu_layers=33
    )
    library.keep_run(on_gpu)
    found = library.find(model.id)
    assert found.decode_tokens_per_second == 95.0, "the processor's are another matter"
    assert found.last_used_at == on_gpu.measured_at

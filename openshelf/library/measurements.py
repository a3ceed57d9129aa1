"""What loads and answers on this machine really took, beside what was predicted.

Loads are kept per model and component, speeds per device; both only as the latest of many.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import logging
import sqlite3
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from openshelf.database import Database
from openshelf.engine.protocol import DeviceBytes, Plan
from openshelf.fit.memory import DeviceMemory
from openshelf.hardware.facts import LearnedRate
from openshelf.library.installed import InstalledFile

log = logging.getLogger(__name__)

MOST_DIFFERENCE = 0.05
LEAST_DIFFERENCE_BYTES = 4 << 20
"""Nothing is said below: a small buffer may differ by much of itself and change no verdict (the
reserves are a thousand MiB), and log lines are rounded."""
KEPT_LOADS = 20
KEPT_RUNS = 50
COMBINED_RUNS = 9
"""The median of so many stands for a device: four answers on a busy machine do not move it far."""
COMBINED_RUNS_OF_MODEL = 5
_HOST = "CPU"
_MOST_TEXT = 100


class Component(enum.StrEnum):
    WEIGHTS = "weights"
    KV_CACHE = "kv_cache"
    COMPUTE_BUFFER = "compute_buffer"


@dataclass(frozen=True)
class ComponentMemory:
    """One part of a model on one device, in bytes; `measured_bytes` is None where the engine did
    not tell it. `component` is weights, kv_cache (with state) or compute_buffer."""

    device: str
    component: str
    predicted_bytes: int
    measured_bytes: int | None

    @property
    def difference(self) -> float | None:
        """Of the measured from the predicted, as a share of the predicted."""
        if self.measured_bytes is None or not self.predicted_bytes:
            return None
        return (self.measured_bytes - self.predicted_bytes) / self.predicted_bytes

    @property
    def is_off(self) -> bool:
        """Further from the prediction than it may be."""
        if self.measured_bytes is None:
            return False
        difference = abs(self.measured_bytes - self.predicted_bytes)
        floor = max(LEAST_DIFFERENCE_BYTES, MOST_DIFFERENCE * self.predicted_bytes)
        return difference > floor


@dataclass(frozen=True)
class LoadMeasurement:
    """One load. `source` is breakdown or log (engine/protocol.py, Loaded); `measured_at` is ISO."""

    model_id: str
    measured_at: str
    engine_version: str
    architecture: str
    source: str
    plan: Plan
    components: tuple[ComponentMemory, ...]


@dataclass(frozen=True)
class MeasuredRun:
    """One answer's speed in tokens per second, on so many layers of GPUs; `reached` is what it
    tells of the one device that wrote it, None where it tells nothing."""

    model_id: str
    measured_at: str
    n_gpu_layers: int
    decode_tokens_per_second: float
    reached: LearnedRate | None = None


def compare(
    predicted: Iterable[DeviceMemory], told: Sequence[DeviceBytes], names: Mapping[str, str]
) -> tuple[ComponentMemory, ...]:
    """Prediction and measurement side by side; `names` says what the engine calls each device.

    What lies on a device that none was predicted for stands there with a prediction of 0.
    """
    found = {device.device: device for device in told}
    rows: list[ComponentMemory] = []
    for device in predicted:
        name = _HOST if device.kind == "cpu" else names.get(device.device, device.device)
        expected = (device.weights_bytes, device.kv_cache_bytes, device.compute_buffer_bytes)
        rows += _rows(device.device, expected, found.pop(name, DeviceBytes(name, 0, 0, 0)))
    for name, device_bytes in found.items():
        rows += _rows(name, (0, 0, 0), device_bytes)
    return tuple(row for row in rows if row.predicted_bytes or row.measured_bytes)


def _rows(device: str, expected: tuple[int, int, int], told: DeviceBytes) -> list[ComponentMemory]:
    measured = (told.weights_bytes, told.kv_cache_bytes, told.compute_buffer_bytes)
    return [
        ComponentMemory(device, component.value, size, taken)
        for component, size, taken in zip(Component, expected, measured, strict=True)
    ]


def totals(components: Iterable[ComponentMemory]) -> tuple[ComponentMemory, ...]:
    """All components of each device together, as component `total`; what was not told counts as
    predicted, which for weights is the sum of the file's tensors."""
    sums: dict[str, tuple[int, int]] = {}
    for part in components:
        predicted, measured = sums.get(part.device, (0, 0))
        taken = part.predicted_bytes if part.measured_bytes is None else part.measured_bytes
        sums[part.device] = (predicted + part.predicted_bytes, measured + taken)
    return tuple(ComponentMemory(device, "total", *both) for device, both in sums.items())


def warn_of_differences(load: LoadMeasurement, files: Sequence[InstalledFile]) -> None:
    """Log a load that took other memory than was predicted, with all it takes to repeat it."""
    every = (*load.components, *totals(load.components))
    if not any(part.is_off for part in every):
        return
    report = {
        "off": [f"{part.device} {part.component}" for part in every if part.is_off],
        "engine": load.engine_version,
        "architecture": load.architecture[:_MOST_TEXT],
        "files": [
            {
                "name": PurePosixPath(file.path).name[:_MOST_TEXT],
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
            }
            for file in files
        ],
        "plan": dataclasses.asdict(load.plan),
        "source": load.source,
        "components": [dataclasses.asdict(part) for part in load.components],
    }
    log.warning("a load took other memory than predicted: %s", json.dumps(report))


def insert_load(connection: sqlite3.Connection, load: LoadMeasurement) -> None:
    """Keep it, and of the model's only the latest."""
    number = connection.execute(
        "INSERT INTO measurements"
        " (model_id, measured_at, engine_version, architecture, source, plan)"
        " VALUES (?,?,?,?,?,?)",
        (
            load.model_id, load.measured_at, load.engine_version, load.architecture, load.source,
            json.dumps(dataclasses.asdict(load.plan)),
        ),
    ).lastrowid  # fmt: skip
    connection.executemany(
        "INSERT INTO measured_components VALUES (?,?,?,?,?,?)",
        [
            (number, position, part.device, part.component, part.predicted_bytes,
             part.measured_bytes)
            for position, part in enumerate(load.components)
        ],
    )  # fmt: skip
    connection.execute(
        "DELETE FROM measurements WHERE model_id = ?1 AND id NOT IN"
        " (SELECT id FROM measurements WHERE model_id = ?1 ORDER BY id DESC LIMIT ?2)",
        (load.model_id, KEPT_LOADS),
    )


def read_loads(database: Database, model_id: str) -> tuple[LoadMeasurement, ...]:
    """The latest loads of a model, the newest first."""
    parts: dict[int, list[ComponentMemory]] = {}
    for number, *values in database.read(
        "SELECT measurement_id, device, component, predicted_bytes, measured_bytes"
        " FROM measured_components WHERE measurement_id IN"
        " (SELECT id FROM measurements WHERE model_id = ?) ORDER BY measurement_id, position",
        model_id,
    ):
        parts.setdefault(number, []).append(ComponentMemory(*values))
    rows = database.read(
        "SELECT id, measured_at, engine_version, architecture, source, plan FROM measurements"
        " WHERE model_id = ? ORDER BY id DESC",
        model_id,
    )
    return tuple(
        LoadMeasurement(
            model_id=model_id,
            measured_at=measured_at,
            engine_version=engine_version,
            architecture=architecture,
            source=source,
            plan=_plan(plan),
            components=tuple(parts.get(number, ())),
        )
        for number, measured_at, engine_version, architecture, source, plan in rows
    )


def _plan(text: str) -> Plan:
    known = {field.name for field in dataclasses.fields(Plan)}
    values: dict[str, Any] = {k: v for k, v in json.loads(text).items() if k in known}
    lists = {name: tuple(values.get(name, ())) for name in ("tensor_split", "devices")}
    return Plan(**{**values, **lists})


def insert_run(connection: sqlite3.Connection, run: MeasuredRun) -> float:
    """Keep it; the model's own speed now, in tokens per second: the median of its latest answers
    with the same engine on the same devices."""
    reached = run.reached or LearnedRate("", "", "")
    key = (reached.device, reached.kind, reached.engine_version, reached.n_threads)
    connection.execute(
        "INSERT INTO runs (model_id, measured_at, n_gpu_layers, decode_tokens_per_second, device,"
        " kind, engine_version, n_threads, bytes_per_second, operations_per_second)"
        " VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            run.model_id, run.measured_at, run.n_gpu_layers, run.decode_tokens_per_second, *key,
            reached.bytes_per_second, reached.operations_per_second,
        ),
    )  # fmt: skip
    connection.execute(
        "DELETE FROM runs WHERE (device, kind, engine_version, n_threads) = (?1, ?2, ?3, ?4)"
        " AND id NOT IN (SELECT id FROM runs WHERE (device, kind, engine_version, n_threads)"
        " = (?1, ?2, ?3, ?4) ORDER BY id DESC LIMIT ?5)",
        (*key, KEPT_RUNS),
    )
    rates = connection.execute(
        "SELECT decode_tokens_per_second FROM runs WHERE model_id = ? AND n_gpu_layers = ?"
        " AND (device, kind, engine_version, n_threads) = (?, ?, ?, ?) ORDER BY id DESC LIMIT ?",
        (run.model_id, run.n_gpu_layers, *key, COMBINED_RUNS_OF_MODEL),
    )
    return float(statistics.median(rate for (rate,) in rates))


def read_rates(database: Database) -> tuple[LearnedRate, ...]:
    """What each device reached: the median of its latest answers, by the engine it had last."""
    found: dict[tuple[str, str, int], list[tuple[str, float, float | None]]] = {}
    for device, kind, n_threads, *values in database.read(
        "SELECT device, kind, n_threads, engine_version, bytes_per_second, operations_per_second"
        " FROM runs WHERE bytes_per_second IS NOT NULL ORDER BY id DESC"
    ):
        found.setdefault((device, kind, n_threads), []).append(tuple(values))
    rates = []
    for (device, kind, n_threads), rows in found.items():
        version = rows[0][0]
        latest = [row for row in rows if row[0] == version]
        prompts = [row[2] for row in latest if row[2] is not None][:COMBINED_RUNS]
        rates.append(
            LearnedRate(
                device=device,
                kind=kind,
                engine_version=version,
                n_threads=n_threads,
                bytes_per_second=statistics.median(row[1] for row in latest[:COMBINED_RUNS]),
                operations_per_second=statistics.median(prompts) if prompts else None,
                runs=min(len(latest), COMBINED_RUNS),
            )
        )
    return tuple(rates)

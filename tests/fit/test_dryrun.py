"""The engine's own figures in a fit, and its refusals as answers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openshelf.engine.protocol import DeviceBytes, DryRunResult, Plan
from openshelf.errors import (
    CancelledByUser,
    CorruptModel,
    EngineDied,
    EngineFailed,
    OpenshelfError,
    OutOfMemory,
    UnsupportedArchitecture,
)
from openshelf.fit.dryrun import dry_run
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import Fit, FitVerdict, Question, fit_on
from openshelf.hardware.facts import Machine
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken
from openshelf.units import GIB
from openshelf.wording import sentence
from tests.fit.machines import DESKTOP, MAC, SMALL, TWO_GPUS, shape_of

FILE = Path("/shadow/model.gguf")


@dataclass
class ScriptedEngine:
    """Answers every dry run with `devices`, or raises."""

    devices: tuple[DeviceBytes, ...] = ()
    error: OpenshelfError | None = None
    kv_cache_bytes: int = 0
    source: str = "breakdown"
    plans: list[Plan] = field(default_factory=list)

    def dry_run(self, path: Path, plan: Plan, cancel: CancelToken | None = None) -> DryRunResult:
        assert path == FILE
        self.plans.append(plan)
        if self.error is not None:
            raise self.error
        return DryRunResult(1, self.devices, self.kv_cache_bytes, self.source, 4096, 0.01)


def joined(on: Machine) -> Machine:
    """Its GPUs as the engine's, under the engine's names."""
    gpus = tuple(
        dataclasses.replace(
            gpu, reason=Reason("gpu_used_through", {"backend": "X", "name": f"X{index}"})
        )
        for index, gpu in enumerate(on.gpus)
    )
    return dataclasses.replace(on, gpus=gpus)


def ask(engine: ScriptedEngine, on: Machine, model: str = "llama3.1-8b", **request: object) -> Fit:
    question = Question(shape_of(model), joined(on), FitRequest(**request))  # type: ignore[arg-type]
    return dry_run(question, FILE, engine)


def codes(fit: Fit) -> list[str]:
    return [reason.code for reason in fit.reasons]


def test_the_engines_figures_replace_ours() -> None:
    engine = ScriptedEngine((DeviceBytes("CPU", 5 * GIB, 2 * GIB, GIB),))
    fit = ask(engine, SMALL)
    (cpu,) = fit.devices
    assert (cpu.weights_bytes, cpu.kv_cache_bytes, cpu.compute_buffer_bytes) == (
        5 * GIB,
        2 * GIB,
        GIB,
    )
    assert fit.method == "dry-run"
    assert cpu.overhead_bytes > 0
    assert fit.pools[0].needed_bytes == cpu.total_bytes
    assert fit.plan is not None
    assert fit.plan.needed_bytes == {"ram": cpu.total_bytes}
    assert fit.verdict is FitVerdict.FITS_CPU
    assert codes(fit) == ["fit_on_cpu", "fit_confirmed"]
    # what was laid out is what will be loaded
    assert (
        dataclasses.replace(fit.plan, needed_bytes=engine.plans[0].needed_bytes)
        == (engine.plans[0])
    )


def test_a_dry_run_can_take_the_verdict_back() -> None:
    assert fit_on(shape_of("llama3.1-8b"), SMALL, FitRequest()).verdict.fits
    fit = ask(ScriptedEngine((DeviceBytes("CPU", 5 * GIB, 20 * GIB, GIB),)), SMALL)
    assert fit.verdict is FitVerdict.DOES_NOT_FIT
    assert fit.plan is None
    assert fit.remedies
    assert fit.method == "dry-run"


def test_an_architecture_that_only_the_engine_knows_gets_a_verdict() -> None:
    shape = dataclasses.replace(shape_of("llama3.1-8b"), known=False)
    question = Question(shape, SMALL, FitRequest(context_length=131072))
    assert fit_on(shape, SMALL, question.request).verdict is FitVerdict.UNKNOWN
    too_much = ScriptedEngine((DeviceBytes("CPU", 5 * GIB, 15 * GIB, GIB),))
    assert dry_run(question, FILE, too_much).verdict is FitVerdict.DOES_NOT_FIT
    fit = dry_run(question, FILE, ScriptedEngine((DeviceBytes("CPU", 5 * GIB, GIB, GIB),)))
    assert fit.verdict is FitVerdict.FITS_CPU
    assert codes(fit) == ["fit_on_cpu", "fit_confirmed"]
    assert not fit.known_architecture
    assert fit.plan is not None


def test_each_gpu_gets_its_own_figures() -> None:
    devices = (
        DeviceBytes("CPU", GIB, 0, 3),
        DeviceBytes("X1", 2 * GIB, 7, 8),
        DeviceBytes("X0", 3 * GIB, 5, 6),
    )
    fit = ask(ScriptedEngine(devices), TWO_GPUS, gpu_layers=99)
    assert [
        (d.device, d.weights_bytes, d.kv_cache_bytes, d.compute_buffer_bytes) for d in fit.devices
    ] == [("CPU", GIB, 0, 3), ("cuda0", 3 * GIB, 5, 6), ("cuda1", 2 * GIB, 7, 8)]
    needed = {pool.id: pool.needed_bytes for pool in fit.pools}
    assert needed["cuda0"] == fit.devices[1].total_bytes
    assert fit.verdict is FitVerdict.FITS_GPU


def test_one_memory_is_not_counted_twice() -> None:
    shape = shape_of("gemma3-27b")
    assert shape.tied_output
    devices = (DeviceBytes("CPU", 2 * GIB, 0, 1), DeviceBytes("X0", 12 * GIB, 1, 1))
    fit = ask(ScriptedEngine(devices), MAC, "gemma3-27b", gpu_layers=99)
    assert fit.pools[0].needed_bytes == fit.total_bytes - shape.embedding_bytes


def test_what_the_log_does_not_tell_is_reckoned() -> None:
    estimated = fit_on(shape_of("llama3.1-8b"), joined(DESKTOP), FitRequest(gpu_layers=20))
    caches = sum(device.kv_cache_bytes for device in estimated.devices)
    engine = ScriptedEngine(
        (DeviceBytes("CPU", None, None, 1000), DeviceBytes("X0", None, None, 2000)),
        kv_cache_bytes=caches,
        source="log",
    )
    fit = ask(engine, DESKTOP, gpu_layers=20)
    assert fit.method == "dry-run"
    for ours, exact, compute in zip(estimated.devices, fit.devices, (1000, 2000), strict=True):
        assert exact == dataclasses.replace(ours, compute_buffer_bytes=compute)


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (CorruptModel("/x", "refused_by_engine", "wrong shape"), "fit_engine_refuses", "wrong"),
        (EngineFailed("load_failed", "no idea"), "fit_engine_refuses", "no idea"),
        (OutOfMemory("out_of_memory", "bad_alloc"), "fit_engine_refuses", "bad_alloc"),
        (UnsupportedArchitecture("novel"), "fit_engine_lacks_architecture", "novel"),
        (EngineDied(-6, "SIGABRT", "dry_run", ""), "fit_engine_died", "SIGABRT"),
        (EngineFailed("hung"), "fit_engine_hung", "in time"),
    ],
)
def test_a_refusal_is_an_answer(error: OpenshelfError, code: str, word: str) -> None:
    fit = ask(ScriptedEngine(error=error), SMALL)
    assert fit.verdict is FitVerdict.UNKNOWN
    assert not fit.verdict.fits
    assert (fit.plan, fit.speed, fit.remedies) == (None, None, ())
    assert codes(fit) == [code]
    text = sentence(fit.reasons[0])
    assert text.startswith("The engine cannot load this: ")
    assert word in text


@pytest.mark.parametrize(
    "error", [EngineFailed("engine_missing"), EngineFailed("start_failed"), CancelledByUser()]
)
def test_an_engine_that_cannot_be_asked_is_no_answer(error: OpenshelfError) -> None:
    with pytest.raises(type(error)):
        ask(ScriptedEngine(error=error), SMALL)


def test_another_machines_gpus_stay_an_estimate() -> None:
    engine = ScriptedEngine((DeviceBytes("CPU", GIB, GIB, GIB),))
    fit = ask(engine, DESKTOP)  # the engine put everything on the CPU
    assert fit.method == "estimate"
    assert fit.devices == fit_on(shape_of("llama3.1-8b"), DESKTOP, FitRequest()).devices
    assert codes(fit)[-1] == "fit_dry_run_elsewhere"
    never = Question(shape_of("llama3.1-8b"), DESKTOP, FitRequest())
    asked = len(engine.plans)
    assert codes(dry_run(never, FILE, engine))[-1] == "fit_dry_run_elsewhere"
    assert len(engine.plans) == asked, "nothing to ask for GPUs that no engine named"

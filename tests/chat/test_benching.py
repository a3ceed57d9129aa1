"""The speed of an installed model: timed, reckoned and kept, over a scripted engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openshelf import wording
from openshelf.chat.benching import Benchmarks, BenchQuestion
from openshelf.chat.interface import LoadTicket, Prediction
from openshelf.engine.protocol import Benched
from openshelf.errors import BenchTooLong, CancelledByUser, EngineFailed
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import fit_on
from openshelf.fit.workload import Workload
from openshelf.library.measurements import LoadMeasurement, MeasuredRun
from openshelf.tasks import CancelToken, Progress, Report, no_report
from tests.fakes.engine import FakeEngine, clearance_for, load_order, model_file
from tests.fit.machines import SMALL, shape_of


class TimedEngine(FakeEngine):
    """Answers a bench with the times it was given."""

    def __init__(self, benched: Benched | Exception) -> None:
        super().__init__()
        self.benched = benched
        self.asked_for: list[tuple[int, int, int]] = []

    def bench(
        self,
        prompt_tokens: int,
        answer_tokens: int,
        repetitions: int,
        *,
        cancel: CancelToken,
        report: Report,
    ) -> Benched:
        assert self.loaded is not None
        self.asked_for.append((prompt_tokens, answer_tokens, repetitions))
        cancel.raise_if_cancelled()
        report(Progress(1, repetitions, "bench"))
        if isinstance(self.benched, Exception):
            raise self.benched
        return self.benched


class Kept:
    def __init__(self) -> None:
        self.runs: list[MeasuredRun] = []

    def keep_load(self, load: LoadMeasurement) -> None:
        raise AssertionError("a bench tells nothing new of memory")

    def keep_run(self, run: MeasuredRun) -> None:
        self.runs.append(run)


BENCHED = Benched(1, 512, 128, (1.0, 2.0, 4.0), (8.0, 16.0, 8.0))


def ticket(prediction: Prediction | None) -> LoadTicket:
    file = model_file()
    order = load_order(file)
    return LoadTicket("m", clearance_for(file), order, "fits_cpu", 16, prediction=prediction)


def predicted() -> Prediction:
    shape = shape_of("llama3.2-1b")
    fit = fit_on(shape, SMALL, FitRequest(2048))
    assert fit.plan is not None
    plan = replace(fit.plan, n_threads=2)
    return Prediction(fit.devices, SMALL, {}, lambda: Workload(shape, fit.devices, plan))


def test_means_deviations_and_what_is_kept() -> None:
    engine, kept = TimedEngine(BENCHED), Kept()
    reports: list[Progress] = []
    bench = Benchmarks(engine, lambda model_id, cancel: ticket(predicted()), kept)
    report = bench.run("m", BenchQuestion(repetitions=3), CancelToken(), reports.append)
    assert engine.asked_for == [(512, 128, 3)]
    assert report.prompt.each_per_second == (512.0, 256.0, 128.0)
    assert report.prompt.mean_per_second == pytest.approx(298.67, abs=0.01)
    assert report.prompt.deviation_per_second == pytest.approx(195.52, abs=0.01)
    assert report.answer.median_per_second == 16.0
    assert reports[-1] == Progress(1, 3, "bench")
    assert engine.loaded is None, "the memory is given back"

    (run,) = kept.runs
    assert (run.model_id, run.decode_tokens_per_second) == ("m", 16.0)
    assert run.reached == report.kept
    assert report.kept is not None
    assert (report.kept.kind, report.kept.n_threads) == ("cpu", 2)
    weights = sum(device.weights_bytes for device in predicted().devices)
    assert report.kept.bytes_per_second == pytest.approx(16 * weights, rel=0.1)
    # Twice the model's parameters a token, of the prompt's 256 tokens per second.
    assert report.kept.operations_per_second == pytest.approx(256 * 2 * 1.24e9, rel=0.2)


def test_without_a_prediction_only_the_models_own_speed_is_kept() -> None:
    engine, kept = TimedEngine(BENCHED), Kept()
    bench = Benchmarks(engine, lambda model_id, cancel: ticket(None), kept)
    report = bench.run("m", BenchQuestion(), CancelToken(), no_report)
    assert report.kept is None
    assert kept.runs[0].reached is None


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (BenchQuestion(prompt_tokens=4097), "beyond_context"),
        (BenchQuestion(answer_tokens=131_072), "beyond_context"),
        (BenchQuestion(prompt_tokens=131_073), "beyond_model"),
    ],
)
def test_more_than_the_context_holds_is_refused_before_the_load(
    question: BenchQuestion, why: str
) -> None:
    engine, kept = TimedEngine(BENCHED), Kept()
    bench = Benchmarks(engine, lambda model_id, cancel: ticket(predicted()), kept)
    with pytest.raises(BenchTooLong) as refused:
        bench.run("m", question, CancelToken(), no_report)
    assert (refused.value.why, refused.value.context_length) == (why, 4096)
    assert refused.value.trained == 131_072
    assert "131,072" in wording.error_sentence(refused.value)
    assert (engine.loads, engine.asked_for) == ([], [])

    bench = Benchmarks(engine, lambda model_id, cancel: ticket(None), kept)
    with pytest.raises(BenchTooLong) as refused:
        bench.run("m", question, CancelToken(), no_report)
    assert "4,096" in wording.error_sentence(refused.value)
    whole = BenchQuestion(prompt_tokens=4096)
    assert bench.run("m", whole, CancelToken(), no_report).model_id == "m"


@pytest.mark.parametrize("error", [EngineFailed("decode_failed", "-3"), CancelledByUser()])
def test_one_that_ends_early_keeps_nothing_and_gives_the_memory_back(error: Exception) -> None:
    engine, kept = TimedEngine(error), Kept()
    bench = Benchmarks(engine, lambda model_id, cancel: ticket(predicted()), kept)
    with pytest.raises(type(error)):
        bench.run("m", BenchQuestion(), CancelToken(), no_report)
    assert kept.runs == []
    assert engine.loaded is None

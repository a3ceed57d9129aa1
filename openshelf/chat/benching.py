"""How fast an installed model is on this machine: loaded as a chat would load it, then timed.

What is measured is kept like the speed of an answer, and feeds the estimates of other models.
"""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass
from typing import Protocol

from openshelf.chat.interface import KeepsMeasurements, LoadTicket, OpenModel
from openshelf.engine.interface import LoadOrder
from openshelf.engine.protocol import Benched, Loaded, Plan
from openshelf.errors import BenchTooLong
from openshelf.fit.speed import Run, rate_reached
from openshelf.hardware.facts import LearnedRate
from openshelf.library.measurements import MeasuredRun
from openshelf.library.store import now_utc
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Progress, Report


@dataclass(frozen=True)
class BenchQuestion:
    """llama-bench's own numbers, unless others are wanted."""

    prompt_tokens: int = 512
    answer_tokens: int = 128
    repetitions: int = 5


@dataclass(frozen=True)
class MeasuredSpeed:
    """Tokens per second over all repetitions: mean, and standard deviation (0 for one)."""

    tokens: int
    mean_per_second: float
    deviation_per_second: float
    each_per_second: tuple[float, ...]

    @property
    def median_per_second(self) -> float:
        return statistics.median(self.each_per_second)


@dataclass(frozen=True)
class BenchReport:
    """`kept` is what it tells of the one device that did the work; None where it tells nothing
    (split, or too small to leave a processor's caches)."""

    model_id: str
    loaded: Loaded
    plan: Plan
    placement: str
    prompt: MeasuredSpeed
    answer: MeasuredSpeed
    kept: LearnedRate | None


class BenchEngine(Protocol):
    """What is needed of the engine; engine/process.py."""

    def load(
        self, clearance: Clearance, order: LoadOrder, cancel: CancelToken, report: Report
    ) -> Loaded: ...
    def bench(
        self, prompt_tokens: int, answer_tokens: int, repetitions: int, *,
        cancel: CancelToken, report: Report,
    ) -> Benched: ...  # fmt: skip
    def unload(self) -> None: ...


class Benchmarks:
    """One at a time, and never beside an answer: the engine refuses it as busy."""

    def __init__(
        self, engine: BenchEngine, open_model: OpenModel, measurements: KeepsMeasurements
    ) -> None:
        self._engine = engine
        self._open_model = open_model
        self._measurements = measurements

    def run(
        self, model_id: str, question: BenchQuestion, cancel: CancelToken, report: Report
    ) -> BenchReport:
        """Load, time, unload. Raises BenchTooLong before the load, what a load raises,
        EngineFailed (busy), CancelledByUser."""
        self._engine.unload()
        ticket = self._open_model(model_id, cancel)
        _check(question, ticket)
        loaded = self._engine.load(ticket.clearance, ticket.order, cancel, report)
        try:
            benched = self._engine.bench(
                question.prompt_tokens,
                question.answer_tokens,
                question.repetitions,
                cancel=cancel,
                report=lambda progress: report(Progress(progress.done, progress.total, "bench")),
            )
        finally:
            self._engine.unload()
        prompt = _speed(benched.prompt_tokens, benched.prompt_seconds)
        answer = _speed(benched.answer_tokens, benched.answer_seconds)
        kept = _reached(ticket, prompt, answer)
        self._measurements.keep_run(
            MeasuredRun(
                model_id=ticket.model_id,
                measured_at=now_utc(),
                n_gpu_layers=ticket.order.plan.n_gpu_layers,
                decode_tokens_per_second=answer.median_per_second,
                reached=kept,
            )
        )
        return BenchReport(
            model_id=ticket.model_id,
            loaded=loaded,
            plan=ticket.order.plan,
            placement=ticket.placement,
            prompt=prompt,
            answer=answer,
            kept=kept,
        )


def _check(question: BenchQuestion, ticket: LoadTicket) -> None:
    """The engine cuts to the context in silence, and then takes minutes over it."""
    asked, length = (
        max(question.prompt_tokens, question.answer_tokens),
        ticket.order.plan.context_length,
    )
    if asked <= length:
        return
    prediction = ticket.prediction
    trained = (prediction.work().shape.context_length if prediction else None) or 0
    if not trained:
        raise BenchTooLong(asked=asked, context_length=length)
    why = "beyond_context" if asked <= trained else "beyond_model"
    raise BenchTooLong(why=why, asked=asked, context_length=length, trained=trained)


def _speed(tokens: int, seconds: tuple[float, ...]) -> MeasuredSpeed:
    each = tuple(tokens / taken for taken in seconds)
    spread = statistics.stdev(each) if len(each) > 1 else 0.0
    return MeasuredSpeed(tokens, statistics.fmean(each), spread, each)


def _reached(
    ticket: LoadTicket, prompt: MeasuredSpeed, answer: MeasuredSpeed
) -> LearnedRate | None:
    """Both were taken from an empty context, so each is reckoned by itself."""
    if ticket.prediction is None:
        return None
    work, machine = ticket.prediction.work(), ticket.prediction.machine
    decode = Run(
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=answer.tokens,
        prefill_per_second=prompt.median_per_second,
        decode_per_second=answer.median_per_second,
    )
    found = rate_reached(work, machine, decode)
    whole = rate_reached(work, machine, dataclasses.replace(decode, prompt_tokens=prompt.tokens))
    if found is None or whole is None:
        return None
    return dataclasses.replace(found, operations_per_second=whole.operations_per_second)

"""A projector in the verdict: where it is counted, what it changes, what the engine adds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from openshelf.engine.protocol import DeviceBytes, ProjectorLaidOut
from openshelf.errors import CorruptModel, EngineDied, EngineFailed, OpenshelfError
from openshelf.fit.memory import FitRequest, ModelShape
from openshelf.fit.projector import Projector
from openshelf.fit.projector_dryrun import measured_projector
from openshelf.fit.verdict import Fit, FitVerdict, fit_on
from openshelf.hardware.facts import Machine
from openshelf.tasks import CancelToken
from openshelf.units import GIB, MIB
from openshelf.wording import sentence
from tests.fit.machines import DESKTOP, LAPTOP, MAC, SMALL, TWO_GPUS, machine, shape_of

SIZE = 3 * GIB // 2
TABLE = Projector("qwen2.5vl_merger", SIZE - 500 * MIB, 500 * MIB, "table")
PLAIN = shape_of("llama3.1-8b")
SEEING = dataclasses.replace(PLAIN, projector=TABLE)


def codes(fit: Fit) -> set[str]:
    reasons = (*fit.reasons, *fit.remedies)
    assert all("{" not in sentence(reason) for reason in reasons)
    return {reason.code for reason in reasons}


def projectors(fit: Fit) -> list[int]:
    return [device.projector_bytes for device in fit.devices]


@pytest.mark.parametrize("on", [SMALL, LAPTOP, DESKTOP, TWO_GPUS, MAC])
@pytest.mark.parametrize("layers", [None, 0, 5, 99])
def test_it_lies_where_the_engine_puts_it(on: Machine, layers: int | None) -> None:
    request = FitRequest(gpu_layers=layers)
    fit = fit_on(SEEING, on, request)
    has_gpu = fit.gpu_layers > 0
    assert projectors(fit) == [0 if has_gpu else SIZE, *([SIZE, 0, 0][: len(fit.devices) - 1])]
    without = fit_on(PLAIN, on, dataclasses.replace(request, gpu_layers=fit.gpu_layers))
    assert fit.total_bytes - without.total_bytes == SIZE
    pool = fit.devices[1 if has_gpu else 0].pool
    needed = {p.id: p.needed_bytes for p in fit.pools}
    assert needed[pool] - {p.id: p.needed_bytes for p in without.pools}[pool] == SIZE
    if fit.plan is not None:
        assert fit.plan.needed_bytes[pool] == needed[pool]


def test_text_only_leaves_it_out() -> None:
    with_it = fit_on(SEEING, DESKTOP, FitRequest())
    without = fit_on(SEEING, DESKTOP, FitRequest(text_only=True))
    assert "fit_projector_counted" in codes(with_it)
    assert "fit_projector_left_out" in codes(without)
    assert sum(projectors(without)) == 0
    assert without.devices == fit_on(PLAIN, DESKTOP, FitRequest()).devices
    document = without.as_json("x")
    assert document["text_only"] is True
    assert document["projector"] == {
        "type": "qwen2.5vl_merger",
        "weights_bytes": TABLE.weights_bytes,
        "compute_bytes": TABLE.compute_bytes,
        "basis": "table",
    }
    plain = fit_on(PLAIN, DESKTOP, FitRequest()).as_json("x")
    assert (plain["text_only"], plain["projector"]) == (False, None)


def _tight(shape: ModelShape) -> Machine:
    """A machine without a GPU that has half the projector too little."""
    needed = fit_on(shape, SMALL, FitRequest()).total_bytes
    room = (needed - SIZE // 2) / GIB
    return machine(40, room + 4)  # a tenth of all stays with the system


def test_leaving_it_out_is_a_remedy_where_that_helps() -> None:
    on = _tight(SEEING)
    fit = fit_on(SEEING, on, FitRequest())
    assert fit.verdict is FitVerdict.DOES_NOT_FIT
    assert fit.remedies[0].code == "fit_without_projector"
    assert fit_on(SEEING, on, FitRequest(text_only=True)).verdict is FitVerdict.FITS_CPU
    small = machine(8, 4)
    assert "fit_without_projector" not in codes(fit_on(SEEING, small, FitRequest()))
    assert "fit_without_projector" not in codes(fit_on(PLAIN, on, FitRequest()))


def test_a_bound_alone_is_no_verdict() -> None:
    bound = dataclasses.replace(TABLE, weights_bytes=0, compute_bytes=SIZE, basis="bound")
    shape = dataclasses.replace(PLAIN, projector=bound)
    on = _tight(shape)
    fit = fit_on(shape, on, FitRequest())
    assert fit.verdict is FitVerdict.UNKNOWN
    assert {"fit_check_projector", "fit_projector_bound", "fit_without_projector"} <= codes(fit)
    heavy = dataclasses.replace(bound, weights_bytes=SIZE)
    hopeless = fit_on(dataclasses.replace(PLAIN, projector=heavy), on, FitRequest())
    assert hopeless.verdict is FitVerdict.DOES_NOT_FIT


# --- what the engine adds -----------------------------------------------------------------------


class Answers:
    def __init__(self, answer: ProjectorLaidOut | OpenshelfError) -> None:
        self.answer = answer
        self.asked: list[tuple[Path, bool]] = []

    def projector_dry_run(
        self, path: Path, *, use_gpu: bool = False, cancel: CancelToken | None = None
    ) -> ProjectorLaidOut:
        self.asked.append((path, use_gpu))
        if isinstance(self.answer, OpenshelfError):
            raise self.answer
        return self.answer


def test_figures_of_the_engine_replace_the_table() -> None:
    host, gpu = DeviceBytes("CPU", 0, 0, 7), DeviceBytes("CUDA0", 1000, 0, 90)
    engine = Answers(ProjectorLaidOut(1, (host, gpu), 0.1))
    projector, reason = measured_projector(TABLE, Path("x"), engine, use_gpu=True)
    assert engine.asked == [(Path("x"), True)]
    assert projector == Projector(TABLE.type, TABLE.weights_bytes, 97, "engine")
    assert reason is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineDied(-6, "SIGABRT"), "fit_projector_died"),
        (EngineFailed("hung"), "fit_projector_hung"),
        (EngineFailed("not_measurable"), "fit_projector_not_measured"),
        (EngineFailed("load_failed", "no"), "fit_projector_refused"),
        (CorruptModel("x", "image_size"), "fit_projector_refused"),
    ],
)
def test_a_refusal_is_an_answer(error: OpenshelfError, code: str) -> None:
    projector, reason = measured_projector(TABLE, Path("x"), Answers(error))
    assert projector is TABLE
    assert reason is not None
    assert reason.code == code
    assert "{" not in sentence(reason)


def test_an_engine_that_is_not_there_is_an_error() -> None:
    with pytest.raises(EngineFailed):
        measured_projector(TABLE, Path("x"), Answers(EngineFailed("engine_missing")))

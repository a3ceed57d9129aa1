"""The verdict on a fit, and the Plan that a load then executes, so that the two cannot disagree."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

from openshelf.engine.protocol import Plan
from openshelf.errors import BadWords
from openshelf.fit.explanation import FitVerdict as FitVerdict
from openshelf.fit.explanation import explain
from openshelf.fit.memory import DeviceMemory, FitRequest, ModelShape
from openshelf.fit.placing import Placed, Room, place
from openshelf.fit.pools import budgets, unused_gpus, usable_gpus
from openshelf.fit.projector import Projector
from openshelf.fit.remedies import find_remedies
from openshelf.fit.repacking import survives
from openshelf.fit.speed import Range as Range
from openshelf.fit.speed import Speed as Speed
from openshelf.fit.speed import estimate_speed, measured_speed
from openshelf.hardware.facts import Machine
from openshelf.reasons import Reason

MAX_LENGTH = 1 << 27
KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
UNQUANTIZED_KV_TYPES = ("f32", "f16", "bf16")


@dataclass(frozen=True)
class Pool:
    """A memory that devices share; `budget_bytes` is what is free now less the reserve."""

    id: str
    budget_bytes: int
    needed_bytes: int


@dataclass(frozen=True)
class Fit:
    """The answer for one model file on one machine (docs/cli.md, `fit`)."""

    architecture: str
    known_architecture: bool
    method: str
    request: FitRequest
    context_length_used: int
    flash_attention: str
    gpu_layers: int
    n_layers: int
    devices: tuple[DeviceMemory, ...]
    pools: tuple[Pool, ...]
    verdict: FitVerdict
    reasons: tuple[Reason, ...]
    remedies: tuple[Reason, ...]
    speed: Speed | None
    plan: Plan | None
    """None where nothing can be loaded."""
    shape_source: str = "header"
    projector: Projector | None = None

    @property
    def total_bytes(self) -> int:
        return sum(device.total_bytes for device in self.devices)

    def as_json(
        self, target: str, *, elapsed_seconds: float = 0.0, bytes_fetched: int = 0
    ) -> dict[str, Any]:
        request = self.request
        return {
            "target": target,
            "architecture": self.architecture,
            "known_architecture": self.known_architecture,
            "method": self.method,
            "shape_source": self.shape_source,
            "context_length": request.context_length,
            "context_length_used": self.context_length_used,
            "kv_type_k": request.kv_type_k,
            "kv_type_v": request.kv_type_v,
            "batch": request.batch,
            "ubatch": request.ubatch,
            "flash_attention": self.flash_attention,
            "n_outputs_max": request.n_outputs_max,
            "gpu_layers": self.gpu_layers,
            "n_layers": self.n_layers,
            "tensor_split": list(request.tensor_split),
            "experts_on_cpu": request.experts_on_cpu,
            "text_only": request.text_only,
            "projector": None if self.projector is None else self.projector.as_json(),
            "devices": [device.as_json() for device in self.devices],
            "pools": [
                {"id": p.id, "budget_bytes": p.budget_bytes, "needed_bytes": p.needed_bytes}
                for p in self.pools
            ],
            "total_bytes": self.total_bytes,
            "verdict": self.verdict.value,
            "reasons": [reason.as_json() for reason in self.reasons],
            "remedies": [remedy.as_json() for remedy in self.remedies],
            "speed": None
            if self.speed is None
            else {
                "decode": {"low": self.speed.decode.low, "high": self.speed.decode.high},
                "prefill": {"low": self.speed.prefill.low, "high": self.speed.prefill.high},
                "basis": self.speed.basis,
                "learned": self.speed.learned,
            },
            "elapsed_seconds": elapsed_seconds,
            "bytes_fetched": bytes_fetched,
        }


@dataclass(frozen=True)
class Question:
    """Whether `shape` fits on `machine`, and how fast it would be.

    `measured_decode_per_second` is what this model reached here before, in tokens per second.
    """

    shape: ModelShape
    machine: Machine
    request: FitRequest
    measured_decode_per_second: float | None = None
    is_brief: bool = False
    """Remedies are left out: finding the longest context takes longer than all the rest."""

    @functools.cached_property
    def room(self) -> Room:
        """Where it may go."""
        machine = self.machine
        return Room(budgets(machine), usable_gpus(machine), rearranging_features(machine))

    @property
    def has_extra_buffers(self) -> bool:
        """Whether the engine can rearrange weights for this CPU, as far as it was asked."""
        return _has_extra_buffers(self.machine)

    @functools.cached_property
    def effective(self) -> tuple[FitRequest, tuple[Reason, ...]]:
        """The request as it can be carried out, and what had to change. Raises UsageError."""
        check_request(self.request)
        return effective_request(self.shape, self.request)


def rearranging_features(machine: Machine) -> tuple[str, ...]:
    """The processor's, by which the engine rearranges weights; none where it does not."""
    return machine.cpu.features if _has_extra_buffers(machine) else ()


def _has_extra_buffers(machine: Machine) -> bool:
    return machine.engine is None or machine.engine.has_extra_buffers


def fit_on(
    shape: ModelShape,
    machine: Machine,
    request: FitRequest,
    *,
    measured_decode_per_second: float | None = None,
    is_brief: bool = False,
) -> Fit:
    """The best placement of `shape` on `machine`, or why there is none.

    `measured_decode_per_second` is what this model reached here before, in tokens per second;
    `is_brief` leaves the remedies out.
    Raises UsageError for a KV type or a length that nothing can be reckoned with.
    """
    question = Question(shape, machine, request, measured_decode_per_second, is_brief)
    return answer(question, best_placement(question))


def best_placement(question: Question) -> Placed:
    """Where a load would put the model. Raises UsageError as `fit_on` does."""
    return place(question.shape, question.effective[0], question.room)


def answer(question: Question, placed: Placed, *, is_dry_run: bool = False) -> Fit:
    """The verdict on one placement. The figures of a dry run are the engine's own, so that they
    count as known whatever the architecture."""
    shape, machine, room = question.shape, question.machine, question.room
    effective, notes = question.effective
    judged = dataclasses.replace(shape, known=True) if is_dry_run else shape
    verdict = _verdict(judged, placed, room)
    plan = plan_of(placed, generation_threads(machine), question)
    speed = estimate_speed(shape, placed.devices, machine, plan)
    if question.measured_decode_per_second:
        speed = measured_speed(speed, question.measured_decode_per_second)
    return Fit(
        architecture=shape.architecture,
        known_architecture=shape.known,
        method="dry-run" if is_dry_run else "estimate",
        request=question.request,
        context_length_used=effective.cells,
        flash_attention=effective.flash_attention,
        gpu_layers=placed.n_gpu_layers,
        n_layers=shape.placed_layers,
        devices=placed.devices,
        pools=tuple(Pool(name, room.budgets[name], placed.needed[name]) for name in room.budgets),
        verdict=verdict,
        reasons=(*explain(judged, placed, room, verdict), *notes, *unused_gpus(machine)),
        remedies=()
        if verdict.fits or question.is_brief
        else find_remedies(shape, effective, room, placed),
        speed=None if verdict is FitVerdict.DOES_NOT_FIT else speed,
        plan=plan if verdict.fits else None,
        shape_source=shape.source,
        projector=shape.projector,
    )


def generation_threads(machine: Machine) -> int:
    """One less than the cores: with all of them, one other busy program stalls every token."""
    cores = machine.cpu.physical_cores or machine.cpu.logical_cores
    return max(1, cores - 1)


def check_request(request: FitRequest) -> None:
    """Raise UsageError where a request cannot be reckoned with."""
    for type_name in (request.kv_type_k, request.kv_type_v):
        if type_name.casefold() not in KV_TYPES:
            raise BadWords(why="kv_type", name=type_name, known=tuple(KV_TYPES))
    for name in ("context_length", "batch", "ubatch"):
        if not 1 <= getattr(request, name) <= MAX_LENGTH:
            raise BadWords(str(MAX_LENGTH), "fit_length", name)
    if request.flash_attention not in ("auto", "on", "off"):
        raise BadWords(why="flash_attention")
    counts = (request.n_outputs_max, request.experts_on_cpu, request.gpu_layers or 0)
    if min(counts) < 0 or any(not 0 <= share < float("inf") for share in request.tensor_split):
        raise BadWords(why="fit_negative")


def effective_request(
    shape: ModelShape, request: FitRequest
) -> tuple[FitRequest, tuple[Reason, ...]]:
    """The request as it can be carried out, and what had to change."""
    reasons = []
    length, trained = request.context_length, shape.context_length
    if trained and length > trained:
        reasons.append(Reason("fit_context_clamped", {"asked": length, "trained": trained}))
        length = trained
    flash_attention = request.flash_attention
    if flash_attention == "off" and request.kv_type_v.casefold() not in UNQUANTIZED_KV_TYPES:
        reasons.append(Reason("fit_flash_attention_needed", {"kv_type": request.kv_type_v}))
        flash_attention = "on"
    if shape.source == "catalog":
        reasons.append(Reason("fit_expected"))
    elif shape.source == "sibling":
        reasons.append(Reason("fit_from_sibling"))
    experts = min(request.experts_on_cpu, shape.n_layers)
    if experts and not any(shape.expert_bytes):
        reasons.append(Reason("fit_no_experts"))
        experts = 0
    effective = dataclasses.replace(
        request,
        context_length=length,
        flash_attention=flash_attention,
        experts_on_cpu=experts,
    )
    return effective, tuple(reasons)


def _verdict(shape: ModelShape, placed: Placed, room: Room) -> FitVerdict:
    if not placed.fits:
        return FitVerdict.UNKNOWN if _only_a_bound(shape, placed, room) else FitVerdict.DOES_NOT_FIT
    if placed.n_gpu_layers == 0:
        return FitVerdict.FITS_CPU
    if placed.n_gpu_layers > shape.placed_layers and not placed.request.experts_on_cpu:
        return FitVerdict.FITS_GPU
    return FitVerdict.FITS_SPLIT


def _only_a_bound(shape: ModelShape, placed: Placed, room: Room) -> bool:
    """Whether what does not fit is an upper bound that the weights alone stay below."""
    if not shape.known:
        return shape.weights_bytes <= sum(room.budgets.values())
    projector = shape.projector
    if projector is None or projector.basis != "bound" or placed.request.text_only:
        return False
    least = dataclasses.replace(projector, compute_bytes=0)
    return place(dataclasses.replace(shape, projector=least), placed.request, room).fits


def plan_of(placed: Placed, n_threads: int, question: Question) -> Plan:
    """What a load of this placement does, whether it fits or not."""
    request, room = placed.request, question.room
    names = tuple(usable.gpu.engine_name for usable in room.gpus[: len(placed.devices) - 1])
    return Plan(
        context_length=request.cells,
        n_gpu_layers=placed.n_gpu_layers,
        kv_type_k=request.kv_type_k,
        kv_type_v=request.kv_type_v,
        flash_attention=request.flash_attention,
        batch=request.batch,
        ubatch=request.ubatch,
        n_outputs_max=request.n_outputs_max,
        tensor_split=placed.tensor_split,
        devices=names if all(names) else (),
        experts_on_cpu=request.experts_on_cpu,
        n_threads=n_threads,
        use_mmap=True,
        use_extra_buffers=question.has_extra_buffers
        and survives(room.cpu_features, has_stacked=question.shape.has_stacked_matrices),
        needed_bytes={pool: size for pool, size in placed.needed.items() if size},
    )

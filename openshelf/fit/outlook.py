"""A variant's fit in a few comparisons, from sums worked out beforehand.

What lies wholly on one GPU or on the CPU is answered exactly; of a split, and of several GPUs, only
bounds are given, and `verdict.fit_on` has to say more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from openshelf.fit.memory import (
    FitRequest,
    ModelShape,
    PlacedDevice,
    Placement,
    estimate,
)
from openshelf.fit.pools import DRIVER_CONTEXT_BYTES, RAM, budgets, usable_gpus
from openshelf.fit.repacking import Rearranging
from openshelf.fit.speed import LAUNCH_SECONDS, TYPICAL_CONVERSATION, Range, rates_of
from openshelf.fit.verdict import (
    FitVerdict,
    check_request,
    effective_request,
    generation_threads,
    rearranging_features,
)
from openshelf.fit.workload import kept_bytes
from openshelf.hardware.facts import GpuKind, Machine

_ALONE = PlacedDevice("gpu", "gpu")


@dataclass(frozen=True, slots=True)
class Frame:
    """What all variants of one model take besides their weights, in bytes, for one request.

    `on_cpu` where everything lies there; `host` and `gpu` where all layers lie on one GPU, without
    what its driver takes. `least_read` and `most_read` are read per token besides the weights.
    """

    on_cpu: int
    host: int
    gpu: int
    kv_cache: int
    least_read: int
    most_read: int

    @classmethod
    def of(cls, shape: ModelShape, request: FitRequest) -> Frame:
        """From any variant's shape. Raises UsageError as `fit_on` does."""
        check_request(request)
        wanted, _ = effective_request(shape, request)
        (cpu,) = estimate(shape, wanted, Placement())
        whole = Placement((_ALONE,), shape.placed_layers + 1)
        host, gpu = estimate(shape, wanted, whole)
        layers = range(shape.n_layers)
        used = min(TYPICAL_CONVERSATION, wanted.context_length)
        return cls(
            on_cpu=cpu.total_bytes - cpu.weights_bytes,
            host=host.total_bytes - host.weights_bytes,
            gpu=gpu.total_bytes - gpu.weights_bytes,
            kv_cache=cpu.kv_cache_bytes,
            least_read=kept_bytes(shape, replace(wanted, context_length=1), layers),
            most_read=kept_bytes(shape, replace(wanted, context_length=used), layers),
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """What one variant takes, in bytes. `hot_share` is the part of its experts' bytes that a
    token reads; 1 where there are none. `table` is that of a tied
    output layer, copied to where the output lies; `uncopied` one that stays on the CPU."""

    frame: Frame
    weights: int
    embedding: int
    table: int
    uncopied: int
    active: int
    hot_share: float
    is_known: bool
    rearranging: Rearranging

    @classmethod
    def of(cls, shape: ModelShape, frame: Frame) -> Sums:
        table = shape.table_bytes if shape.tied_output else 0
        is_copied = shape.has_output_layer
        return cls(
            frame=frame,
            weights=shape.weights_bytes,
            embedding=shape.embedding_bytes,
            table=table if is_copied else 0,
            uncopied=0 if is_copied else table,
            active=shape.active_bytes,
            hot_share=shape.n_expert_used / shape.n_expert if shape.n_expert else 1.0,
            is_known=shape.known,
            rearranging=shape.rearranging,
        )


@dataclass(frozen=True, slots=True)
class Outlook:
    """`verdict` is None where only a split can tell; then `doublings` (binary logarithm of tokens
    per second, None = unknown) is not exceeded, `fits` says what is sure (None = nothing), and
    `is_split` that it does not lie on the GPUs alone. `missing`: the least that it lacks, in bytes,
    should it not fit."""

    verdict: FitVerdict | None
    doublings: float | None
    fits: bool | None
    is_split: bool = False
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Ground:
    """A machine as `look` needs it: budgets and limits in bytes, rates in bytes per second."""

    ram: int
    gpu_limit: int
    overhead: int
    n_gpus: int
    is_shared: bool
    is_unified: bool
    cpu: Range
    gpu: Range | None
    best: Range
    """The fastest of all devices, for bounds."""
    has_unknown_rate: bool
    """Of a GPU; then nothing bounds the speed of a split."""
    cpu_features: tuple[str, ...] = ()
    """By which the engine rearranges weights."""

    @classmethod
    def of(cls, machine: Machine) -> Ground:
        gpus = usable_gpus(machine)
        threads = generation_threads(machine)
        cpu = rates_of(machine, None, threads)
        assert cpu is not None  # noqa: S101  a processor's are always known
        known = [rates_of(machine, usable.gpu, threads) for usable in gpus]
        ranges = [cpu.bandwidth, *(rates.bandwidth for rates in known if rates)]
        is_shared = bool(gpus) and all(usable.pool == RAM for usable in gpus)
        first = known[0] if known else None
        return cls(
            ram=budgets(machine)[RAM],
            gpu_limit=sum(usable.limit_bytes for usable in gpus),
            overhead=0 if is_shared else DRIVER_CONTEXT_BYTES,
            n_gpus=len(gpus),
            is_shared=is_shared,
            is_unified=is_shared and all(u.gpu.kind is GpuKind.UNIFIED for u in gpus),
            cpu=cpu.bandwidth,
            gpu=first.bandwidth if first else None,
            best=Range(max(r.low for r in ranges), max(r.high for r in ranges)),
            has_unknown_rate=None in known,
            cpu_features=rearranging_features(machine),
        )

    @property
    def room(self) -> int:
        """All that there is."""
        return self.ram if self.is_shared else self.ram + self.gpu_limit


def look(sums: Sums, ground: Ground) -> Outlook:
    """The outlook of one variant on one machine; what it says, `fit_on` says too."""
    frame, weights = sums.frame, sums.weights
    on_cpu = weights + sums.rearranging.more_bytes(ground.cpu_features) + frame.on_cpu
    on_cpu_fits = on_cpu <= ground.ram
    if ground.n_gpus == 0:
        return _on_cpu(sums, ground) if on_cpu_fits else _misses(sums, ground, on_cpu)
    is_split = ground.n_gpus == 1
    if is_split:
        gpu = weights - sums.embedding + sums.table + frame.gpu
        host = sums.embedding + frame.host
        if gpu + ground.overhead <= ground.gpu_limit and _host_fits(sums, host, gpu, ground):
            return _on_gpu(sums, ground)
        if ground.is_shared and on_cpu_fits:
            return _on_cpu(sums, ground)
    else:
        is_split = weights - sums.embedding + frame.kv_cache > ground.gpu_limit
    least = weights + frame.kv_cache
    if least > ground.room:
        return _misses(sums, ground, least)
    known = True if on_cpu_fits else None
    return Outlook(None, _most_doublings(sums, ground), known, is_split)


def _host_fits(sums: Sums, host: int, gpu: int, ground: Ground) -> bool:
    if not ground.is_shared:
        return host <= ground.ram
    once = sums.table if ground.is_unified else 0  # one file's pages serve both
    return host + gpu - once <= ground.ram


def _misses(sums: Sums, ground: Ground, needed: int) -> Outlook:
    verdict = without_room(sums, ground)
    return Outlook(verdict, None, False, missing=needed - ground.room)


def without_room(sums: Sums, ground: Ground) -> FitVerdict:
    """The verdict on what does not fit: an upper bound says nothing where the weights alone
    would."""
    is_bound = not sums.is_known and sums.weights <= ground.room
    return FitVerdict.UNKNOWN if is_bound else FitVerdict.DOES_NOT_FIT


def _on_cpu(sums: Sums, ground: Ground) -> Outlook:
    return Outlook(FitVerdict.FITS_CPU, _doublings(sums, sums.active, ground.cpu), True)


def _on_gpu(sums: Sums, ground: Ground) -> Outlook:
    rate = None if ground.gpu is None else _doublings(sums, sums.active - sums.uncopied, ground.gpu)
    return Outlook(FitVerdict.FITS_GPU, rate, True)


def _doublings(sums: Sums, active: int, rate: Range) -> float:
    slow = LAUNCH_SECONDS + (active + sums.frame.most_read) / rate.low
    fast = LAUNCH_SECONDS + (active + sums.frame.least_read) / rate.high
    return -0.5 * math.log2(slow * fast)


def _most_doublings(sums: Sums, ground: Ground) -> float:
    """What no split exceeds: weights fill the GPUs to the brim beside what their driver takes, the
    rest is read from RAM."""
    if ground.has_unknown_rate:
        return math.inf
    brim = max(0, ground.gpu_limit - ground.n_gpus * ground.overhead)
    beyond = max(0, sums.weights - sums.embedding - brim) * sums.hot_share
    active = sums.active - sums.uncopied
    slow = LAUNCH_SECONDS + beyond / ground.cpu.low
    slow += (active + sums.frame.most_read - beyond) / ground.best.low
    fast = LAUNCH_SECONDS + beyond / ground.cpu.high
    fast += (active + sums.frame.least_read - beyond) / ground.best.high
    return -0.5 * math.log2(slow * fast)

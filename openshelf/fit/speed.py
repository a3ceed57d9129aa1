"""Tokens per second as a range: bytes read per token over bandwidth, arithmetic for prompts.

What a device reached in answers written here stands in place of what such devices usually reach.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.engine.protocol import Plan
from openshelf.fit.memory import DeviceMemory, ModelShape
from openshelf.fit.workload import Workload
from openshelf.hardware.facts import Gpu, GpuKind, LearnedRate, Machine


@dataclass(frozen=True)
class Range:
    low: float
    high: float

    def scaled(self, low: float, high: float) -> Range:
        return Range(self.low * low, self.high * high)


@dataclass(frozen=True)
class Speed:
    """Tokens per second; `basis` is measured where this very file answered here, else estimate.
    `learned`: what other models reached on these devices is in the estimate."""

    decode: Range
    prefill: Range
    basis: str
    learned: bool = False


CPU_BYTES_PER_THREAD = Range(7e9, 16e9)
"""What one thread reads and multiplies per second (8–20 GB/s measured on small models)."""
CPU_BYTES_TOGETHER = Range(25e9, 70e9)
"""Two channels of DDR4 at the low end, of DDR5 at the high end."""
CPU_BYTES_SERVER = Range(60e9, 250e9)
SERVER_CORES = 16
CPU_EFFICIENCY = Range(0.60, 0.85)
"""Part of the memory's nominal bandwidth, where that is known (0.83 measured with one thread)."""
CPU_OPERATIONS_PER_THREAD = Range(20e9, 60e9)
GPU_EFFICIENCY = Range(0.50, 0.75)
"""Part of its nominal bandwidth that a GPU reaches at decoding."""
LAUNCH_SECONDS = 0.0005
"""Per token, for starting kernels and sampling, whatever the model's size."""
NVIDIA_OPERATIONS_PER_BYTE = Range(60, 160)
DISCRETE_OPERATIONS_PER_BYTE = Range(20, 60)
UNIFIED_OPERATIONS_PER_BYTE = Range(12, 35)
"""Prompt arithmetic per byte of bandwidth: public llama.cpp benchmarks of each kind of GPU."""
MEASURED_SPREAD = 0.1
LEARNED_SPREAD = Range(0.8, 1.25)
"""Around what other models reached: quantizations and shapes differ in how well they run."""
TYPICAL_CONVERSATION = 2048
"""Tokens of the cache that the low end reads for each new one."""

LEAST_ANSWER_TOKENS = 16
LEAST_PROMPT_TOKENS = 64
LEAST_READ_BYTES = 64_000_000
"""A model that reads less per token lies in a processor's own caches and tells no bandwidth."""
BELIEVED_RUNS = 3
"""Fewer runs are not believed where they are far from what such devices reach."""
FAR_AWAY = 2.0
_LEAST_RATE = 1e-3
NOMINAL_SLACK = 1.1
"""No device reads faster than its memory; what seems to was not reading."""


@dataclass(frozen=True)
class Rates:
    """Of one device: bytes and operations per second."""

    bandwidth: Range
    arithmetic: Range
    learned: bool = False


@dataclass(frozen=True)
class Run:
    """An answer as the engine timed it. `cached_tokens` of the prompt were there before."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    prefill_per_second: float
    decode_per_second: float


def estimate_speed(
    shape: ModelShape, devices: Sequence[DeviceMemory], machine: Machine, plan: Plan
) -> Speed | None:
    """The range to expect, from an empty context (high) to one of a few pages (low).

    None where a GPU takes part whose bandwidth is not known and nothing was learned of it.
    """
    work = Workload(shape, tuple(devices), plan)
    used = min(TYPICAL_CONVERSATION, plan.context_length)
    empty, full = work.read_bytes(1), work.read_bytes(used)
    few, many = work.operations(0), work.operations(used // 2)
    weights = sum(device.weights_bytes for device in devices) or 1
    slow_decode = fast_decode = LAUNCH_SECONDS
    slow_prefill = fast_prefill = 0.0
    learned = []
    for device, least, most in zip(devices, empty, full, strict=True):
        if most == 0 and device.kind == "cpu":
            continue
        rates = rates_of(machine, _gpu(machine, device), plan.n_threads or 1)
        if rates is None:
            return None
        learned.append(rates.learned)
        slow_decode += most / rates.bandwidth.low
        fast_decode += least / rates.bandwidth.high
        # a prompt passes all experts, which are read once for each ubatch
        per_token = device.weights_bytes / max(1, plan.ubatch)
        share = device.weights_bytes / weights
        slow_prefill += many * share / rates.arithmetic.low + per_token / rates.bandwidth.low
        fast_prefill += few * share / rates.arithmetic.high
    return Speed(
        decode=Range(1 / slow_decode, 1 / fast_decode),
        prefill=Range(1 / max(slow_prefill, 1e-6), 1 / max(fast_prefill, 1e-6)),
        basis="estimate",
        learned=bool(learned) and all(learned),
    )


def measured_speed(expected: Speed | None, decode_per_second: float) -> Speed:
    """What was measured here before, with a small spread; the prompt's range is scaled along."""
    decode = Range(
        decode_per_second * (1 - MEASURED_SPREAD), decode_per_second * (1 + MEASURED_SPREAD)
    )
    if expected is None:
        return Speed(decode=decode, prefill=decode, basis="measured")
    middle = (expected.decode.low * expected.decode.high) ** 0.5
    scale = decode_per_second / middle if middle else 1.0
    prefill = Range(expected.prefill.low * scale, expected.prefill.high * scale)
    return Speed(decode=decode, prefill=prefill, basis="measured")


def doublings_of(speed: Speed | None) -> float | None:
    """The binary logarithm of the tokens per second to expect, between the range's ends."""
    if speed is None:
        return None
    low, high = max(speed.decode.low, _LEAST_RATE), max(speed.decode.high, _LEAST_RATE)
    return 0.5 * math.log2(low * high)


def rate_reached(work: Workload, machine: Machine, run: Run) -> LearnedRate | None:
    """What the one device that did the work reached in `run`; None where it tells nothing.

    Nothing is told by an answer of few tokens, by a model that a processor's caches hold, and by
    one that is split: which device was waited for is not known.
    """
    if run.completion_tokens < LEAST_ANSWER_TOKENS or run.decode_per_second <= 0:
        return None
    read = work.read_bytes(run.prompt_tokens + run.completion_tokens // 2)
    busy = [(device, size) for device, size in zip(work.devices, read, strict=True) if size]
    seconds = 1 / run.decode_per_second - LAUNCH_SECONDS
    if len(busy) != 1 or busy[0][1] < LEAST_READ_BYTES or seconds < LAUNCH_SECONDS:
        return None
    device, size = busy[0]
    gpu = _gpu(machine, device)
    nominal = gpu.bandwidth_bytes_per_second if gpu else None
    if nominal and size / seconds > nominal * NOMINAL_SLACK:
        return None
    key = _key(machine, gpu, work.plan.n_threads or 1)
    new = run.prompt_tokens - run.cached_tokens
    operations = work.operations(run.cached_tokens + new // 2) * run.prefill_per_second
    return dataclasses.replace(
        key,
        bytes_per_second=size / seconds,
        operations_per_second=operations if new >= LEAST_PROMPT_TOKENS and operations else None,
        runs=1,
    )


def rates_of(machine: Machine, gpu: Gpu | None, n_threads: int) -> Rates | None:
    """Of a GPU, or of the CPU with so many threads; None where nothing is known of a GPU."""
    usual = _cpu_rates(machine, n_threads) if gpu is None else _gpu_rates(gpu)
    found = _learned(machine, _key(machine, gpu, n_threads))
    if found is None or found.bytes_per_second is None:
        return usual
    if usual is None:
        nominal = found.bytes_per_second
        arithmetic = Range(nominal, nominal).scaled(12, 160)
    elif found.runs < BELIEVED_RUNS and not _is_near(usual.bandwidth, found.bytes_per_second):
        return usual
    else:
        arithmetic = usual.arithmetic
    if found.operations_per_second is not None:
        arithmetic = _around(found.operations_per_second)
    return Rates(_around(found.bytes_per_second), arithmetic, learned=True)


def _around(rate: float) -> Range:
    return LEARNED_SPREAD.scaled(rate, rate)


def _is_near(usual: Range, rate: float) -> bool:
    return usual.low / FAR_AWAY <= rate <= usual.high * FAR_AWAY


def _gpu(machine: Machine, device: DeviceMemory) -> Gpu | None:
    if device.kind != "gpu":
        return None
    return next((gpu for gpu in machine.gpus if gpu.id == device.device), None)


def _key(machine: Machine, gpu: Gpu | None, n_threads: int) -> LearnedRate:
    """Whose rate it is: a GPU's by the backend that reaches it, a CPU's with so many threads."""
    version = machine.engine.version if machine.engine else ""
    if gpu is None:
        return LearnedRate(machine.cpu.name, "cpu", version, n_threads)
    backend = gpu.reason.data.get("backend", "") if gpu.reason else ""
    return LearnedRate(gpu.name, str(backend or "gpu").lower(), version)


def _learned(machine: Machine, key: LearnedRate) -> LearnedRate | None:
    """Where the engine was not asked yet, its version is not held against what was learned."""
    for rate in machine.learned:
        is_same = (rate.device, rate.kind, rate.n_threads) == (key.device, key.kind, key.n_threads)
        if is_same and key.engine_version in ("", rate.engine_version):
            return rate
    return None


def _cpu_rates(machine: Machine, n_threads: int) -> Rates:
    cores = machine.cpu.physical_cores
    together = CPU_BYTES_SERVER if cores >= SERVER_CORES else CPU_BYTES_TOGETHER
    if nominal := machine.memory.bandwidth_bytes_per_second:
        together = CPU_EFFICIENCY.scaled(nominal, nominal)
    bandwidth = Range(
        min(CPU_BYTES_PER_THREAD.low * n_threads, together.low),
        min(CPU_BYTES_PER_THREAD.high * n_threads, together.high),
    )
    return Rates(bandwidth, CPU_OPERATIONS_PER_THREAD.scaled(n_threads, n_threads))


def _gpu_rates(gpu: Gpu) -> Rates | None:
    nominal = gpu.bandwidth_bytes_per_second
    if not nominal:
        return None
    if gpu.kind is not GpuKind.DISCRETE:
        per_byte = UNIFIED_OPERATIONS_PER_BYTE
    elif gpu.vendor.casefold() == "nvidia":
        per_byte = NVIDIA_OPERATIONS_PER_BYTE
    else:
        per_byte = DISCRETE_OPERATIONS_PER_BYTE
    return Rates(GPU_EFFICIENCY.scaled(nominal, nominal), per_byte.scaled(nominal, nominal))

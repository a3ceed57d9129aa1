"""Tokens per second as a range: bytes read per token over bandwidth, arithmetic for prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.fit.memory import DeviceMemory, ModelShape
from openshelf.hardware.facts import Gpu, GpuKind, Machine


@dataclass(frozen=True)
class Range:
    low: float
    high: float


@dataclass(frozen=True)
class Load:
    """What a load uses on the CPU, and the context it reserves, in tokens."""

    n_threads: int
    context_length: int


@dataclass(frozen=True)
class Speed:
    """Tokens per second; `basis` is estimate or measured."""

    decode: Range
    prefill: Range
    basis: str


CPU_BYTES_PER_THREAD = Range(7e9, 16e9)
"""What one thread reads and multiplies per second (8–20 GB/s measured on small models)."""
CPU_BYTES_TOGETHER = Range(25e9, 70e9)
"""Two channels of DDR4 at the low end, of DDR5 at the high end."""
CPU_BYTES_SERVER = Range(60e9, 250e9)
SERVER_CORES = 16
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
TYPICAL_CONVERSATION = 2048
"""Tokens of the cache that the low end reads for each new one."""


def estimate_speed(
    shape: ModelShape, devices: Sequence[DeviceMemory], machine: Machine, load: Load
) -> Speed | None:
    """The range to expect, from an empty context (high) to one of a few pages (low).

    None where a GPU takes part whose bandwidth is not known.
    """
    gpus = {gpu.id: gpu for gpu in machine.gpus}
    weights = sum(device.weights_bytes for device in devices) or 1
    operations = 2 * _active_parameters(shape)
    slow_decode = fast_decode = LAUNCH_SECONDS
    slow_prefill = fast_prefill = 0.0
    cache_in_use = min(1.0, TYPICAL_CONVERSATION / max(1, load.context_length))
    for device in devices:
        read = _active_weights(shape, device)
        if read == 0 and device.kind == "cpu":
            continue
        gpu = gpus.get(device.device) if device.kind == "gpu" else None
        rates = _cpu_rates(machine, load.n_threads) if gpu is None else _gpu_rates(gpu)
        if rates is None:
            return None
        bandwidth, arithmetic = rates
        slow_decode += (read + int(device.kv_cache_bytes * cache_in_use)) / bandwidth.low
        fast_decode += read / bandwidth.high
        part = operations * device.weights_bytes / weights
        slow_prefill += part / arithmetic.low
        fast_prefill += part / arithmetic.high
    return Speed(
        decode=Range(1 / slow_decode, 1 / fast_decode),
        prefill=Range(1 / max(slow_prefill, 1e-6), 1 / max(fast_prefill, 1e-6)),
        basis="estimate",
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


def _active_weights(shape: ModelShape, device: DeviceMemory) -> int:
    """Bytes of a device's weights that one token reads."""
    size = device.weights_bytes
    if device.kind == "cpu":
        holds_all = size >= shape.weights_bytes
        if not (holds_all and shape.tied_output):
            size -= shape.embedding_bytes  # a row of it only
    layers = shape.bytes_up_to[-1]
    if shape.n_expert and layers:
        experts = sum(shape.expert_bytes)
        idle = experts * (shape.n_expert - shape.n_expert_used) // shape.n_expert
        size -= size * idle // max(1, shape.weights_bytes)
    return max(0, size)


def _active_parameters(shape: ModelShape) -> int:
    """Multiplications per token, from parameters or else from bytes (4.5 bits each)."""
    parameters = shape.parameters or shape.weights_bytes * 8 * 2 // 9
    return int(parameters * shape.active_bytes / max(1, shape.weights_bytes))


def _cpu_rates(machine: Machine, n_threads: int) -> tuple[Range, Range]:
    cores = machine.cpu.physical_cores
    together = CPU_BYTES_SERVER if cores >= SERVER_CORES else CPU_BYTES_TOGETHER
    bandwidth = Range(
        min(CPU_BYTES_PER_THREAD.low * n_threads, together.low),
        min(CPU_BYTES_PER_THREAD.high * n_threads, together.high),
    )
    arithmetic = Range(
        CPU_OPERATIONS_PER_THREAD.low * n_threads, CPU_OPERATIONS_PER_THREAD.high * n_threads
    )
    return bandwidth, arithmetic


def _gpu_rates(gpu: Gpu) -> tuple[Range, Range] | None:
    nominal = gpu.bandwidth_bytes_per_second
    if not nominal:
        return None
    if gpu.kind is not GpuKind.DISCRETE:
        per_byte = UNIFIED_OPERATIONS_PER_BYTE
    elif gpu.vendor.casefold() == "nvidia":
        per_byte = NVIDIA_OPERATIONS_PER_BYTE
    else:
        per_byte = DISCRETE_OPERATIONS_PER_BYTE
    return (
        Range(nominal * GPU_EFFICIENCY.low, nominal * GPU_EFFICIENCY.high),
        Range(nominal * per_byte.low, nominal * per_byte.high),
    )

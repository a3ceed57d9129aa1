"""From llama.cpp's log to a reason: it says why a load failed nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from openshelf.engine.protocol import DeviceBytes

HOST = "CPU"
"""The device that all of the host's memory counts for."""


class Refusal(Exception):
    """What the worker answers instead of a result: a code for `Refused.why`, and details."""

    def __init__(self, why: str, detail: str = "", tail: str = "") -> None:
        super().__init__(why, detail)
        self.why = why
        self.detail = detail
        self.tail = tail


_ARCHITECTURE = re.compile(r"unknown model architecture: '([^']*)'")

# The first that matches any line wins, so the narrow ones come first.
_CAUSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "out_of_memory",
        re.compile(
            r"insufficient memory|failed to allocate|unable to allocate|out of memory|bad_alloc"
            r"|OutOfDeviceMemory|cudaMalloc failed|hipMalloc failed|cannot allocate memory",
            re.IGNORECASE,
        ),
    ),
    (
        "driver",
        re.compile(
            r"driver version is insufficient|no kernel image|no CUDA-capable|CUDA error"
            r"|vk::|Vulkan.*fail|ROCm error|failed to initialize (CUDA|Vulkan|Metal)",
            re.IGNORECASE,
        ),
    ),
    ("bad_plan", re.compile(r"quantized V cache|V cache quantization|requires? flash_?attn", re.I)),
    ("unreadable", re.compile(r"failed to open (GGUF )?file|failed to open .*gguf", re.I)),
    (
        "corrupt",
        re.compile(
            r"invalid magic|not within the file bounds|corrupted|incomplete|gguf_init"
            r"|failed to read|missing tensor|wrong shape|wrong number of tensors|key not found"
            r"|invalid (gguf|vocab|tensor|model)|unexpected(ly)? (end|reached)"
            r"|cannot find tokenizer|unknown (pre-)?tokenizer|wrong type|duplicate",
            re.IGNORECASE,
        ),
    ),
)


def classify(lines: Sequence[str]) -> tuple[str, str]:
    """(why, detail) for the log lines of a failed load."""
    for line in lines:
        if found := _ARCHITECTURE.search(line):
            return "unsupported_architecture", found[1]
    for why, pattern in _CAUSES:
        for line in lines:
            if pattern.search(line):
                return why, _without_function(line)
    return "load_failed", _without_function(lines[-1]) if lines else ""


def _without_function(line: str) -> str:
    """`llama_model_load: error loading model: x` → `x`."""
    return re.sub(r"^(?:\w+: )?(?:error loading model: )?", "", line.strip())[:300]


_BUFFER = re.compile(r"(\S+)\s+(?:model|KV|RS|compute|output) buffer size\s*=\s*([\d.]+) MiB")


def buffer_sizes(lines: Iterable[str]) -> dict[str, int]:
    """Bytes per buffer type (`CPU`, `CPU_Mapped`, `CUDA0`) as llama.cpp logs them.

    A compute buffer is logged again when it grows, so of those the largest counts.
    """
    sizes: dict[str, int] = {}
    compute: dict[str, int] = {}
    for line in lines:
        if not (found := _BUFFER.search(line)):
            continue
        size = round(float(found[2]) * (1 << 20))
        if "compute buffer" in line:
            compute[found[1]] = max(size, compute.get(found[1], 0))
        else:
            sizes[found[1]] = sizes.get(found[1], 0) + size
    for name, size in compute.items():
        sizes[name] = sizes.get(name, 0) + size
    return sizes


def pools(sizes: dict[str, int], gpu_names: Sequence[str]) -> dict[str, int]:
    """Buffer types → pools: `gpu:N` for the N-th GPU of the engine, `ram` for everything else."""
    summed: dict[str, int] = {}
    for name, size in sizes.items():
        gpu = _gpu_of(name, gpu_names)
        pool = "ram" if gpu is None else f"gpu:{gpu_names.index(gpu)}"
        summed[pool] = summed.get(pool, 0) + size
    return {pool: size for pool, size in summed.items() if size}


def _gpu_of(buffer_type: str, gpu_names: Sequence[str]) -> str | None:
    """The GPU whose own memory a buffer type is; None for the host's, also what a GPU reads."""
    for gpu in gpu_names:
        if buffer_type == gpu or buffer_type.startswith((f"{gpu}_Private", f"{gpu}_Mapped")):
            return gpu
    return None


_CACHES = re.compile(r"size\s*=\s*([\d.]+) MiB \(\s*\d+ cells")
_COMPUTE = re.compile(r"(\S+)\s+compute buffer size\s*=\s*([\d.]+) MiB")


def laid_out(lines: Iterable[str], gpus: Sequence[str]) -> tuple[tuple[DeviceBytes, ...], int]:
    """Compute buffers per device, and the bytes of all caches together, of a dry run.

    The weights are not in it: where nothing is allocated, their lines print 0.
    """
    cache, buffers = 0.0, {}
    for line in lines:
        if found := _CACHES.search(line):
            cache += float(found[1])
        elif found := _COMPUTE.search(line):
            # logged again whenever it is laid out anew; the last one stays
            buffers[found[1]] = float(found[2])
    compute = {HOST: 0.0}
    for name, size in buffers.items():
        device = _gpu_of(name, gpus) or HOST
        compute[device] = compute.get(device, 0.0) + size
    devices = tuple(
        DeviceBytes(device, None, None, round(size * (1 << 20))) for device, size in compute.items()
    )
    return devices, round(cache * (1 << 20))

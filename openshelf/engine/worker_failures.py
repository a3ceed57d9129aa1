"""From llama.cpp's log to a reason: it says why a load failed nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from openshelf.engine.protocol import HOST_DEVICE, DeviceBytes

HOST = HOST_DEVICE
"""The device that all of the host's memory counts for."""
SCHEMA_HUNG = "openshelf: a step by the JSON schema takes too long"
"""What a worker says last that ends itself over it."""


class Refusal(Exception):
    """What the worker answers instead of a result: a code for `Refused.why`, and details."""

    def __init__(self, why: str, detail: str = "", tail: str = "") -> None:
        super().__init__(why, detail)
        self.why = why
        self.detail = detail
        self.tail = tail
        self.needed_tokens = 0
        self.context_length = 0


class TooLong(Refusal):
    """So many tokens are to be read, and have no room in the context."""

    def __init__(self, needed_tokens: int, context_length: int) -> None:
        super().__init__("context_too_long")
        self.needed_tokens = needed_tokens
        self.context_length = context_length


_ARCHITECTURE = re.compile(r"(?:unknown|unsupported) model architecture: '([^']*)'")
"""Unsupported: llama.cpp has the name and no code for it (gptj)."""

# The first that matches any line wins, so the narrow ones come first.
_CAUSES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (why, re.compile(pattern, re.IGNORECASE))
    for why, pattern in (
        (
            "out_of_memory",
            r"insufficient memory|failed to allocate|unable to allocate|out of memory|bad_alloc"
            r"|OutOf(Device|Host|Pool)Memory|(cuda|hip)Malloc\w* .*failed|cannot allocate memory"
            r"|attempted to allocate|not enough space in the buffer|could not reserve space"
            r"|failed to reserve|(calloc|posix_memalign|vm_allocate) failed|alloc for .* failed"
            r"|failed to create ggml context|preallocation size is too large",
        ),
        ("no_backend", r"no backends are loaded|no CPU backend found"),
        (
            "driver",
            r"driver version is insufficient|no kernel image|no CUDA-capable"
            r"|(CUDA|HIP|ROCm|MUSA|SYCL) error|hipError|vk::|Vulkan.*fail|DeviceLost"
            r"|IncompatibleDriver|failed to initialize (?!the context|tensor|memory)"
            r"|incompatible API version|failed to create (Metal|command queue|library|pipeline)"
            r"|command buffer .* failed|failed to compile pipeline|error compiling source"
            r"|backend is in error state|not found in its backend reg|no suitable buffer type",
        ),
        (
            "bad_plan",
            r"quantized V cache|V cache quantization|requires? flash_?attn|[KV] cache type"
            r"|different K .* V .* cache types|value for main_gpu|needs >= 1 devices"
            r"|support split buffers|n_ubatch cannot both|n_ctx_seq == 0",
        ),
        ("not_a_chat_model", r"CLIP cannot be used as main model"),
        (
            "unreadable",
            r"failed to open (GGUF )?file|failed to open .*gguf|(read|seek|ftell) error"
            r"|(mmap|MapViewOfFile|CreateFileMapping\w*) failed",
        ),
        (
            "corrupt",
            r"invalid magic|not within the file bounds|corrupted|incomplete|gguf_init"
            r"|failed to read|missing tensor|wrong shape|wrong number of tensors|key not found"
            r"|invalid (gguf|vocab|tensor|model|split|data|n_rot)|unexpected(ly)? (end|reached)"
            r"|cannot find tokenizer|unknown (pre-)?tokenizer|wrong type|duplicate"
            r"|model (hyperparameters|vocabulary)|wrong array|array length|expected scalar"
            r"|N_MAX|GGUF split|split file|too many tensors|tensor '.*' not found|length mismatch"
            r"|charsmap|XCDA|Byte token for|Index out of array bounds|is not a \S+ array"
            r"|must be a bool array|cannot mmap|no expert layers are used|has invalid data",
        ),
    )
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


_BUFFER = re.compile(r"(\S+)\s+(model|KV|RS|compute) buffer size\s*=\s*([\d.]+) MiB")


def allocated(lines: Iterable[str], gpus: Sequence[str]) -> tuple[DeviceBytes, ...]:
    """Bytes per device as llama.cpp logs them at a load, the host first; `gpus` are its names.

    Weights that are mapped are logged as the range they lie in, so that a device with any has
    None. The small output buffer is left out, as the breakdown leaves it out.
    """
    weights: dict[str, float | None] = {HOST: 0.0}
    caches: dict[str, float] = {}
    compute: dict[str, float] = {}
    for line in lines:
        if not (found := _BUFFER.search(line)):
            continue
        name, kind, size = found[1], found[2], float(found[3])
        device = _gpu_of(name, gpus) or HOST
        weights.setdefault(device, 0.0)
        if kind == "compute":
            # Logged again when it grows, so of those the largest counts.
            compute[name] = max(size, compute.get(name, 0.0))
        elif kind == "model":
            known = weights[device]
            weights[device] = None if known is None or "_Mapped" in name else known + size
        else:
            caches[device] = caches.get(device, 0.0) + size
    return tuple(
        DeviceBytes(
            device,
            weights_bytes=None if size is None else _bytes(size),
            kv_cache_bytes=_bytes(caches.get(device, 0.0)),
            compute_buffer_bytes=_bytes(
                sum(s for name, s in compute.items() if (_gpu_of(name, gpus) or HOST) == device)
            ),
        )
        for device, size in weights.items()
    )


def _bytes(mebibytes: float) -> int:
    return round(mebibytes * (1 << 20))


def pools(devices: Iterable[DeviceBytes], gpus: Sequence[str]) -> dict[str, int]:
    """Bytes per pool: `gpu:N` for the N-th GPU of the engine, `ram` for everything else. Weights
    that were not told are missing from it."""
    summed: dict[str, int] = {}
    for device in devices:
        is_gpu = device.device in gpus
        pool = f"gpu:{gpus.index(device.device)}" if is_gpu else "ram"
        size = (device.weights_bytes or 0) + (device.kv_cache_bytes or 0)
        summed[pool] = summed.get(pool, 0) + size + device.compute_buffer_bytes
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

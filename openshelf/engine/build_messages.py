"""Messages about an engine build: its devices, what it can load, what a load would take, its speed.

What a conversation needs is in protocol.py, with the way onto the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    id: int


@dataclass(frozen=True)
class Event:
    id: int


@dataclass(frozen=True)
class Plan:
    """Exactly what a load does; produced by the fit verdict, executed to the letter.

    `context_length`, `batch` and `ubatch` are in tokens; `n_gpu_layers` counts the output layer as
    llama.cpp does (0 = all on the CPU); `devices` are the engine's names of the GPUs that they go
    to, empty for all it has; `tensor_split` has a share for each, empty for llama.cpp's own.
    Without `use_extra_buffers` the CPU's weights stay as they are in the file.
    `needed_bytes` per pool (gpu id or "ram") is what the verdict reckoned with.
    """

    context_length: int
    n_gpu_layers: int = 0
    kv_type_k: str = "f16"
    kv_type_v: str = "f16"
    flash_attention: str = "auto"
    batch: int = 2048
    ubatch: int = 512
    n_outputs_max: int = 1
    tensor_split: tuple[float, ...] = ()
    devices: tuple[str, ...] = ()
    experts_on_cpu: int = 0
    n_threads: int | None = None
    use_mmap: bool = True
    use_extra_buffers: bool = True
    needed_bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ListDevices(Request):
    pass


@dataclass(frozen=True)
class CheckBuild(Request):
    """Whether the engine build that this worker was started with is sound; may end the worker."""


@dataclass(frozen=True)
class DryRun(Request):
    """Lay the model at `path` out as `plan` says, without its weights.

    `from_log` takes the figures from llama.cpp's log even where they can be had exactly.
    """

    path: str
    plan: Plan
    from_log: bool = False


@dataclass(frozen=True)
class ProjectorDryRun(Request):
    """Lay the projector at `path` out, on the first GPU where `use_gpu`, else on the CPU."""

    path: str
    use_gpu: bool = False


@dataclass(frozen=True)
class ListArchitectures(Request):
    """Which of these values of `general.architecture` the engine build can load."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Bench(Request):
    """Time the loaded model: so many tokens at once, and so many one by one."""

    prompt_tokens: int
    answer_tokens: int
    repetitions: int


@dataclass(frozen=True)
class Device:
    name: str
    description: str
    type: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Devices(Event):
    """`has_extra_buffers` is False where the CPU's rearranged weights do not work here;
    `network_fault` is why the worker could reach the network, empty where the kernel forbids it."""

    engine_version: str
    devices: tuple[Device, ...]
    has_extra_buffers: bool = True
    network_fault: str = ""


@dataclass(frozen=True)
class BuildChecked(Event):
    """The build fits the binding and computed what it should."""

    engine_version: str
    devices: tuple[Device, ...]
    has_extra_buffers: bool = True


@dataclass(frozen=True)
class Architectures(Event):
    """Every name asked for is in one of the two."""

    engine_version: str
    known: tuple[str, ...]
    unknown: tuple[str, ...]


HOST_DEVICE = "CPU"


@dataclass(frozen=True)
class DeviceBytes:
    """Bytes on one device, HOST_DEVICE for all that is in the host's memory. None where the engine
    did not say it per device."""

    device: str
    weights_bytes: int | None
    kv_cache_bytes: int | None
    compute_buffer_bytes: int


@dataclass(frozen=True)
class DryRunResult(Event):
    """What a load would set aside. `source` is `breakdown` (exact) or `log` (to 0.01 MiB, without
    weights, and with the caches of all devices only as the sum `kv_cache_bytes`)."""

    devices: tuple[DeviceBytes, ...]
    kv_cache_bytes: int
    source: str
    context_length: int
    seconds: float


@dataclass(frozen=True)
class ProjectorLaidOut(Event):
    """What a projector takes as soon as it is loaded, without caches of its own."""

    devices: tuple[DeviceBytes, ...]
    seconds: float


@dataclass(frozen=True)
class BenchProgress(Event):
    """Tokens read, over all repetitions; a few times a second, and at the end."""

    done: int
    total: int


@dataclass(frozen=True)
class Benched(Event):
    """Seconds of each repetition; the tokens are fewer than asked for in a short context."""

    prompt_tokens: int
    answer_tokens: int
    prompt_seconds: tuple[float, ...]
    answer_seconds: tuple[float, ...]

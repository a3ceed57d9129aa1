"""What parent and engine worker say to each other: frozen messages, one JSON line each.

Requests carry an id that every answer to them repeats. Unknown fields are ignored; the hello
carries the protocol's version. The worker gets paths and numbers, never tokens or databases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from openshelf.engine.asking import AnswerForm as AnswerForm
from openshelf.engine.asking import ChatMessage as ChatMessage
from openshelf.engine.asking import Sampling as Sampling
from openshelf.engine.wire import ProtocolError, plain_fields, read_dataclass

__all__ = ["ProtocolError"]

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 16 * 1024 * 1024


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


# --- requests -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    id: int


@dataclass(frozen=True)
class Ping(Request):
    pass


@dataclass(frozen=True)
class ListDevices(Request):
    pass


@dataclass(frozen=True)
class Load(Request):
    """`projector` is the mmproj of a model that is to see, or empty."""

    path: str
    plan: Plan
    projector: str = ""


@dataclass(frozen=True)
class Chat(Request):
    messages: tuple[ChatMessage, ...]
    sampling: Sampling


@dataclass(frozen=True)
class Stop(Request):
    """Ends the load or chat whose id is `target`; that one still answers with its own end."""

    target: int


@dataclass(frozen=True)
class Unload(Request):
    pass


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
class CountTokens(Request):
    """How many tokens the prompt of these messages has, by the loaded model."""

    messages: tuple[ChatMessage, ...]


@dataclass(frozen=True)
class Bench(Request):
    """Time the loaded model: so many tokens at once, and so many one by one."""

    prompt_tokens: int
    answer_tokens: int
    repetitions: int


# --- answers ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    id: int


@dataclass(frozen=True)
class Hello(Event):
    """First line of every worker (id 0): a version or folder that differs is refused."""

    protocol: int
    package_version: str
    package_path: str
    pid: int


@dataclass(frozen=True)
class Pong(Event):
    pass


@dataclass(frozen=True)
class Device:
    name: str
    description: str
    type: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Devices(Event):
    """`has_extra_buffers` is False where the CPU's rearranged weights do not work here."""

    engine_version: str
    devices: tuple[Device, ...]
    has_extra_buffers: bool = True


@dataclass(frozen=True)
class Architectures(Event):
    """Every name asked for is in one of the two."""

    engine_version: str
    known: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class LoadProgress(Event):
    fraction: float


@dataclass(frozen=True)
class DeviceBytes:
    """Bytes on one device, `CPU` for everything in the host's memory. None where the engine did
    not say it per device."""

    device: str
    weights_bytes: int | None
    kv_cache_bytes: int | None
    compute_buffer_bytes: int


@dataclass(frozen=True)
class Loaded(Event):
    """What is in memory now, as the engine allocated it: `devices` per device and component,
    `memory_bytes` the same per pool. `source` is `breakdown` (exact), `log` (to 0.01 MiB), or
    empty where neither could be read and `memory_bytes` is what the process grew by."""

    seconds: float
    context_length: int
    n_gpu_layers: int
    architecture: str
    description: str
    memory_bytes: dict[str, int]
    has_template: bool
    devices: tuple[DeviceBytes, ...] = ()
    source: str = ""
    engine_version: str = ""
    can_see: bool = False


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
class PromptProgress(Event):
    done_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class Tokens(Event):
    """A batch of the answer's text; `count` is how many tokens made it."""

    text: str
    count: int


@dataclass(frozen=True)
class Done(Event):
    """The end of an answer: `finish_reason` is stop, length, or cancelled. Times in seconds.

    `template` tells what laid the messages out: `model` (its own), `merged_system` (its own, with
    the system prompt inside the first question), `builtin` (llama.cpp's for that family), `chatml`.
    """

    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    first_token_seconds: float
    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    template: str = "model"


@dataclass(frozen=True)
class Counted(Event):
    tokens: int


@dataclass(frozen=True)
class BenchProgress(Event):
    done: int
    total: int


@dataclass(frozen=True)
class Benched(Event):
    """Seconds of each repetition; the tokens are fewer than asked for in a short context."""

    prompt_tokens: int
    answer_tokens: int
    prompt_seconds: tuple[float, ...]
    answer_seconds: tuple[float, ...]


@dataclass(frozen=True)
class Unloaded(Event):
    pass


@dataclass(frozen=True)
class Refused(Event):
    """The worker lives and says no: `why` is a code of errors.EngineFailed, or `cancelled`,
    `bad_header`, `corrupt`, `out_of_memory`, `unsupported_architecture` (error classes of their
    own: process.py). `tail` is the end of llama.cpp's log, of `bad_header` the figures."""

    why: str
    detail: str = ""
    tail: str = ""


_MESSAGES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        Ping, ListDevices, Load, Chat, Stop, Unload, DryRun,
        Hello, Pong, Devices, LoadProgress, Loaded, PromptProgress, Tokens, Done, Unloaded, Refused,
        DryRunResult, ProjectorDryRun, ProjectorLaidOut, ListArchitectures, Architectures,
        Bench, BenchProgress, Benched, CountTokens, Counted,
    )
}  # fmt: skip


Message = Request | Event


def encode(message: Message) -> bytes:
    """One JSON line, newline included. Lone surrogates become question marks."""
    document = {"kind": type(message).__name__, **plain_fields(message)}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> Message:
    """The message in one line; unknown fields are ignored. Raises ProtocolError."""
    if len(line) > MAX_LINE_BYTES:
        raise ProtocolError(f"a line of {len(line)} bytes")
    try:
        document = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {error}") from error
    if not isinstance(document, dict):
        raise ProtocolError("not an object")
    kind = document.get("kind")
    cls = _MESSAGES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ProtocolError(f"unknown kind {kind!r:.80}")
    message: Message = read_dataclass(cls, document)
    return message


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")

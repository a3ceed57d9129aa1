"""What parent and engine worker say to each other: frozen messages, one JSON line each.

Requests carry an id that every answer to them repeats. Unknown fields are ignored; the hello
carries the protocol's version. The worker gets paths and numbers, never tokens or databases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 16 * 1024 * 1024


class ProtocolError(ValueError):
    """A line that is no message of ours."""


@dataclass(frozen=True)
class Plan:
    """Exactly what a load does; produced by the fit verdict, executed to the letter.

    `context_length`, `batch` and `ubatch` are in tokens; `n_gpu_layers` counts the output layer as
    llama.cpp does (0 = all on the CPU); `tensor_split` is empty for llama.cpp's own shares.
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
    experts_on_cpu: int = 0
    n_threads: int | None = None
    use_mmap: bool = True
    needed_bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn; None leaves it to the model's or the engine's default."""

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatMessage:
    """`role` is system, user or assistant."""

    role: str
    content: str


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
    path: str
    plan: Plan


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
    engine_version: str
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class LoadProgress(Event):
    fraction: float


@dataclass(frozen=True)
class Loaded(Event):
    """`memory_bytes` per pool as the engine allocated it, where it can be read."""

    seconds: float
    context_length: int
    n_gpu_layers: int
    architecture: str
    description: str
    memory_bytes: dict[str, int]
    has_template: bool


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
    """The end of an answer: `finish_reason` is stop, length, or cancelled. Times in seconds."""

    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    first_token_seconds: float
    prefill_tokens_per_second: float
    decode_tokens_per_second: float


@dataclass(frozen=True)
class Unloaded(Event):
    pass


@dataclass(frozen=True)
class Refused(Event):
    """The worker lives and says no: `why` is a code of errors.EngineFailed, or `cancelled`."""

    why: str
    detail: str = ""
    tail: str = ""


_MESSAGES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        Ping, ListDevices, Load, Chat, Stop, Unload,
        Hello, Pong, Devices, LoadProgress, Loaded, PromptProgress, Tokens, Done, Unloaded, Refused,
    )
}  # fmt: skip

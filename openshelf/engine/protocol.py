"""What parent and engine worker say to each other: frozen messages, one JSON line each.

Requests carry an id that every answer to them repeats. Unknown fields are ignored; the hello
carries the protocol's version. The worker gets paths and numbers, never tokens or databases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from openshelf.engine.asking import AnswerForm as AnswerForm
from openshelf.engine.asking import ChatMessage as ChatMessage
from openshelf.engine.asking import Sampling as Sampling
from openshelf.engine.build_messages import (
    HOST_DEVICE,
    Architectures,
    Bench,
    Benched,
    BenchProgress,
    BuildChecked,
    CheckBuild,
    Device,
    DeviceBytes,
    Devices,
    DryRun,
    DryRunResult,
    Event,
    ListArchitectures,
    ListDevices,
    Plan,
    ProjectorDryRun,
    ProjectorLaidOut,
    Request,
)
from openshelf.engine.wire import ProtocolError, plain_fields, read_dataclass

__all__ = [
    "HOST_DEVICE",
    "Architectures",
    "Bench",
    "BenchProgress",
    "Benched",
    "BuildChecked",
    "CheckBuild",
    "Device",
    "DeviceBytes",
    "Devices",
    "DryRun",
    "DryRunResult",
    "Event",
    "ListArchitectures",
    "ListDevices",
    "Plan",
    "ProjectorDryRun",
    "ProjectorLaidOut",
    "ProtocolError",
    "Request",
]

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 64 * 1024 * 1024
"""Room for MOST_IMAGES pictures in base64; more is refused before it is sent (connection.py)."""
MAX_EVENT_BYTES = 1024 * 1024
"""A worker has less to say than a conversation that goes to it."""
ENGINE_FOLDER = "LLAMA_CPP_LIB_PATH"
"""The variable by which a worker, and its binding, knows that it uses another engine build."""


# --- requests -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ping(Request):
    pass


@dataclass(frozen=True)
class Load(Request):
    """`projector` is the mmproj of a model that is to see, or empty."""

    path: str
    plan: Plan
    projector: str = ""


@dataclass(frozen=True)
class Chat(Request):
    """Without `own_template` the messages are laid out by llama.cpp's for that family."""

    messages: tuple[ChatMessage, ...]
    sampling: Sampling
    own_template: bool = True


@dataclass(frozen=True)
class Stop(Request):
    """Ends the load or chat whose id is `target`; that one still answers with its own end."""

    target: int


@dataclass(frozen=True)
class Unload(Request):
    pass


@dataclass(frozen=True)
class CountTokens(Request):
    """How many tokens the prompt of these messages has, by the loaded model; `own_template` as in
    Chat."""

    messages: tuple[ChatMessage, ...]
    own_template: bool = True


# --- answers ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello(Event):
    """First line of every worker (id 0): a version or folder that differs is refused.

    `engine_folder` is where its llama.cpp comes from, empty for the one that is installed.
    """

    protocol: int
    package_version: str
    package_path: str
    pid: int
    engine_folder: str = ""


@dataclass(frozen=True)
class Pong(Event):
    pass


@dataclass(frozen=True)
class LoadProgress(Event):
    fraction: float


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
    engine_folder: str = ""
    """As in Hello."""


@dataclass(frozen=True)
class PromptLaidOut(Event):
    """The template has been run; what takes long from now on is the engine."""


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

    `n_threads` is how many wrote its end. `template` tells what laid the messages out: `model` (its
    own), `merged_system` (its own, with the system prompt inside the first question), `builtin`
    (llama.cpp's for that family), `chatml`.
    """

    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    first_token_seconds: float
    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    template: str = "model"
    n_threads: int = 0


@dataclass(frozen=True)
class Counted(Event):
    tokens: int


@dataclass(frozen=True)
class Unloaded(Event):
    pass


@dataclass(frozen=True)
class Refused(Event):
    """The worker lives and says no: `why` is a code of errors.EngineFailed, or `cancelled`,
    `bad_header`, `corrupt`, `out_of_memory`, `unsupported_architecture` (error classes of their
    own: process.py). `tail` is the end of llama.cpp's log, of `bad_header` the figures.
    `needed_tokens` is told of `context_too_long` where they were counted."""

    why: str
    detail: str = ""
    tail: str = ""
    needed_tokens: int = 0
    context_length: int = 0


_MESSAGES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        Ping, ListDevices, Load, Chat, Stop, Unload, DryRun,
        Hello, Pong, Devices, LoadProgress, Loaded, PromptProgress, Tokens, Done, Unloaded, Refused,
        DryRunResult, ProjectorDryRun, ProjectorLaidOut, ListArchitectures, Architectures,
        CountTokens, Counted, Bench, BenchProgress, Benched, CheckBuild, BuildChecked,
        PromptLaidOut,
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

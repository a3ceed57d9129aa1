"""What the worker refuses, as the errors that everybody else knows."""

from __future__ import annotations

from openshelf.engine.protocol import Refused
from openshelf.engine.worker_failures import classify
from openshelf.errors import (
    CancelledByUser,
    ContextFull,
    CorruptModel,
    EngineFailed,
    OpenshelfError,
    OutOfMemory,
    UnsupportedArchitecture,
)

_WRONG_CPU = ("SIGILL", "ILLEGAL_INSTRUCTION")


def cause_of_death(signal: str, tail: str) -> str:
    """`why` of EngineDied: what the last lines of a worker say, where it died of itself."""
    if signal in _WRONG_CPU:
        return "wrong_cpu"
    why, _ = classify(tail.splitlines()) if signal != "SIGKILL" else ("", "")
    return why if why in ("out_of_memory", "driver") else ""


def error_of(refused: Refused, path: str) -> OpenshelfError:
    """`path` is the file that the job was about."""
    match refused.why:
        case "cancelled":
            return CancelledByUser()
        case "bad_header":
            return CorruptModel(path, refused.detail, refused.tail)
        case "corrupt":
            return CorruptModel(path, "refused_by_engine", refused.detail)
        case "out_of_memory":
            return OutOfMemory("out_of_memory", refused.detail, refused.tail)
        case "context_too_long" if refused.needed_tokens:
            return ContextFull(
                "counted",
                needed_tokens=refused.needed_tokens,
                context_length=refused.context_length,
            )
        case "context_too_long":
            return ContextFull("too_large", refused.detail)
        case "unsupported_architecture":
            return UnsupportedArchitecture(refused.detail)
        case _:
            return EngineFailed(refused.why, refused.detail, refused.tail)

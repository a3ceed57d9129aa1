"""What the worker refuses, as the errors that everybody else knows."""

from __future__ import annotations

from openshelf.engine.protocol import Refused
from openshelf.engine.worker_failures import SCHEMA_HUNG, classify
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
_LOST_PAGES = "SIGBUS"
_OWN_END = ("SIGABRT", "ABORT")
"""abort() is what its assertions and its uncaught exceptions end in."""


def cause_of_death(signal: str, tail: str, *, about_file: bool = True) -> str:
    """`why` of EngineDied: what the last lines of a worker say, where it died of itself.

    `about_file`: it was at work with a model's file.
    """
    if signal in _WRONG_CPU:
        return "wrong_cpu"
    if SCHEMA_HUNG in tail:
        return "schema_hung"
    why, _ = classify(tail.splitlines()) if signal != "SIGKILL" else ("", "")
    if why in ("out_of_memory", "driver"):
        return why
    if not about_file:
        return ""
    if signal == _LOST_PAGES:
        return "file_lost"
    return "gave_up" if signal in _OWN_END else ""


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

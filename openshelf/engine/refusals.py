"""What the worker refuses, as the errors that everybody else knows."""

from __future__ import annotations

from openshelf.engine.protocol import Refused
from openshelf.errors import (
    CancelledByUser,
    CorruptModel,
    EngineFailed,
    OpenshelfError,
    OutOfMemory,
    UnsupportedArchitecture,
)


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
        case "unsupported_architecture":
            return UnsupportedArchitecture(refused.detail)
        case _:
            return EngineFailed(refused.why, refused.detail, refused.tail)

"""The root of all expected failures, and what a person wrote or named that cannot be.

errors.py has the others and the tree of all; everybody imports these from there.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override


@dataclass(eq=False)
class OpenshelfError(Exception):
    """Root of all expected failures."""

    code: ClassVar[str] = "unexpected"
    exit_code: ClassVar[int] = 1

    @property
    def kind(self) -> str:
        return type(self).__name__

    def data(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @override
    def __str__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.data().items())
        return f"{self.kind}({fields})"


@dataclass(eq=False)
class UsageError(OpenshelfError):
    """Something was written in a way that cannot be understood; `detail` says what."""

    code: ClassVar[str] = "usage"
    exit_code: ClassVar[int] = 2
    detail: str = ""


@dataclass(eq=False)
class CorruptSettings(UsageError):
    path: str = ""


@dataclass(eq=False)
class BadFile(UsageError):
    """A file that cannot be used as it is meant: `why` is a key of wording/words.py, `detail` what
    the system or a reader says."""

    path: str = ""
    why: str = ""


@dataclass(eq=False)
class BadFolder(UsageError):
    """A folder for models or a bundle: `why` is file, unreadable, silent, missing, listed (as
    `other`), not_listed, standard, unwritable or holds_bundle."""

    path: str = ""
    why: str = ""
    other: str = ""


@dataclass(eq=False)
class UnwritableFile(UsageError):
    """`detail` is what the system says; `why` is empty, no_folder or acceptance_log."""

    path: str = ""
    why: str = ""


@dataclass(eq=False)
class NoTrash(UsageError):
    """The file `path` cannot go to the trash; `detail` is what the system says."""

    path: str = ""


@dataclass(eq=False)
class BadOverride(UsageError):
    """`why` is no_value, unknown_part, unknown_field, not_a_size, not_a_rate, not_a_count,
    not_a_flag, too_small, too_large, above_total, above_threads or engine_cannot; `most` is the
    bound."""

    name: str = ""
    value: str = ""
    why: str = ""
    most: int = 0
    known: tuple[str, ...] = ()


@dataclass(eq=False)
class BadWords(UsageError):
    """Words of a command, or what was written into a field, that cannot be: `why` is a key of
    wording/words.py, `name` what was written or is missing, `known` what it may be."""

    why: str = ""
    name: str = ""
    known: tuple[str, ...] = ()


@dataclass(eq=False)
class UnknownFilter(UsageError):
    """Nothing on the shelf has `name` as its `what` (family, use, language, license, origin,
    capability, modality, packager); `candidates` are what it may be instead."""

    what: str = ""
    name: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(eq=False)
class BadPolicy(UsageError):
    """`why` is unreadable, unwritable, not_toml, unknown_key, wrong_type, not_a_region or
    unknown_class.

    `key` is dotted; `line` counts from 1 and is 0 where it is not known.
    """

    path: str = ""
    key: str = ""
    why: str = ""
    line: int = 0


@dataclass(eq=False)
class BadChatFile(UsageError):
    """A conversation's file; `why` is unreadable, unwritable, too_large, no_chat, too_new or
    wrong_field."""

    path: str = ""
    why: str = ""


@dataclass(eq=False)
class BadAttachment(UsageError):
    """A file for a question; `why` is missing, not_a_file, unreadable, too_large, not_text, empty,
    no_text, encrypted, broken, too_slow, too_much_memory, too_many_pixels, too_many or not_seen."""

    path: str = ""
    why: str = ""


@dataclass(eq=False)
class BenchTooLong(UsageError):
    """So many tokens are to be timed, and the context holds `context_length`; `why` is
    beyond_model where the model was `trained` for no more, else beyond_context."""

    why: str = ""
    asked: int = 0
    context_length: int = 0
    trained: int = 0

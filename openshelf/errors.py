"""Every failure that Openshelf expects, as a type with fields and no sentences.

OpenshelfError
├── UsageError                 the words of a command or a field's content
│   ├── CorruptSettings
│   ├── BadWords               what cannot be, or does not go together
│   ├── BadFile                a file that cannot be used as it is meant
│   ├── BadFolder              a folder that cannot be used as it is meant
│   ├── UnwritableFile         a file or stdout that cannot be written
│   ├── NoTrash                nothing can be taken back there
│   ├── BadOverride            a value by hand that this machine cannot have
│   ├── BadPolicy              a policy file with a wrong key
│   ├── BadChatFile            no conversation can be read from a file, or written to it
│   ├── BadAttachment          a file that cannot go along with a question
│   └── BenchTooLong           more tokens to time than the context holds
├── PolicyBlocked              a rule or a license stops it
├── NeedsReview                a policy asks for a review first
├── LicenseNotAccepted         nobody acknowledged the terms yet
├── ClearanceRefused           a clearance for something else, or an outdated one
├── GatedModel                 the publisher asks for a form on the Hub
├── NotFound                   no such model, file, conversation or id
├── Offline                    the offline switch is on
├── NetworkFailure             no answer, or none that could be used
│   ├── ServerFailed           a server that a person chats with
│   └── RateLimited
├── DoesNotFit                 the plan no longer leaves the reserve
├── CorruptModel               a model file that breaks the rules of GGUF
├── CorruptBundle              a carried folder that lacks something
├── CorruptCatalog             shipped or fetched data that breaks its own rules
├── UnsafeName                 a name that would leave the folder it belongs in
├── ChecksumMismatch
├── UnsupportedArchitecture
├── EngineDied
├── EngineFailed               the engine answered, and the answer was no
│   ├── ContextFull            the messages are longer than the context
│   └── OutOfMemory
├── NotEnoughDisk
└── CancelledByUser

`code` is the contract of the command line (docs/cli.md); `kind` tells classes with one code
apart, for the wording. The fields of each class are its data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from openshelf.usage_errors import BadAttachment as BadAttachment
from openshelf.usage_errors import BadChatFile as BadChatFile
from openshelf.usage_errors import BadFile as BadFile
from openshelf.usage_errors import BadFolder as BadFolder
from openshelf.usage_errors import BadOverride as BadOverride
from openshelf.usage_errors import BadPolicy as BadPolicy
from openshelf.usage_errors import BadWords as BadWords
from openshelf.usage_errors import BenchTooLong as BenchTooLong
from openshelf.usage_errors import CorruptSettings as CorruptSettings
from openshelf.usage_errors import NoTrash as NoTrash
from openshelf.usage_errors import OpenshelfError as OpenshelfError
from openshelf.usage_errors import UnknownFilter as UnknownFilter
from openshelf.usage_errors import UnwritableFile as UnwritableFile
from openshelf.usage_errors import UsageError as UsageError


@dataclass(eq=False)
class PolicyBlocked(OpenshelfError):
    """`reasons` are dicts of code, license, ref, fact (docs/cli.md)."""

    code: ClassVar[str] = "policy_blocked"
    exit_code: ClassVar[int] = 3
    target: str = ""
    reasons: tuple[dict[str, Any], ...] = ()


@dataclass(eq=False)
class NeedsReview(OpenshelfError):
    code: ClassVar[str] = "needs_review"
    exit_code: ClassVar[int] = 3
    target: str = ""
    reasons: tuple[dict[str, Any], ...] = ()


@dataclass(eq=False)
class LicenseNotAccepted(OpenshelfError):
    """`why` is empty, nobody_to_ask (a command without a terminal) or declined (another answer)."""

    code: ClassVar[str] = "license_not_accepted"
    exit_code: ClassVar[int] = 3
    target: str = ""
    licenses: tuple[str, ...] = ()
    why: str = ""


@dataclass(eq=False)
class ClearanceRefused(OpenshelfError):
    """A clearance for something else: `why` is wrong_model, wrong_file, wrong_server,
    stale_policy or blocked."""

    code: ClassVar[str] = "license_not_accepted"
    exit_code: ClassVar[int] = 3
    target: str = ""
    why: str = ""


@dataclass(eq=False)
class GatedModel(OpenshelfError):
    code: ClassVar[str] = "gated"
    exit_code: ClassVar[int] = 3
    repo: str = ""
    url: str = ""


@dataclass(eq=False)
class NotFound(OpenshelfError):
    """`what` is model, file, variant, id, machine, conversation, record, person, engine_build or
    path."""

    code: ClassVar[str] = "not_found"
    exit_code: ClassVar[int] = 4
    what: str = ""
    name: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(eq=False)
class Offline(OpenshelfError):
    code: ClassVar[str] = "offline"
    exit_code: ClassVar[int] = 5
    host: str = ""


@dataclass(eq=False)
class NetworkFailure(OpenshelfError):
    """`why` is timeout, refused, tls, reset, not_a_hub, http_STATUS or early_end."""

    code: ClassVar[str] = "network"
    exit_code: ClassVar[int] = 5
    host: str = ""
    why: str = ""
    detail: str = ""


@dataclass(eq=False)
class ServerFailed(NetworkFailure):
    """The server called `server`: `why` is timeout, refused, tls, reset, early_end, silent,
    bad_key, no_model, not_a_server, not_a_stream, bad_answer, too_large, server_error, refused_ask,
    redirected or http_STATUS; `detail` is what it says, cut and without the key."""

    server: str = ""


@dataclass(eq=False)
class RateLimited(NetworkFailure):
    code: ClassVar[str] = "rate_limited"
    retry_after_seconds: float = 0.0


@dataclass(eq=False)
class DoesNotFit(OpenshelfError):
    """`pool` lacks most; `device` is what a person calls it. `why` is what would help: shorter (to
    `context_length` tokens), taken (other programs have what is missing), or empty."""

    code: ClassVar[str] = "does_not_fit"
    exit_code: ClassVar[int] = 6
    target: str = ""
    pool: str = ""
    needed_bytes: int = 0
    budget_bytes: int = 0
    device: str = ""
    why: str = ""
    context_length: int = 0


@dataclass(eq=False)
class CorruptModel(OpenshelfError):
    """`why` is a code of gguf/header.py, `detail` its figures."""

    code: ClassVar[str] = "corrupt"
    exit_code: ClassVar[int] = 7
    path: str = ""
    why: str = ""
    detail: str = ""


@dataclass(eq=False)
class CorruptBundle(OpenshelfError):
    """`path` inside the bundle; `why` is missing, missing_license, not_a_bundle or too_new."""

    code: ClassVar[str] = "corrupt"
    exit_code: ClassVar[int] = 7
    path: str = ""
    why: str = ""
    detail: str = ""


@dataclass(eq=False)
class CorruptCatalog(OpenshelfError):
    """A file of the catalog, the machine profiles or the quality data; `detail` says where."""

    code: ClassVar[str] = "corrupt"
    exit_code: ClassVar[int] = 7
    path: str = ""
    detail: str = ""


@dataclass(eq=False)
class UnsafeName(OpenshelfError):
    code: ClassVar[str] = "unsafe"
    exit_code: ClassVar[int] = 7
    name: str = ""


@dataclass(eq=False)
class ChecksumMismatch(OpenshelfError):
    """`why` is empty for the SHA-256 of bytes that arrived, etag or size for what the server
    announced, installed for what was found on this disk, bundle and bundle_size for a bundle."""

    code: ClassVar[str] = "checksum"
    exit_code: ClassVar[int] = 7
    path: str = ""
    expected: str = ""
    actual: str = ""
    why: str = ""


@dataclass(eq=False)
class UnsupportedArchitecture(OpenshelfError):
    code: ClassVar[str] = "unsupported_architecture"
    exit_code: ClassVar[int] = 8
    architecture: str = ""


@dataclass(eq=False)
class EngineDied(OpenshelfError):
    """The worker is gone: `signal` is its name (SIGKILL) or empty, `tail` the end of its stderr.

    `why` is hung (we ended it), wrong_cpu, out_of_memory, driver, gave_up (llama.cpp ended itself
    over what the file holds), file_lost (its bytes are no longer there), schema_hung (a JSON
    schema asks for too much), or empty where nothing tells. `path` is the model that it was at
    work with, or empty.
    """

    code: ClassVar[str] = "engine_died"
    exit_code: ClassVar[int] = 8
    exit_status: int | None = None
    signal: str = ""
    during: str = ""
    tail: str = ""
    why: str = ""
    path: str = ""


@dataclass(eq=False)
class EngineFailed(OpenshelfError):
    """The worker lives and said no. `why`: load_failed, template_failed, busy…"""

    code: ClassVar[str] = "engine_died"
    exit_code: ClassVar[int] = 8
    why: str = ""
    detail: str = ""
    tail: str = ""


@dataclass(eq=False)
class ContextFull(EngineFailed):
    """What is to be read has no room in the context. `why` is counted (`needed_tokens` of
    `context_length`), said (`detail` is a server's own word) or too_large (`detail` says what)."""

    code: ClassVar[str] = "does_not_fit"
    exit_code: ClassVar[int] = 6
    needed_tokens: int = 0
    context_length: int = 0


@dataclass(eq=False)
class OutOfMemory(EngineFailed):
    code: ClassVar[str] = "out_of_memory"


@dataclass(eq=False)
class NotEnoughDisk(OpenshelfError):
    """`why` is file_size (the file system takes no file as large), quota, or no_room (nothing more
    is taken although bytes are free: no names are left); empty where the bytes do not suffice."""

    code: ClassVar[str] = "not_enough_disk"
    exit_code: ClassVar[int] = 9
    path: str = ""
    needed_bytes: int = 0
    free_bytes: int = 0
    why: str = ""


@dataclass(eq=False)
class CancelledByUser(OpenshelfError):
    """Raised inside a task when its CancelToken is set; its outcome is `Cancelled`."""

    code: ClassVar[str] = "cancelled"
    exit_code: ClassVar[int] = 130

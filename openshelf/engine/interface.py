"""What every engine offers: the worker process, servers, and the scripted one of the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from openshelf.engine.protocol import ChatMessage, Done, Loaded, Plan, Sampling
from openshelf.engine.servers import Server
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Report, no_report

OnTokens = Callable[[str, int], None]
"""Text, and how many tokens made it."""


@dataclass(frozen=True)
class ModelFile:
    """One file of an installed model: `path` in the repository, `location` on this disk."""

    repo: str
    commit: str
    path: str
    location: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class LoadOrder:
    """What to load and how: all shards in order, the verdict's plan, the policy of this moment;
    the projector of a model that is to see."""

    files: tuple[ModelFile, ...]
    plan: Plan
    policy_sha256: str
    projector: ModelFile | None = None


@dataclass(frozen=True)
class ServerOrder:
    """Which model of which server to talk to, under the policy of this moment. Never its key.

    `context_length` in tokens is taken where the server does not tell its own.
    """

    server: Server
    model: str
    context_length: int
    policy_sha256: str


Order = LoadOrder | ServerOrder
O_contra = TypeVar("O_contra", bound=Order, contravariant=True)


@dataclass(frozen=True)
class Probed:
    """What is known of a model before it is loaded; None and empty where nobody tells."""

    name: str
    architecture: str = ""
    context_length: int | None = None
    has_template: bool | None = None


class EngineLike(Protocol[O_contra]):
    """process.Engine and remote.RemoteEngine say what each method raises; tests/engine/contract.py
    holds them to the same behavior."""

    @property
    def loaded(self) -> Loaded | None: ...
    def probe(self, order: O_contra, cancel: CancelToken) -> Probed: ...
    def load(
        self,
        clearance: Clearance,
        order: O_contra,
        cancel: CancelToken,
        report: Report = no_report,
    ) -> Loaded: ...
    def count_tokens(self, messages: Sequence[ChatMessage], cancel: CancelToken) -> int | None:
        """Of the prompt that these messages make; None where this engine does not tell."""
        ...

    def chat(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        cancel: CancelToken,
        on_tokens: OnTokens,
        report: Report = no_report,
    ) -> Done: ...
    def ping(self) -> float:
        """Seconds to a sign of life, also while it works."""
        ...

    def unload(self) -> None: ...
    def close(self) -> None: ...

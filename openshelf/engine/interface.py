"""What every engine offers: the worker process, the scripted one of the tests, servers later on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from openshelf.engine.protocol import ChatMessage, Devices, Done, Loaded, Plan, Sampling
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


class EngineLike(Protocol):
    """process.Engine says what each method raises."""

    @property
    def loaded(self) -> Loaded | None: ...
    def load(
        self,
        clearance: Clearance,
        order: LoadOrder,
        cancel: CancelToken,
        report: Report = no_report,
    ) -> Loaded: ...
    def chat(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        cancel: CancelToken,
        on_tokens: OnTokens,
        report: Report = no_report,
    ) -> Done: ...
    def devices(self) -> Devices: ...
    def ping(self) -> float: ...
    def unload(self) -> None: ...
    def close(self) -> None: ...

"""What the shelf needs from elsewhere: decisions, what is installed, what lies ready to install."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openshelf.catalog.entries import CatalogModel
from openshelf.catalog.refresh import NEVER_REFRESHED, Freshness
from openshelf.engine.architectures import NOT_ASKED, EngineKnowledge
from openshelf.library.installed import InstalledModel
from openshelf.policy.verdict import Decision

Decide = Callable[[CatalogModel, str], Decision]
"""What the license of a model means when its files come from this GGUF repository."""


@dataclass(frozen=True)
class LocalVariant:
    """A model file on this machine that only waits to be accepted (the starter model)."""

    repo: str
    quant: str
    file: str
    size_bytes: int
    sha256: str = ""

    @property
    def target(self) -> str:
        return f"{self.repo}:{self.quant}"


def _unknown_use(decision: Decision) -> str:
    return "unknown"


@dataclass(frozen=True)
class ShelfParts:
    """Wired by `wiring`. `commercial_use` says yes, conditional, no or unknown of a decision."""

    decide: Decide
    installed: tuple[InstalledModel, ...] = ()
    local: tuple[LocalVariant, ...] = ()
    commercial_use: Callable[[Decision], str] = _unknown_use
    engine: EngineKnowledge = NOT_ASKED
    freshness: Freshness = NEVER_REFRESHED

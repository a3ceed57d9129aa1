"""What one card of the Shelf says: a family's best variant here, or what is missing for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from openshelf.catalog.entries import CatalogModel, Family
from openshelf.catalog.refresh import NEVER_REFRESHED, Freshness
from openshelf.engine.architectures import NOT_ASKED, EngineKnowledge
from openshelf.errors import UnknownFilter
from openshelf.fit.memory import FitRequest
from openshelf.fit.quality import assumed_quality, quality_kept
from openshelf.fit.verdict import Fit
from openshelf.hardware.facts import Machine
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.engine_word import NO_WORD, EngineWord


@dataclass(frozen=True)
class QualityKept:
    """How much of the unquantized model is kept: 0–1 or None, with what that rests on.

    `assumed` is what the ranking reckons with where it was not measured.
    """

    kept: float | None
    basis: str
    assumed: float | None = None

    @classmethod
    def of(
        cls, quant: str, bits_per_weight: float | None, weights: int | None, *, is_native: bool
    ) -> QualityKept:
        kept, basis = quality_kept(quant, bits_per_weight, weights, is_native=is_native)
        if kept is not None:
            return cls(kept, basis)
        return cls(None, basis, assumed_quality(quant, bits_per_weight, weights))

    def as_json(self) -> dict[str, Any]:
        return {"kept": self.kept, "basis": self.basis, "assumed": self.assumed}


@dataclass(frozen=True)
class Variant:
    """One quantized build. `files` is empty and `size_is_expected` true without the Hub's listing.

    `target` is what `install` takes; `is_local` means that no network is needed.
    """

    family: Family
    model: CatalogModel
    repo: str
    quant: str
    size_bytes: int
    size_is_expected: bool
    packager: str
    target: str
    files: tuple[str, ...] = ()
    is_local: bool = False


@dataclass(frozen=True)
class RankedVariant:
    """A variant with everything the shelf says of it."""

    variant: Variant
    fit: Fit
    quality: QualityKept
    reasons: tuple[Reason, ...]
    decision: Decision
    installed_id: str | None = None
    score: dict[str, float] | None = None
    """The parts of its place in the ranking; comparable within one family and preference only."""
    engine: EngineWord = NO_WORD

    def as_json(self) -> dict[str, Any]:
        variant = self.variant
        return {
            "model": variant.model.name,
            "repo": variant.repo,
            "quant": variant.quant,
            "target": variant.target,
            "files": list(variant.files),
            "size_bytes": variant.size_bytes,
            "size_is_expected": variant.size_is_expected,
            "packager": variant.packager,
            "local": variant.is_local,
            "installed": self.installed_id,
            "fit": self.fit.as_json(variant.target),
            "quality": self.quality.as_json(),
            "score": self.score,
            "engine": self.engine.as_json(),
            "reasons": [reason.as_json() for reason in self.reasons],
            "license": self.decision.as_json(variant.target),
        }


@dataclass(frozen=True)
class ShelfRow:
    """`recommended` where something fits; otherwise `nearest`, the one that misses by least."""

    family: Family
    recommended: RankedVariant | None
    nearest: RankedVariant | None
    alternatives: tuple[RankedVariant, ...] = ()
    note: Reason | None = None
    """Why there is neither (no GGUF known, no shape known…)."""
    not_in_engine: tuple[CatalogModel, ...] = ()
    """Models of the family that the engine has no architecture for; never offered."""
    decision: Decision | None = None
    """Of a family that is new: it has no variant whose decision could be told."""

    @property
    def shown(self) -> RankedVariant | None:
        return self.recommended or self.nearest

    def as_json(self) -> dict[str, Any]:
        return {
            "family": self.family.name,
            "publisher": self.family.publisher,
            "origin": self.family.origin,
            "kind": self.family.kind,
            "recommended": self.recommended.as_json() if self.recommended else None,
            "nearest": self.nearest.as_json() if self.nearest else None,
            "alternatives": [variant.as_json() for variant in self.alternatives],
            "note": self.note.as_json() if self.note else None,
            "not_in_engine": [model.name for model in self.not_in_engine],
            "new": self.family.is_new,
            "license": self.decision.as_json(self.family.models[0].hub_repo)
            if self.decision
            else None,
        }


@dataclass(frozen=True)
class Shelf:
    """All rows for one machine and one question, in the order to be shown.

    `starters` are variants that lie on this machine already and only wait to be accepted.
    """

    machine: Machine
    context_length: int
    rows: tuple[ShelfRow, ...]
    starters: tuple[RankedVariant, ...] = ()
    catalog_as_of: str = ""
    engine: EngineKnowledge = NOT_ASKED
    freshness: Freshness = NEVER_REFRESHED
    unknown_filters: tuple[UnknownFilter, ...] = ()
    """Filters with a value that nothing in the catalog has."""

    @property
    def fitting(self) -> int:
        return sum(row.recommended is not None for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine.name,
            "context_length": self.context_length,
            "catalog_as_of": self.catalog_as_of,
            "refreshed_at": _iso(self.freshness.refreshed_at),
            "refresh_note": self.freshness.note.as_json() if self.freshness.note else None,
            "engine": {
                "version": self.engine.engine_version or None,
                "asked": bool(self.engine.known or self.engine.unknown),
            },
            "families": [row.as_json() for row in self.rows],
            "starters": [variant.as_json() for variant in self.starters],
        }


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class ShelfQuestion:
    """`prefer` is speed, balance or quality; the filters are None for "any"."""

    context_length: int = 8192
    prefer: str = "balance"
    kv_type: str = "f16"
    family: str | None = None
    language: str | None = None
    license: str | None = None
    origin: str | None = None
    all_variants: bool = False
    use: str | None = None
    """`commercial`: only what its license is known to allow in business, with conditions or not."""
    capability: str | None = None
    modality: str | None = None
    packager: str | None = None
    """Only variants of this account on the Hub; `publisher` for the models' own publishers."""
    fits_only: bool = False

    @property
    def request(self) -> FitRequest:
        return FitRequest(
            context_length=self.context_length, kv_type_k=self.kv_type, kv_type_v=self.kv_type
        )

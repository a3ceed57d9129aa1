"""What the shelf knows of every variant before it looks at a machine: sums, bits, abilities.

Worked out once for a context length and KV type; a machine, a preference or a filter then costs a
few comparisons per variant.
"""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.catalog.entries import Catalog, CatalogModel, Family
from openshelf.catalog.packagers import load_packagers
from openshelf.catalog.quants import expected_file_bytes
from openshelf.fit.choice import Prospect
from openshelf.fit.expected import shape_from_catalog
from openshelf.fit.memory import FitRequest, ModelShape
from openshelf.fit.outlook import Frame, Sums
from openshelf.fit.scores import Precision
from openshelf.library.installed import InstalledModel
from openshelf.shelf.parts import LocalVariant, ShelfParts
from openshelf.shelf.rows import QualityKept, Variant
from openshelf.shelf.variants import installed_as, variants_of

_DAYS_PER_YEAR = 365.25
_LOCAL_BONUS = 1000.0
"""Of equals, the one that needs no download."""


@dataclass(frozen=True)
class StockKey:
    """What the prospects depend on."""

    request: FitRequest
    installed: tuple[InstalledModel, ...]
    local: tuple[LocalVariant, ...]


@dataclass(frozen=True)
class Stock:
    """The prospects of each model by its id, smallest variant first; a prospect's `key` is its
    Variant. Models that the engine does not know have none."""

    key: StockKey
    prospects: dict[str, tuple[Prospect, ...]]

    @classmethod
    def of(cls, catalog: Catalog, parts: ShelfParts, request: FitRequest) -> Stock:
        """Raises UsageError for a context length or KV type that makes no sense."""
        prospects = {
            model.id: prospects_for(variants_of(family, model, parts), parts, request)
            for family in catalog.families
            for model in family.models
            if model.shape.architecture is not None
        }
        return cls(StockKey(request, parts.installed, parts.local), prospects)

    def of_models(self, models: Sequence[CatalogModel]) -> list[Prospect]:
        return [p for model in models for p in self.prospects.get(model.id, ())]


def shape_of(variant: Variant) -> ModelShape:
    """The expected shape of a variant, from the catalog's row and the file's size."""
    model = variant.model
    return shape_from_catalog(model.shape, variant.size_bytes, model.file_weights, variant.quant)


def precision_of(variant: Variant, shape: ModelShape) -> Precision:
    model, bits = variant.model, bits_per_weight(variant)
    quality = quality_of(variant, bits)
    return Precision(
        quant=variant.quant,
        parameters=model.parameters or model.weights_count,
        bits_per_weight=bits,
        quality=quality.kept,
        native_bits=native_bits_of(model),
        years_behind=years_behind(model, variant.family),
        active_parameters=model.active_parameters or shape.active_parameters,
        is_special=model.specialty is not None,
        assumed=quality.assumed,
    )


def native_bits_of(model: CatalogModel) -> float | None:
    """Bits per weight of the file as released, where that is a quantized one."""
    if model.native_quant is None or not model.file_weights:
        return None
    size = expected_file_bytes(model, model.native_quant)
    return size * 8 / model.file_weights if size else None


def years_behind(model: CatalogModel, family: Family) -> float:
    """How much older than the newest of its family's chat models; without a date, as the others."""
    dates = [
        datetime.date.fromisoformat(other.release_date)
        for other in family.models
        if other.is_for_chat and other.release_date
    ]
    if not dates:
        return 0.0
    own = model.release_date
    released = datetime.date.fromisoformat(own) if own else statistics.median_low(dates)
    return max(0.0, (max(dates) - released).days / _DAYS_PER_YEAR)


def bits_per_weight(variant: Variant) -> float | None:
    weights = variant.model.file_weights
    return variant.size_bytes * 8 / weights if weights else None


def quality_of(variant: Variant, bits: float | None) -> QualityKept:
    weights = variant.model.parameters or variant.model.file_weights
    is_native = variant.quant == variant.model.native_quant
    return QualityKept.of(variant.quant, bits, weights, is_native=is_native)


def tiebreak_of(variant: Variant) -> float:
    standing = load_packagers().of(variant.repo).standing
    return standing + (_LOCAL_BONUS if variant.is_local else 0.0)


def prospects_for(
    variants: Sequence[Variant], parts: ShelfParts, request: FitRequest
) -> tuple[Prospect, ...]:
    """Of variants of one model."""
    frame = None
    prospects = []
    for variant in variants:
        shape = shape_of(variant)
        frame = frame or Frame.of(shape, request)
        installed = installed_as(variant, parts.installed)
        prospects.append(
            Prospect.of(
                variant,
                precision_of(variant, shape),
                Sums.of(shape, frame),
                tiebreak_of(variant),
                is_measured=bool(installed and installed.decode_tokens_per_second),
            )
        )
    return tuple(prospects)

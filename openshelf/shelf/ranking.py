"""A family's variants, fitted to a machine and ranked: what its card says and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from openshelf.catalog.entries import CatalogModel, Family
from openshelf.catalog.packagers import load_packagers
from openshelf.engine.architectures import EngineKnowledge
from openshelf.fit.expected import shape_from_catalog
from openshelf.fit.memory import FitRequest
from openshelf.fit.quality import quality_kept
from openshelf.fit.recommend import Candidate, Ranked, missing_bytes, rank
from openshelf.fit.verdict import Fit, FitVerdict, fit_on
from openshelf.hardware.facts import Machine
from openshelf.library.installed import InstalledModel
from openshelf.reasons import Reason
from openshelf.shelf.engine_word import ENGINE, EngineWord, engine_word
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.rows import QualityKept, RankedVariant, ShelfQuestion, Variant

_LOCAL_BONUS = 1000.0
"""Of equals, the one that needs no download."""


@dataclass(frozen=True)
class Bench:
    """What every variant of one shelf is measured against."""

    machine: Machine
    question: ShelfQuestion
    parts: ShelfParts
    fits: dict[tuple[object, ...], Fit] = field(default_factory=dict)
    """Fits worked out so far: distills and later releases share their base's shape."""

    @property
    def request(self) -> FitRequest:
        kv_type = self.question.kv_type
        return FitRequest(
            context_length=self.question.context_length, kv_type_k=kv_type, kv_type_v=kv_type
        )

    def installed(self, variant: Variant) -> InstalledModel | None:
        for model in self.parts.installed:
            if (model.repo.casefold(), model.quant) == (variant.repo.casefold(), variant.quant):
                return model
        return None


def fit_variant(variant: Variant, bench: Bench) -> Fit:
    """The estimate for one variant, from the catalog's shape and the file's size."""
    model = variant.model
    installed = bench.installed(variant)
    measured = installed.decode_tokens_per_second if installed else None
    key = (model.shape, variant.size_bytes, model.file_weights, variant.quant, measured)
    if key not in bench.fits:
        shape = shape_from_catalog(
            model.shape, variant.size_bytes, model.file_weights, variant.quant
        )
        bench.fits[key] = fit_on(
            shape, bench.machine, bench.request, measured_decode_per_second=measured
        )
    return bench.fits[key]


def fit_variants(variants: Sequence[Variant], bench: Bench) -> list[tuple[Variant, Fit]]:
    """Fits of one model's variants (smallest first).

    What is larger than one that does not fit does not fit either, and is left out unless every
    variant is asked for.
    """
    fits = []
    for variant in variants:
        fit = fit_variant(variant, bench)
        fits.append((variant, fit))
        if fit.verdict is FitVerdict.DOES_NOT_FIT and not bench.question.all_variants:
            break
    return fits


def rank_variants(fits: Iterable[tuple[Variant, Fit]], prefer: str) -> list[Ranked]:
    """Best first; each candidate's `key` is its Variant."""
    return rank([_candidate(variant, fit) for variant, fit in fits], prefer)


def _candidate(variant: Variant, fit: Fit) -> Candidate:
    model = variant.model
    bits = _bits_per_weight(variant)
    packager = load_packagers().of(variant.repo)
    return Candidate(
        key=variant,
        quant=variant.quant,
        parameters=model.parameters or model.weights_count,
        bits_per_weight=bits,
        quality=_quality(variant, bits).kept,
        fit=fit,
        tiebreak=packager.standing + (_LOCAL_BONUS if variant.is_local else 0.0),
    )


def _bits_per_weight(variant: Variant) -> float | None:
    weights = variant.model.file_weights
    return variant.size_bytes * 8 / weights if weights else None


def _quality(variant: Variant, bits: float | None) -> QualityKept:
    weights = variant.model.parameters or variant.model.file_weights
    return QualityKept(*quality_kept(variant.quant, bits, weights))


def ranked_variant(ranked: Ranked, bench: Bench, extra: Sequence[Reason] = ()) -> RankedVariant:
    """The row's own form of a ranked candidate: with its decision, reasons and install state."""
    variant = variant_of(ranked)
    installed = bench.installed(variant)
    word = engine_word(variant.model, bench.parts.engine)
    return RankedVariant(
        variant=variant,
        fit=ranked.candidate.fit,
        quality=_quality(variant, _bits_per_weight(variant)),
        reasons=(
            *place_reasons(ranked.candidate.fit, variant),
            *(extra or _rank_reason(ranked)),
            *_engine_reason(word, bench.parts.engine),
        ),
        decision=bench.parts.decide(variant.model, variant.repo),
        installed_id=installed.id if installed else None,
        score=ranked.score.as_json(),
        engine=word,
    )


def _engine_reason(word: EngineWord, engine: EngineKnowledge) -> tuple[Reason, ...]:
    """Said only where the engine could not be asked; until it was asked, the JSON tells."""
    if engine.failure is None or word.basis == ENGINE:
        return ()
    return (Reason("shelf_engine_not_asked"),)


def variant_of(ranked: Ranked) -> Variant:
    variant = ranked.candidate.key
    if not isinstance(variant, Variant):
        raise TypeError(f"not a variant: {variant!r}")
    return variant


def _rank_reason(ranked: Ranked) -> tuple[Reason, ...]:
    """The first of its reasons; quality has a line of its own on the card."""
    told = [reason for reason in ranked.reasons if reason.code != "rank_quality"]
    return tuple(told[:1])


def place_reasons(fit: Fit, variant: Variant) -> tuple[Reason, ...]:
    """Where it runs, or by how much it misses; and how sure that is."""
    if fit.known_architecture or fit.verdict is FitVerdict.UNKNOWN:
        return (_place_reason(fit, variant),)
    return (
        _place_reason(fit, variant),
        Reason("fit_upper_bound", {"architecture": fit.architecture or "?"}),
    )


def _place_reason(fit: Fit, variant: Variant) -> Reason:
    context = {"context_length": fit.request.context_length}
    match fit.verdict:
        case FitVerdict.FITS_GPU:
            return Reason("shelf_runs_on_gpu", context)
        case FitVerdict.FITS_SPLIT if fit.request.experts_on_cpu or _keeps_experts_on_cpu(fit):
            return Reason("shelf_runs_with_experts_in_ram", context)
        case FitVerdict.FITS_SPLIT:
            share = min(fit.gpu_layers / (fit.n_layers + 1), 1.0)
            code = "shelf_runs_half_on_gpu" if 0.4 <= share <= 0.6 else "shelf_runs_split"
            return Reason(code, {**context, "gpu_share": round(share, 3)})
        case FitVerdict.FITS_CPU:
            return Reason("shelf_runs_on_cpu", context)
        case FitVerdict.UNKNOWN:
            data = {"architecture": fit.architecture or "?", "needed_bytes": fit.total_bytes}
            return Reason("shelf_memory_unknown", data)
        case FitVerdict.DOES_NOT_FIT:
            data = {"quant": variant.quant, "missing_bytes": missing_bytes(fit)}
            return Reason("shelf_misses_by", data)


def _keeps_experts_on_cpu(fit: Fit) -> bool:
    return fit.plan is not None and fit.plan.experts_on_cpu > 0


def missing_model(family: Family, engine: EngineKnowledge) -> Reason:
    """Why no variant of the family can be named at all."""
    models: tuple[CatalogModel, ...] = family.models
    names = [model.label or model.name for model in models]
    words = [engine_word(model, engine) for model in models]
    if all(word.supported is False for word in words):
        if all(word.basis == ENGINE for word in words):
            data: dict[str, object] = {"models": names, "engine": engine.engine_version}
            return Reason("shelf_engine_lacks", data)
        return Reason("shelf_not_in_engine", {"models": names})
    if family.is_new:
        return Reason("shelf_new_not_reviewed", {"models": names})
    if not any(model.gguf_repos for model in models):
        return Reason("shelf_no_gguf_known", {"models": names})
    return Reason("shelf_no_size_known", {"models": names})

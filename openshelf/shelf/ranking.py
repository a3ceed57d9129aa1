"""A family's variants, fitted to a machine and ranked: what its card says and why."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from openshelf.catalog.entries import CatalogModel, Family
from openshelf.engine.architectures import EngineKnowledge
from openshelf.fit.choice import Choice, Prospect
from openshelf.fit.outlook import Ground
from openshelf.fit.recommend import Candidate, Ranked, missing_bytes, rank
from openshelf.fit.verdict import Fit, FitVerdict, fit_on
from openshelf.hardware.facts import Machine
from openshelf.library.installed import InstalledModel
from openshelf.reasons import Reason
from openshelf.shelf.engine_word import ENGINE, EngineWord, engine_word
from openshelf.shelf.parts import ShelfParts
from openshelf.shelf.prospects import Stock, bits_per_weight, quality_of, shape_of
from openshelf.shelf.rows import QualityKept, RankedVariant, ShelfQuestion, Variant
from openshelf.shelf.variants import installed_as


@dataclass(frozen=True)
class Bench:
    """What every variant of one shelf is measured against."""

    machine: Machine
    question: ShelfQuestion
    parts: ShelfParts
    stock: Stock
    fits: dict[tuple[object, ...], Fit] = field(default_factory=dict)
    """Fits worked out so far: distills and later releases share their base's shape."""

    @functools.cached_property
    def ground(self) -> Ground:
        return Ground.of(self.machine)

    def installed(self, variant: Variant) -> InstalledModel | None:
        return installed_as(variant, self.parts.installed)

    def choice(self, prospects: Sequence[Prospect]) -> Choice:
        """The best of these on this machine, for any preference."""
        return Choice(prospects, self.ground, self._fit_of)

    def _fit_of(self, prospect: Prospect) -> Fit:
        return fit_variant(_variant(prospect.key), self)


def fit_variant(variant: Variant, bench: Bench, *, is_brief: bool = True) -> Fit:
    """The estimate for one variant, from the catalog's shape and the file's size; `is_brief`
    leaves out what would make it fit."""
    model = variant.model
    installed = bench.installed(variant)
    measured = installed.decode_tokens_per_second if installed else None
    key = (model.shape, variant.size_bytes, model.file_weights, variant.quant, measured, is_brief)
    if key not in bench.fits:
        bench.fits[key] = fit_on(
            shape_of(variant),
            bench.machine,
            bench.question.request,
            measured_decode_per_second=measured,
            is_brief=is_brief,
        )
    return bench.fits[key]


def rank_all(prospects: Sequence[Prospect], bench: Bench) -> list[Ranked]:
    """Every variant with its fit, best first; each candidate's `key` is its Variant."""
    candidates = [
        Candidate(p.key, p.precision, fit_variant(_variant(p.key), bench), p.tiebreak)
        for p in prospects
    ]
    return rank(candidates, bench.question.prefer)


def ranked_variant(ranked: Ranked, bench: Bench, extra: Sequence[Reason] = ()) -> RankedVariant:
    """The row's own form of a ranked candidate: with its decision, reasons and install state."""
    variant, fit = variant_of(ranked), ranked.candidate.fit
    installed = bench.installed(variant)
    word = engine_word(variant.model, bench.parts.engine)
    quality = quality_of(variant, bits_per_weight(variant))
    return RankedVariant(
        variant=variant,
        fit=fit if fit.verdict.fits else fit_variant(variant, bench, is_brief=False),
        quality=quality,
        reasons=(
            *place_reasons(fit, variant),
            *(extra or _rank_reason(ranked)),
            *_assumed_reason(variant, quality),
            *_engine_reason(word, bench.parts.engine),
        ),
        decision=bench.parts.decide(variant.model, variant.repo),
        installed_id=installed.id if installed else None,
        score=ranked.score.as_json(),
        engine=word,
    )


def _assumed_reason(variant: Variant, quality: QualityKept) -> tuple[Reason, ...]:
    if quality.assumed is None:
        return ()
    data = {"quant": variant.quant, "assumed": quality.assumed}
    return (Reason("rank_quality_assumed", data),)


def _engine_reason(word: EngineWord, engine: EngineKnowledge) -> tuple[Reason, ...]:
    """Said only where the engine could not be asked; until it was asked, the JSON tells."""
    if engine.failure is None or word.basis == ENGINE:
        return ()
    return (Reason("shelf_engine_not_asked"),)


def variant_of(ranked: Ranked) -> Variant:
    return _variant(ranked.candidate.key)


def _variant(key: object) -> Variant:
    if not isinstance(key, Variant):
        raise TypeError(f"not a variant: {key!r}")
    return key


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
    names = [model.name for model in models]
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


def no_chat_model(models: Sequence[CatalogModel]) -> Reason:
    """Why nothing of these is recommended: they are made for something else than answering."""
    is_embedding = all(model.is_embedding for model in models)
    names = [model.name for model in models]
    return Reason("shelf_embeddings" if is_embedding else "shelf_not_for_chat", {"models": names})

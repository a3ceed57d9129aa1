"""The answers about what a model can do, as far as publishers say it and somebody measured it."""

from __future__ import annotations

from collections.abc import Callable

from openshelf.catalog.entries import CatalogModel
from openshelf.reasons import Reason
from openshelf.shelf.evidence import Answer, Evidence, Mark, unknown

Tell = Callable[[CatalogModel], tuple[Reason, ...]]
"""What the catalog says of a model on one topic; nothing where it does not know."""


def product_answers(evidence: Evidence) -> tuple[Answer, ...]:
    """What goes in and out, how well and how fast, and what of it was released."""
    return (
        _of_catalog(evidence, "modalities", _modalities),
        _of_catalog(evidence, "languages", _languages),
        _of_catalog(evidence, "capabilities", _capabilities),
        _of_catalog(evidence, "release_date", _released),
        _speed(evidence),
        _quality(evidence),
        _of_catalog(evidence, "openness", _openness),
        *_tradeoffs(evidence),
        unknown("own_tasks", Reason("answer_own_tasks")),
    )


def _of_catalog(evidence: Evidence, topic: str, tell: Tell) -> Answer:
    """A fact of the catalog, with the mark that nobody verified it where that is so."""
    listing = evidence.listing
    if listing.model is None or listing.family is None:
        return unknown(topic, Reason("answer_not_in_catalog"))
    says = tell(listing.model)
    if not says:
        return unknown(topic)
    reviewed = listing.family.reviewed
    source = Reason("source_catalog", {"reviewed": reviewed})
    if not reviewed:
        source = Reason("source_catalog_undated")
    mark = Mark.UNVERIFIED if topic in listing.model.unverified else Mark.KNOWN
    return Answer(topic, says, source, mark)


def _modalities(model: CatalogModel) -> tuple[Reason, ...]:
    names = list(model.modalities)
    return (Reason("answer_modalities", {"names": names}),) if names else ()


def _languages(model: CatalogModel) -> tuple[Reason, ...]:
    languages = model.languages
    says = []
    if languages.count is not None:
        says.append(Reason("answer_languages", {"count": languages.count}))
    if languages.codes:
        says.append(Reason("answer_language_codes", {"codes": list(languages.codes)}))
    if says and languages.basis:
        says.append(Reason("answer_language_basis", {"basis": languages.basis}))
    return tuple(says)


def _capabilities(model: CatalogModel) -> tuple[Reason, ...]:
    names = list(model.capabilities)
    return (Reason("answer_capabilities", {"names": names}),) if names else ()


def _released(model: CatalogModel) -> tuple[Reason, ...]:
    if model.release_date is None:
        return ()
    return (Reason("answer_released", {"date": model.release_date}),)


def _openness(model: CatalogModel) -> tuple[Reason, ...]:
    openness = model.openness
    if openness is None:
        return ()
    weights = "answer_weights_open" if openness.weights else "answer_weights_closed"
    return (
        Reason(weights),
        Reason("answer_training_data", {"value": openness.training_data}),
        Reason("answer_code", {"value": openness.code}),
    )


def _speed(evidence: Evidence) -> Answer:
    fit = evidence.fit
    if fit is None or fit.speed is None or not fit.verdict.fits:
        return unknown("speed")
    data = {"low": fit.speed.decode.low, "high": fit.speed.decode.high}
    if fit.speed.basis == "measured":
        return Answer("speed", (Reason("answer_speed", data),), Reason("source_measured_here"))
    source = Reason("source_learned" if fit.speed.learned else "source_bandwidth")
    return Answer("speed", (Reason("answer_speed", data),), source, Mark.EXPECTED)


def _quality(evidence: Evidence) -> Answer:
    build = evidence.build
    if build is None or build.quality.kept is None:
        return unknown("quality", Reason("answer_quality_unmeasured"))
    data = {"kept": build.quality.kept, "quant": build.quant or build.name}
    source = Reason("source_quality", {"basis": build.quality.basis})
    return Answer("quality", (Reason("answer_quality", data),), source, Mark.EXPECTED)


def _tradeoffs(evidence: Evidence) -> tuple[Answer, ...]:
    """The family's row of the trade-off table; opinions are marked as such."""
    row = evidence.listing.family.tradeoffs if evidence.listing.family is not None else None
    if row is None:
        return ()
    source = Reason("source_tradeoffs", {"source": row.source})
    answers = []
    for name in ("license", "strength", "weakness"):
        mark = Mark.UNVERIFIED if name in row.unverified else Mark.KNOWN
        mark = Mark.JUDGEMENT if name in row.judgement else mark
        says = Reason("answer_tradeoff", {"text": getattr(row, name)})
        answers.append(Answer(f"tradeoff_{name}", (says,), source, mark))
    return tuple(answers)

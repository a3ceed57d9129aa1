"""What a card of the Shelf says, in words: speed, quality, languages, verdict, place in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from openshelf.catalog.entries import Languages
from openshelf.fit.pools import RAM, budgets
from openshelf.fit.verdict import Fit, FitVerdict, Speed
from openshelf.hardware.facts import Machine
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.license import License
from openshelf.policy.verdict import Decision
from openshelf.shelf.rows import QualityKept, RankedVariant, ShelfRow
from openshelf.ui.theme.kinds import ChipKind
from openshelf.units import GIB, format_bytes


def _tr(text: str, count: int = -1) -> str:
    return QCoreApplication.translate("ShelfWords", text, "", count)


@dataclass(frozen=True)
class ChipText:
    text: str
    kind: ChipKind


def fit_words(fit: Fit) -> str:
    """Where the model would lie: the word beside the bar."""
    match fit.verdict:
        case FitVerdict.FITS_GPU:
            return _tr("all on GPU")
        case FitVerdict.FITS_SPLIT:
            return _tr("GPU + RAM")
        case FitVerdict.FITS_CPU:
            return _tr("in RAM")
        case FitVerdict.DOES_NOT_FIT:
            return _tr("does not fit")
        case FitVerdict.UNKNOWN:
            return _tr("fit unknown")


def speed_words(speed: Speed | None) -> str:
    if speed is None:
        return "—"
    if speed.decode.high < 1:
        return _tr("below 1 tok/s")
    places = 1 if speed.decode.low < 3 else 0
    low, high = (f"{value:.{places}f}" for value in (speed.decode.low, speed.decode.high))
    figures = low if low == high else f"{low}–{high}"
    return _tr("{figures} tok/s").format(figures=figures)


def speed_mark(speed: Speed | None) -> str:
    """`measured here` where this very file answered on this machine before."""
    return _tr("measured here") if speed is not None and speed.basis == "measured" else ""


def speed_details(speed: Speed | None) -> str:
    """Where the figures come from; empty where there are none."""
    if speed is None:
        return ""
    if speed.basis == "measured":
        return _tr("Measured here, in the latest answers of this very file.")
    if speed.learned:
        return _tr("Estimated from what other models reached on this machine, measured here.")
    return _tr("Estimated from the bandwidth that such a machine usually has.")


def quality_words(quality: QualityKept) -> str:
    """Share of the unquantized model's choices that the quantized one still makes, as a word."""
    kept = quality.kept
    if kept is None:
        return _tr("Not measured")
    for least, word in (
        (0.995, _tr("Full")),
        (0.975, _tr("High")),
        (0.94, _tr("Good")),
        (0.88, _tr("Fair")),
    ):
        if kept >= least:
            return word
    return _tr("Low")


def quality_details(quality: QualityKept) -> str:
    if quality.kept is None:
        said = _tr("Nobody measured this quantization yet.")
        if quality.assumed is None:
            return said
        assumed = _tr("It is ranked as if it kept {share} of the unquantized model.")
        return f"{said} {assumed.format(share=f'{quality.assumed * 100:.0f} %')}"
    share = f"{quality.kept * 100:.1f} %"
    text = _tr("Keeps about {share} of the unquantized model ({basis}).")
    return text.format(share=share, basis=quality.basis)


def language_words(languages: Languages) -> str:
    """The publisher's count, else how many its repository names."""
    count = languages.count or len(languages.codes)
    return _tr("%n language(s)", count) if count else _tr("Not stated")


def verdict_chip(decision: Decision) -> ChipText:
    match decision.verdict:
        case Verdict.ALLOWED:
            return ChipText(_tr("Allowed"), ChipKind.GOOD)
        case Verdict.ALLOWED_WITH_OBLIGATIONS:
            return ChipText(_tr("With obligations"), ChipKind.ACCENT)
        case Verdict.NEEDS_REVIEW:
            return ChipText(_tr("Needs review"), ChipKind.WARNING)
        case Verdict.BLOCKED:
            return ChipText(_tr("Blocked"), ChipKind.BAD)


def license_chip(decision: Decision, licenses: Mapping[str, License]) -> ChipText:
    """The effective licenses; green only where every one of them is permissive."""
    ids = decision.license.effective
    classes = {licenses[key].license_class if key in licenses else "unknown" for key in ids}
    if classes <= {"permissive", "public-domain"} and ids:
        kind = ChipKind.GOOD
    elif any("non-commercial" in name or "research" in name for name in classes):
        kind = ChipKind.BAD
    else:
        kind = ChipKind.WARNING
    return ChipText(" + ".join(ids) or _tr("no license found"), kind)


def size_words(ranked: RankedVariant) -> str:
    size = format_bytes(ranked.variant.size_bytes)
    return f"≈ {size}" if ranked.variant.size_is_expected else size


def variant_title(row: ShelfRow, ranked: RankedVariant) -> str:
    """`14B · Q3_K_M`, or the model and "none fits"; the card's title names the family."""
    last = ranked.variant.quant if row.recommended is not None else _tr("none fits")
    model = ranked.variant.model
    return f"{model.label or model.name} · {last}"


def budget_words(machine: Machine) -> str:
    """What sizes are checked against, and what of the free memory is kept back from models."""
    free, budget = {RAM: machine.memory.available_bytes}, budgets(machine)
    free |= {gpu.id: gpu.free_bytes for gpu in machine.gpus if gpu.free_bytes is not None}
    pools = ((_tr("VRAM"), [pool for pool in budget if pool != RAM]), (_tr("RAM"), [RAM]))
    used, left, kept = [], [], []
    for name, held in pools:
        if not held:
            continue
        usable = sum(budget[pool] for pool in held)
        unused = sum(free.get(pool, budget[pool]) for pool in held)
        size = format_bytes(usable, binary=True)
        used.append(_tr("{size} of {memory}").format(size=size, memory=name))
        left.append(_gib_number(unused))
        kept.append(_gib_number(max(0, unused - usable)))
    text = _tr("Sizes are checked against {used}: {free} free, {kept} kept for you.")
    return text.format(used=" + ".join(used), free=" + ".join(left), kept=" + ".join(kept))


def _gib_number(count: int) -> str:
    return f"{count / GIB:.1f}"

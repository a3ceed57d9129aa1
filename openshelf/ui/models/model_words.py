"""What the Model screen says in words: where a build lies, how fast, how much is lost, how sure."""

from __future__ import annotations

import enum
import re
import unicodedata

from PySide6.QtCore import QCoreApplication, QDate, QLocale

from openshelf.fit.pools import budgets, usable_gpus
from openshelf.fit.recommend import missing_bytes
from openshelf.fit.verdict import Fit, FitVerdict
from openshelf.hardware.facts import Machine
from openshelf.shelf.builds import Build, BuildRow, PackagerKind
from openshelf.shelf.rows import QualityKept
from openshelf.ui.models.moments import local_day
from openshelf.ui.models.shelf_words import speed_words
from openshelf.units import format_bytes

UNKNOWN = "—"
_REFUSALS = (
    "fit_engine_refuses", "fit_engine_lacks_architecture", "fit_engine_died", "fit_engine_hung",
)  # fmt: skip
_LONGEST_TITLE = 48
_COUNTS = ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K"))


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelWords", text)


class Basis(enum.IntEnum):
    """What the figures of a row rest on, the surest first."""

    VERIFIED = 0
    HEADER = 1
    SIBLING = 2
    EXPECTED = 3
    BOUND = 4
    UNKNOWN = 5
    REFUSED = 6
    """The engine was asked and cannot load it."""


def basis_of(fit: Fit | None) -> Basis:
    if fit is None:
        return Basis.UNKNOWN
    if fit.method == "dry-run":
        return Basis.VERIFIED
    if any(reason.code in _REFUSALS for reason in fit.reasons[:1]):
        return Basis.REFUSED
    if not fit.known_architecture:
        return Basis.BOUND
    sources = {"header": Basis.HEADER, "sibling": Basis.SIBLING}
    return sources.get(fit.shape_source, Basis.EXPECTED)


def basis_words(basis: Basis) -> str:
    match basis:
        case Basis.VERIFIED:
            return _tr("Verified")
        case Basis.HEADER:
            return _tr("From header")
        case Basis.SIBLING:
            return _tr("Estimate")
        case Basis.EXPECTED:
            return _tr("Expected")
        case Basis.BOUND:
            return _tr("Upper bound")
        case Basis.REFUSED:
            return _tr("Not loadable")
        case Basis.UNKNOWN:
            return _tr("Unknown")


def basis_details(basis: Basis) -> str:
    match basis:
        case Basis.VERIFIED:
            return _tr("The engine laid this model out without its weights: its own figures.")
        case Basis.HEADER:
            return _tr("Worked out from this file’s own header.")
        case Basis.SIBLING:
            return _tr("An estimate, worked out from the header of another variant of this model.")
        case Basis.EXPECTED:
            return _tr(
                "Worked out from the catalog’s description of the model: no header was read yet."
            )
        case Basis.BOUND:
            return _tr("The memory rules of this architecture are not known here: at most this.")
        case Basis.REFUSED:
            return _tr("The engine was asked and cannot load this.")
        case Basis.UNKNOWN:
            return _tr("Nothing is known of this model’s shape yet.")


def plain(text: str) -> str:
    """`text` without control marks and marks that turn the direction: names come from strangers."""
    return "".join(mark for mark in text if unicodedata.category(mark) not in ("Cc", "Cf"))


_LONG_WORD = re.compile(r"\S{25,}")
_LONG_PART = re.compile(r"[^\s\-]{25,}")
_PIECE = re.compile(r".{1,16}")


def breakable(text: str, *, at_hyphens: bool = False) -> str:
    """With places at which a long hash, path or address may go on in the next line.

    `at_hyphens`: a name of words with hyphens breaks there by itself and stays as it is.
    """
    long = _LONG_PART if at_hyphens else _LONG_WORD
    return long.sub(lambda word: "\u200b".join(_PIECE.findall(word[0])), text)


def build_title(build: Build) -> str:
    """`Q4_K_M`, or the file's name where it tells no quantization."""
    title = plain(build.quant or build.name)
    return title if len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}…"


def where_words(fit: Fit | None) -> str:
    """Where a build would lie: the words below its bar."""
    if fit is None:
        return _tr("Memory not known")
    match fit.verdict:
        case FitVerdict.FITS_GPU:
            return _tr("All on GPU")
        case FitVerdict.FITS_SPLIT if fit.plan is not None and fit.plan.experts_on_cpu:
            return _tr("GPU, experts in RAM")
        case FitVerdict.FITS_SPLIT:
            text = _tr("GPU {layers}/{all} + RAM")
            return text.format(layers=fit.gpu_layers, all=fit.n_layers + 1)
        case FitVerdict.FITS_CPU:
            return _tr("In RAM")
        case FitVerdict.DOES_NOT_FIT:
            size = format_bytes(missing_bytes(fit), binary=True)
            return _tr("Too large by {size}").format(size=size)
        case FitVerdict.UNKNOWN:
            is_refused = basis_of(fit) is Basis.REFUSED
            return _tr("Not loadable") if is_refused else _tr("May fit")


def row_speed(fit: Fit | None) -> str:
    """Speed of something that cannot run here would only mislead."""
    return speed_words(fit.speed) if fit is not None and fit.verdict.fits else UNKNOWN


def size_words(build: Build) -> str:
    size = format_bytes(build.size_bytes)
    return f"≈ {size}" if build.size_is_expected else size


def bits_words(build: Build) -> str:
    return UNKNOWN if build.bits_per_weight is None else f"{build.bits_per_weight:.1f}"


def lost_words(quality: QualityKept) -> str:
    if quality.kept is None:
        return _tr("Not measured")
    lost = max(0.0, 1 - quality.kept) * 100
    if 0 < lost < 0.1:
        return _tr("< 0.1 %")
    return f"{lost:.0f} %" if lost >= 10 or lost == 0 else f"{lost:.1f} %"


def packager_words(build: Build) -> str:
    name = plain(build.packager.name)
    return _tr("{name} (official)").format(name=name) if build.is_publisher else name


def packager_kind_words(build: Build) -> tuple[str, str]:
    """In full, and where there is little room."""
    match build.packager_kind:
        case PackagerKind.PUBLISHER:
            return _tr("Publisher"), _tr("Publisher")
        case PackagerKind.KNOWN:
            return _tr("Known packager"), _tr("Known")
        case PackagerKind.OTHER:
            return _tr("Other packager"), _tr("Other")


def recipe_words(build: Build) -> str:
    """How it was quantized, as far as somebody says; empty where nobody does."""
    recipe = build.recipe
    words = (_tr("dynamic") if recipe.dynamic else "", _tr("imatrix") if recipe.imatrix else "")
    return " · ".join(filter(None, words))


def recipe_details(build: Build) -> str:
    recipe = build.recipe
    lines = []
    if recipe.dynamic:
        lines.append(_tr("Dynamic: each tensor got a precision of its own, as its name says."))
    if recipe.imatrix:
        text = {
            "name": _tr("Made with an importance matrix, as its name says."),
            "tags": _tr("Made with an importance matrix, as the repository’s tags say."),
            "card": _tr("Made with an importance matrix, as the repository’s card says."),
            "files": _tr("Made with an importance matrix, which lies beside it."),
        }
        lines.append(text.get(recipe.basis or "", ""))
    return "\n".join(filter(None, lines))


def month_words(build: Build) -> str:
    """`May 2026`; empty where the Hub did not say when the repository changed last."""
    day = local_day(build.last_modified or "")
    return (
        "" if day is None else QLocale().toString(QDate(day.year, day.month, day.day), "MMM yyyy")
    )


def date_details(build: Build) -> str:
    day = _changed(build)
    if day is None:
        return ""
    date = QLocale().toString(day, QLocale.FormatType.LongFormat)
    return _tr("The repository changed last on {date}.").format(date=date)


def _changed(build: Build) -> QDate | None:
    day = local_day(build.last_modified or "")
    return None if day is None else QDate(day.year, day.month, day.day)


def packager_details(build: Build) -> str:
    lines = [plain(build.repo)]
    if build.packager_kind is PackagerKind.OTHER:
        lines.append(_tr("Openshelf knows nothing of this packager."))
    if build.packager.has_imatrix and build.recipe.imatrix is None:
        lines.append(_tr("Usually quantized with an importance matrix; not stated here."))
    lines.append(date_details(build))
    return "\n".join(filter(None, lines))


def count_words(count: int | None) -> str:
    """`1_900_000` → `1.9M`."""
    if count is None:
        return UNKNOWN
    for size, mark in _COUNTS:
        if count >= size:
            value = count / size
            figures = f"{value:.0f}" if value >= 99.95 else f"{value:.1f}".removesuffix(".0")
            return f"{figures}{mark}"
    return str(count)


def spoken_row(row: BuildRow, *, is_recommended: bool) -> str:
    """The whole row in one breath, for a screen reader."""
    build, fit = row.build, row.fit
    words = [
        build_title(build),
        _tr("recommended") if is_recommended else "",
        size_words(build),
        where_words(fit),
        "" if row_speed(fit) == UNKNOWN else row_speed(fit),
        _tr("quality lost: {lost}").format(lost=lost_words(build.quality)),
        recipe_words(build),
        _tr("packaged by {name}").format(name=packager_words(build)),
        _tr("installed") if build.installed_id is not None else "",
        _tr("on this machine") if build.is_local and build.installed_id is None else "",
        basis_words(basis_of(fit)),
    ]
    return ", ".join(word for word in words if word)


def gpu_budget_bytes(machine: Machine) -> int | None:
    """What a model may take on the machine's GPUs; None where the engine can use none."""
    usable = usable_gpus(machine)
    if not usable:
        return None
    pools = {gpu.pool for gpu in usable}
    return sum(size for pool, size in budgets(machine).items() if pool in pools)

"""One model's variants from all packagers, held against a machine: the rows of the Model screen.

Looking them up waits for the Hub (`listing`); working out what each takes is pure and takes
milliseconds, so that a slider can ask for all of them at once.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from openshelf.catalog.entries import CatalogModel, Family
from openshelf.catalog.packagers import Packager
from openshelf.fit.dryrun import not_in_engine
from openshelf.fit.expected import shape_of_sibling
from openshelf.fit.memory import FitRequest, ModelShape
from openshelf.fit.recommend import Candidate, Ranked, rank
from openshelf.fit.scores import Precision, Score
from openshelf.fit.verdict import Fit, fit_on
from openshelf.hardware.facts import Machine
from openshelf.library.headers import HubFiles
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.prospects import native_bits_of
from openshelf.shelf.recipes import Recipe
from openshelf.shelf.rows import QualityKept
from openshelf.tasks import CancelToken, Report


class PackagerKind(enum.StrEnum):
    """Who made a build: the model's own publisher, somebody whose habits we know, or anybody."""

    PUBLISHER = "publisher"
    KNOWN = "known"
    OTHER = "other"


@dataclass(frozen=True)
class Build:
    """One variant of one packager: a file, or all its shards.

    `target` is what `install` and `fit` take. `downloads` are the repository's, None where nobody
    said. `shape.source` tells what the figures rest on: its own `header`, a `sibling`'s (the same
    model in another precision) or the `catalog`; None where nothing is known yet. `commit` is
    empty for an expected build, which the Hub was not asked for.
    """

    target: str
    repo: str
    commit: str
    name: str
    quant: str | None
    files: tuple[str, ...]
    size_bytes: int
    packager: Packager
    shape: ModelShape | None
    quality: QualityKept
    bits_per_weight: float | None = None
    size_is_expected: bool = False
    is_publisher: bool = False
    downloads: int | None = None
    installed_id: str | None = None
    is_local: bool = False
    """Its bytes lie on this machine: no network is needed."""
    decode_tokens_per_second: float | None = None
    """What it reached here before."""
    source: HubFiles | None = None
    """Its files on the Hub, with sizes and hashes."""
    path: Path | None = None
    """Its first file on this machine."""
    whole_bytes: int | None = None
    """Of the whole file, where `path` is only its beginning."""
    shards: int = 1
    last_modified: str | None = None
    """When the repository changed last (ISO 8601), as the Hub says."""
    recipe: Recipe = field(default_factory=Recipe)
    is_native: bool = False
    """The model was released in this format."""
    engine_knows: bool | None = None
    """Whether the engine here can load its architecture; None where nobody could tell."""

    @property
    def has_header(self) -> bool:
        return self.shape is not None and self.shape.source == "header"

    @property
    def packager_kind(self) -> PackagerKind:
        if self.is_publisher:
            return PackagerKind.PUBLISHER
        return PackagerKind.KNOWN if self.packager.is_known else PackagerKind.OTHER


@dataclass(frozen=True)
class ModelListing:
    """A model with all its builds, the largest first; `notes` tell what could not be asked.

    `family` and `model` are None for a repository that is not in the catalog.
    """

    name: str
    family: Family | None
    model: CatalogModel | None
    builds: tuple[Build, ...]
    decision: Decision | None
    notes: tuple[Reason, ...] = ()

    @property
    def context_length(self) -> int | None:
        """What the model was trained for, in tokens."""
        known = [b.shape.context_length for b in self.builds if b.shape and b.shape.context_length]
        return max(known, default=None)

    @property
    def n_layers(self) -> int | None:
        """Layers with the output layer, as `gpu_layers` counts them."""
        return next((b.shape.placed_layers + 1 for b in self.builds if b.shape), None)

    def with_build(self, build: Build) -> ModelListing:
        """With `build` in place of the one with its target; once one header is known, builds that
        rest on less are reckoned from it."""
        builds = [build if known.target == build.target else known for known in self.builds]
        if build.shape is not None and build.has_header:
            builds = [_from_sibling(known, build.shape) for known in builds]
        return replace(self, builds=tuple(builds))


def _from_sibling(build: Build, sibling: ModelShape) -> Build:
    if build.shape is not None and build.shape.source != "catalog":
        return build
    return replace(build, shape=shape_of_sibling(sibling, build.size_bytes, build.quant or ""))


@dataclass(frozen=True)
class BuildRow:
    """A build on a machine; `fit` is None where its shape is not known at all.

    `reasons` say why it has its place; `hidden` means a last resort that others are better than.
    """

    build: Build
    fit: Fit | None
    reasons: tuple[Reason, ...] = ()
    score: Score | None = None
    hidden: bool = False

    def as_json(self) -> dict[str, Any]:
        build = self.build
        return {
            "target": build.target,
            "repo": build.repo,
            "commit": build.commit or None,
            "quant": build.quant,
            "name": build.name,
            "files": list(build.files),
            "size_bytes": build.size_bytes,
            "size_is_expected": build.size_is_expected,
            "bits_per_weight": build.bits_per_weight,
            "packager": build.packager.name,
            "packager_is_publisher": build.is_publisher,
            "packager_is_known": build.packager.is_known,
            "packager_kind": build.packager_kind.value,
            "imatrix": build.recipe.imatrix,
            "recipe": build.recipe.as_json(),
            "shards": build.shards,
            "downloads": build.downloads,
            "last_modified": build.last_modified,
            "installed": build.installed_id,
            "local": build.is_local,
            "engine_supports": build.engine_knows,
            "fit": self.fit.as_json(build.target) if self.fit else None,
            "quality": build.quality.as_json(),
            "score": self.score.as_json() if self.score else None,
            "reasons": [reason.as_json() for reason in self.reasons],
        }


@dataclass(frozen=True)
class BuildTable:
    """All rows in the listing's order; `recommended` is the target of the best that fits."""

    rows: tuple[BuildRow, ...]
    recommended: str | None

    def row(self, target: str) -> BuildRow | None:
        return next((row for row in self.rows if row.build.target == target), None)


class ModelsLike(Protocol):
    """What the window and the command line use of `listing.Models`. All calls block."""

    def listing(self, text: str, cancel: CancelToken, report: Report) -> ModelListing:
        """A model by its catalog id or name, or by any TARGET of the Hub (docs/cli.md).

        Where the Hub does not answer, what is known without it, and `notes` say so. Raises
        NotFound, UsageError, GatedModel, CancelledByUser.
        """
        ...

    def read(self, build: Build, cancel: CancelToken) -> Build:
        """With the shape from the file's own header, of which only the beginning is fetched.

        Raises CorruptModel, NotFound, GatedModel, Offline, NetworkFailure, CancelledByUser.
        """
        ...

    def verify(
        self, build: Build, machine: Machine, request: FitRequest, cancel: CancelToken
    ) -> Fit:
        """The fit as the engine itself reckons it, without loading any weights.

        Raises what `read` does, EngineFailed where the engine cannot start.
        """
        ...


def fit_build(build: Build, machine: Machine, request: FitRequest) -> Fit | None:
    """One build on `machine`, with what would make it fit; None where its shape is not known."""
    if build.shape is None:
        return None
    measured = build.decode_tokens_per_second
    fit = fit_on(build.shape, machine, request, measured_decode_per_second=measured)
    return not_in_engine(fit) if build.engine_knows is False else fit


def fit_builds(
    listing: ModelListing,
    machine: Machine,
    request: FitRequest,
    prefer: str = "balance",
    *,
    is_brief: bool = False,
) -> BuildTable:
    """Every build of `listing` on `machine`, and which of them is the best there.

    Pure; `is_brief` leaves the remedies out (`fit_build` finds them for one), so that 60 builds
    take less than 50 ms. Raises UsageError as `fit_on` does.
    """
    fits = {
        build.target: fit_on(
            build.shape,
            machine,
            request,
            measured_decode_per_second=build.decode_tokens_per_second,
            is_brief=is_brief,
        )
        for build in listing.builds
        if build.shape is not None
    }
    for build in listing.builds:
        if build.engine_knows is False and build.target in fits:
            fits[build.target] = not_in_engine(fits[build.target])
    native = native_bits_of(listing.model) if listing.model is not None else None
    ranked = rank(
        [_candidate(b, fits[b.target], native) for b in listing.builds if b.target in fits], prefer
    )
    places = {place.candidate.key: place for place in ranked}
    rows = []
    for build in listing.builds:
        place = places.get(build.target)
        if place is None:
            rows.append(BuildRow(build, None))
            continue
        fit = fits[build.target]
        rows.append(BuildRow(build, fit, place.reasons, place.score, place.hidden))
    return BuildTable(tuple(rows), _recommended(listing, ranked))


def _recommended(listing: ModelListing, ranked: Sequence[Ranked]) -> str | None:
    """The best that fits; a build of somebody we know nothing of only where there is no other."""
    fitting = [str(place.candidate.key) for place in ranked if place.candidate.fit.verdict.fits]
    strangers = {
        build.target
        for build in listing.builds
        if build.packager_kind is PackagerKind.OTHER and not build.is_local
    }
    known = [target for target in fitting if target not in strangers]
    return next(iter(known or fitting), None)


def _candidate(build: Build, fit: Fit, native_bits: float | None) -> Candidate:
    shape = build.shape
    return Candidate(
        key=build.target,
        precision=Precision(
            quant=build.quant or "",
            parameters=shape.parameters if shape else None,
            bits_per_weight=build.bits_per_weight,
            quality=build.quality.kept,
            assumed=build.quality.assumed,
            native_bits=native_bits,
            active_parameters=shape.active_parameters if shape else None,
        ),
        fit=fit,
        tiebreak=standing(build),
    )


def standing(build: Build) -> float:
    """Of builds with one precision: what is here first, then the packager's standing."""
    return build.packager.standing + (1000.0 if build.is_local else 0.0)


def in_order(builds: Sequence[Build]) -> tuple[Build, ...]:
    """Grouped by quantization, the largest group first; in a group the packager of higher standing
    first, then by downloads. Files that name no quantization are groups of their own."""
    largest: dict[str, int] = {}
    for build in builds:
        group = _group(build)
        largest[group] = max(largest.get(group, 0), build.size_bytes)

    def order(build: Build) -> tuple[object, ...]:
        group = _group(build)
        place = (-standing(build), -(build.downloads or 0), -build.size_bytes)
        return (-largest[group], group, not build.is_publisher, *place)

    return tuple(sorted(builds, key=order))


def _group(build: Build) -> str:
    return build.quant or build.target

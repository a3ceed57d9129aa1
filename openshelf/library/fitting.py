"""The fit of whatever a TARGET names: a file, something installed, a variant on the Hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openshelf.catalog.entries import Catalog, CatalogModel
from openshelf.catalog.quants import expected_file_bytes
from openshelf.errors import GatedModel, NetworkFailure, NotFound, Offline
from openshelf.fit.dryrun import LaysOut, dry_run, without_header
from openshelf.fit.expected import shape_from_catalog
from openshelf.fit.memory import FitRequest
from openshelf.fit.shapes import ModelShape, shape_from_header
from openshelf.fit.verdict import Fit, Question, fit_on
from openshelf.gguf.header import Header
from openshelf.gguf.shadow import shadow_file
from openshelf.hardware.facts import Machine
from openshelf.hub.targets import Target, parse_target
from openshelf.hub.variants import RepoVariant, choose_default, find_variant, list_variants
from openshelf.library.headers import Headers, header_of_file, location_of
from openshelf.library.installed import InstalledModel
from openshelf.tasks import CancelToken

_UNREACHABLE = (Offline, NetworkFailure)
_USUAL_QUANT = "Q4_K_M"


@dataclass(frozen=True)
class TargetQuestion:
    """A TARGET (docs/cli.md) and how it would be loaded; `file_bytes` is the whole size where
    a path names only a header."""

    text: str
    request: FitRequest
    file_bytes: int | None = None


@dataclass(frozen=True)
class TargetFit:
    """`bytes_fetched` is what came over the network for it."""

    fit: Fit
    bytes_fetched: int = 0


@dataclass(frozen=True)
class _Found:
    """A target's shape; `header` is None where it is only what is to be expected."""

    shape: ModelShape
    header: Header | None = None
    measured: float | None = None
    bytes_fetched: int = 0


@dataclass(frozen=True)
class Fitting:
    """Looks a target up and reckons its fit; the Hub is asked only for what is not here."""

    headers: Headers
    catalog: Callable[[], Catalog]
    engine: LaysOut

    def fit_target(
        self, question: TargetQuestion, machine: Machine, cancel: CancelToken
    ) -> TargetFit:
        """The fit of a TARGET, from its header; where that cannot be fetched, what is expected.

        Raises NotFound, CorruptModel, UsageError, UnsafeName, Offline, NetworkFailure, GatedModel,
        CancelledByUser.
        """
        found = self._find(question, cancel)
        fit = fit_on(
            found.shape, machine, question.request, measured_decode_per_second=found.measured
        )
        return TargetFit(fit, found.bytes_fetched)

    def dry_run_target(
        self, question: TargetQuestion, machine: Machine, cancel: CancelToken
    ) -> TargetFit:
        """The fit of a TARGET as the engine reckons it; without a header, what is expected.

        Raises what `fit_target` does, and EngineFailed where the engine cannot start.
        """
        found = self._find(question, cancel)
        if found.header is None:
            return TargetFit(without_header(fit_on(found.shape, machine, question.request)))
        asked = Question(found.shape, machine, question.request, found.measured)
        fit = verify_header(found.header, asked, self.engine, cancel)
        return TargetFit(fit, found.bytes_fetched)

    def _find(self, question: TargetQuestion, cancel: CancelToken) -> _Found:
        target = parse_target(question.text, endpoint_host=self.headers.client().options.host)
        here = self.headers.at_hand(target)
        if here is not None:
            header = header_of_file(here.path, question.file_bytes if target.path else None)
            return _Found(shape_from_header(header), header, here.measured)
        known = self.catalog().find_model(target.repo)
        model = known[1] if known else None
        try:
            return self._on_hub(target, model, cancel)
        except _UNREACHABLE:
            expected = None if model is None else _usual_shape(model, target)
            if expected is None:
                raise
            return _Found(expected)

    def _on_hub(self, target: Target, model: CatalogModel | None, cancel: CancelToken) -> _Found:
        repo = self.headers.client().repo(target.repo, target.revision)
        if target.file is None and not list_variants(repo.files) and model is not None:
            raise NotFound("variant", repo.id, tuple(model.gguf_repos))
        variant = find_variant(repo, quant=target.quant, file=target.file, choose=choose_default)
        try:
            fetched = self.headers.on_hub(repo.id, repo.commit, variant, cancel)
        except (GatedModel, *_UNREACHABLE):
            if model is None:
                raise
            return _Found(_expected_shape(model, variant))
        header = fetched.header
        return _Found(shape_from_header(header), header, bytes_fetched=fetched.bytes_fetched)


def verify_header(
    header: Header, question: Question, engine: LaysOut, cancel: CancelToken | None = None
) -> Fit:
    """The fit as the engine lays the model out. Raises what `fit.dryrun.dry_run` does."""
    with shadow_file(header) as shadow:
        return dry_run(question, shadow, engine, cancel)


def _expected_shape(model: CatalogModel, variant: RepoVariant) -> ModelShape:
    return shape_from_catalog(
        model.shape, variant.size_bytes, model.file_weights, variant.quant or ""
    )


def _usual_shape(model: CatalogModel, target: Target) -> ModelShape | None:
    """What to expect without the Hub's listing; None where no size is known."""
    quant = target.quant or _USUAL_QUANT
    size = expected_file_bytes(model, quant)
    if size is None or target.file is not None or model.shape.architecture is None:
        return None
    return shape_from_catalog(model.shape, size, model.file_weights, quant)


def shape_of_file(path: Path, file_bytes: int | None = None) -> ModelShape:
    """From the header of a file on disk. Raises NotFound, CorruptModel."""
    return shape_from_header(header_of_file(path, file_bytes))


def fit_installed(model: InstalledModel, machine: Machine, request: FitRequest) -> Fit:
    """The fit of something installed, from its own header. Raises NotFound, CorruptModel."""
    return fit_on(
        shape_of_file(location_of(model)),
        machine,
        request,
        measured_decode_per_second=model.decode_tokens_per_second,
    )

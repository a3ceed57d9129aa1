"""The fit of whatever a TARGET names: a file, something installed, a variant on the Hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from openshelf.catalog.entries import Catalog, CatalogModel
from openshelf.catalog.quants import expected_file_bytes
from openshelf.engine.architectures import Knows, nobody_knows
from openshelf.errors import BadFile, GatedModel, NetworkFailure, NotFound, Offline
from openshelf.fit.dryrun import LaysOut, dry_run, not_in_engine, without_header
from openshelf.fit.expected import shape_from_catalog
from openshelf.fit.memory import FitRequest
from openshelf.fit.projector_dryrun import LaysProjectorsOut, measured_projector
from openshelf.fit.shapes import ModelShape, shape_from_header
from openshelf.fit.verdict import Fit, Question, best_placement, fit_on
from openshelf.gguf.header import read_header
from openshelf.gguf.shadow import shadow_file
from openshelf.hardware.facts import Machine
from openshelf.hub.targets import Target, parse_target
from openshelf.hub.variants import (
    RepoVariant,
    choose_default,
    find_projector,
    find_variant,
    list_variants,
)
from openshelf.library.headers import (
    Headers,
    HubFiles,
    ModelHeaders,
    header_of_file,
    headers_of_file,
    location_of,
)
from openshelf.library.installed import InstalledModel
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken

_UNREACHABLE = (Offline, NetworkFailure)
_USUAL_QUANT = "Q4_K_M"


class LaysEverythingOut(LaysOut, LaysProjectorsOut, Protocol):
    """What is needed of the engine."""


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
    """A target's shape; `headers` is None where it is only what is to be expected."""

    shape: ModelShape
    headers: ModelHeaders | None = None
    measured: float | None = None

    @property
    def bytes_fetched(self) -> int:
        return self.headers.bytes_fetched if self.headers else 0


@dataclass(frozen=True)
class Fitting:
    """Looks a target up and reckons its fit; the Hub is asked only for what is not here."""

    headers: Headers
    catalog: Callable[[], Catalog]
    engine: LaysEverythingOut
    knows: Knows = nobody_knows

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
        if self.knows(found.shape.architecture) is False:
            fit = not_in_engine(fit)
        return TargetFit(fit, found.bytes_fetched)

    def dry_run_target(
        self, question: TargetQuestion, machine: Machine, cancel: CancelToken
    ) -> TargetFit:
        """The fit of a TARGET as the engine reckons it; without a header, what is expected.

        Raises what `fit_target` does, and EngineFailed where the engine cannot start.
        """
        found = self._find(question, cancel)
        if found.headers is None:
            return TargetFit(without_header(fit_on(found.shape, machine, question.request)))
        asked = Question(found.shape, machine, question.request, found.measured)
        fit = verify(found.headers, asked, self.engine, cancel)
        return TargetFit(fit, found.bytes_fetched)

    def _find(self, question: TargetQuestion, cancel: CancelToken) -> _Found:
        target = parse_target(question.text, endpoint_host=self.headers.client().options.host)
        here = self.headers.at_hand(target)
        if here is not None:
            file_bytes = question.file_bytes if target.path else None
            if file_bytes is not None and file_bytes < here.path.stat().st_size:
                raise BadFile(f"{file_bytes}", str(here.path), "larger_than_said")
            headers = headers_of_file(here.path, file_bytes)
            return _Found(headers.shape, headers, here.measured)
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
        files = HubFiles(repo.id, repo.commit, variant, find_projector(repo, variant))
        try:
            headers = self.headers.on_hub(files, cancel)
        except (GatedModel, *_UNREACHABLE):
            if model is None:
                raise
            return _Found(_expected_shape(model, variant))
        return _Found(headers.shape, headers)


def verify(
    headers: ModelHeaders,
    question: Question,
    engine: LaysEverythingOut,
    cancel: CancelToken | None = None,
) -> Fit:
    """The fit as the engine lays the model and its projector out.

    Raises what `fit.dryrun.dry_run` does.
    """
    question, note = _with_measured_projector(headers, question, engine, cancel)
    with shadow_file(headers.model) as shadow:
        fit = dry_run(question, shadow, engine, cancel)
    return fit if note is None else replace(fit, reasons=(*fit.reasons, note))


def _with_measured_projector(
    headers: ModelHeaders,
    question: Question,
    engine: LaysEverythingOut,
    cancel: CancelToken | None,
) -> tuple[Question, Reason | None]:
    projector = question.shape.projector
    if projector is None or headers.projector is None or question.request.text_only:
        return question, None
    use_gpu = best_placement(question).n_gpu_layers > 0
    with shadow_file(headers.projector) as shadow:
        measured, note = measured_projector(
            projector, shadow, engine, use_gpu=use_gpu, cancel=cancel
        )
    return replace(question, shape=replace(question.shape, projector=measured)), note


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
    """From the header of a file on disk, without a projector. Raises NotFound, CorruptModel."""
    return shape_from_header(header_of_file(path, file_bytes))


def shape_of_installed(model: InstalledModel) -> ModelShape:
    """Raises NotFound, CorruptModel."""
    header = header_of_file(location_of(model))
    eyes = model.projector
    if eyes is None:
        return shape_from_header(header)
    return ModelHeaders(header, read_header(Path(eyes.location)), eyes.size_bytes).shape


def fit_installed(model: InstalledModel, machine: Machine, request: FitRequest) -> Fit:
    """The fit of something installed for a chat, with the projector that it came with.

    From their own headers. Raises NotFound, CorruptModel.
    """
    return fit_on(
        shape_of_installed(model),
        machine,
        request,
        measured_decode_per_second=model.decode_tokens_per_second,
    )

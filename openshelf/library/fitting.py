"""The fit of whatever a TARGET names: a file, something installed, a variant on the Hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openshelf.catalog.entries import Catalog
from openshelf.errors import NotFound
from openshelf.fit.dryrun import LaysOut, dry_run, without_header
from openshelf.fit.expected import shape_from_catalog
from openshelf.fit.memory import FitRequest
from openshelf.fit.shapes import ModelShape, shape_from_header
from openshelf.fit.verdict import Fit, Question, fit_on
from openshelf.gguf.header import Header, read_header
from openshelf.gguf.shadow import shadow_file
from openshelf.gguf.split import read_model
from openshelf.hardware.facts import Machine
from openshelf.hub.claims import ReadsHub
from openshelf.hub.targets import Target, parse_target
from openshelf.hub.variants import find_variant
from openshelf.library.installed import InstalledModel
from openshelf.library.offers import find_installed
from openshelf.library.starter import find_starter
from openshelf.library.store import Library
from openshelf.tasks import CancelToken


@dataclass(frozen=True)
class TargetQuestion:
    """A TARGET (docs/cli.md) and how it would be loaded; `file_bytes` is the whole size where
    a path names only a header."""

    text: str
    request: FitRequest
    file_bytes: int | None = None


@dataclass(frozen=True)
class _AtHand:
    path: Path
    measured: float | None = None
    """Tokens per second that it reached here before."""


@dataclass(frozen=True)
class Fitting:
    """Looks a target up and reckons its fit; the Hub is asked only for what is not here."""

    library: Library
    catalog: Callable[[], Catalog]
    hub: Callable[[], ReadsHub]
    engine: LaysOut

    def fit_target(
        self, text: str, machine: Machine, request: FitRequest, file_bytes: int | None = None
    ) -> Fit:
        """The fit of a TARGET (docs/cli.md). `file_bytes` is the whole size where a path names
        only a header. Raises NotFound, CorruptModel, UsageError, Offline, NetworkFailure,
        GatedModel.
        """
        target = parse_target(text)
        here = self._at_hand(target)
        if here is None:
            return fit_on(self._shape_on_hub(target), machine, request)
        shape = shape_of_file(here.path, file_bytes if target.path else None)
        return fit_on(shape, machine, request, measured_decode_per_second=here.measured)

    def dry_run_target(
        self, question: TargetQuestion, machine: Machine, cancel: CancelToken | None = None
    ) -> Fit:
        """The fit of a TARGET as the engine reckons it; only from a header at hand, else estimated.

        Raises what `fit_target` does, EngineFailed where the engine cannot start, CancelledByUser.
        """
        target = parse_target(question.text)
        here = self._at_hand(target)
        if here is None:
            return without_header(fit_on(self._shape_on_hub(target), machine, question.request))
        header = _header_of(here.path, question.file_bytes if target.path else None)
        asked = Question(shape_from_header(header), machine, question.request, here.measured)
        with shadow_file(header) as shadow:
            return dry_run(asked, shadow, self.engine, cancel)

    def _at_hand(self, target: Target) -> _AtHand | None:
        """A file that needs no network: named, installed, or the starter's."""
        if target.path is not None:
            return _AtHand(target.path)
        model = find_installed(self.library, target)
        if model is not None:
            return _AtHand(_location(model), model.decode_tokens_per_second)
        starter = find_starter()
        if starter is not None and starter.is_meant_by(target):
            return _AtHand(starter.path)
        return None

    def _shape_on_hub(self, target: Target) -> ModelShape:
        found = self.catalog().find_model(target.repo)
        if found is None:
            # Its header would tell, and reading it from the Hub is a room of its own (gguf/).
            raise NotFound("shape", target.repo)
        model = found[1]
        repo = self.hub().repo(target.repo, target.revision)
        variant = find_variant(repo, quant=target.quant, file=target.file)
        return shape_from_catalog(
            model.shape, variant.size_bytes, model.file_weights, variant.quant or ""
        )


def shape_of_file(path: Path, file_bytes: int | None = None) -> ModelShape:
    """From the header of a file on disk. Raises NotFound, CorruptModel."""
    return shape_from_header(_header_of(path, file_bytes))


def _header_of(path: Path, file_bytes: int | None) -> Header:
    if file_bytes is not None:
        return read_header(path, file_bytes=file_bytes)
    return read_model(path)


def fit_installed(model: InstalledModel, machine: Machine, request: FitRequest) -> Fit:
    """The fit of something installed, from its own header. Raises NotFound, CorruptModel."""
    return fit_on(
        shape_of_file(_location(model)),
        machine,
        request,
        measured_decode_per_second=model.decode_tokens_per_second,
    )


def _location(model: InstalledModel) -> Path:
    path = Path(model.first_file.location)
    if not path.is_file():
        raise NotFound("file", model.first_file.location)
    return path

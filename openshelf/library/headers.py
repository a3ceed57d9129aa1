"""The headers of whatever a TARGET names: a file, something installed, the starter, a variant on
the Hub, of which only the beginning is fetched, and kept.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from openshelf.errors import CorruptModel, GatedModel, NetworkFailure, NotFound, Offline
from openshelf.fit.projector import Projector, projector_from_header
from openshelf.fit.shapes import ModelShape, shape_from_header
from openshelf.gguf.companions import is_projector_of, projector_beside
from openshelf.gguf.header import Header, read_header
from openshelf.gguf.split import read_model
from openshelf.hub.client import HubClient
from openshelf.hub.entries import DownloadFile, RepoFile
from openshelf.hub.headers import FetchedHeader, fetch_header, known_header
from openshelf.hub.targets import Target
from openshelf.hub.variants import RepoVariant
from openshelf.library.installed import InstalledModel
from openshelf.library.offers import find_installed
from openshelf.library.starter import find_starter
from openshelf.library.store import Library
from openshelf.tasks import CancelToken

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubFiles:
    """A variant on the Hub at one commit, with the projector that belongs to it."""

    repo: str
    commit: str
    variant: RepoVariant
    projector: RepoFile | None = None


@dataclass(frozen=True)
class ModelHeaders:
    """A model's header, and its projector's where it has one that can be read.

    `projector_file_bytes` is the size of the projector's file, 0 without one. `bytes_fetched` came
    over the network for both.
    """

    model: Header
    projector: Header | None = None
    projector_file_bytes: int = 0
    bytes_fetched: int = 0

    @functools.cached_property
    def shape(self) -> ModelShape:
        return replace(shape_from_header(self.model), projector=self._projector())

    def _projector(self) -> Projector | None:
        if not self.projector_file_bytes:
            return None
        if self.projector is not None:
            try:
                return projector_from_header(self.projector)
            except CorruptModel as error:
                log.info("a projector is of no kind that is known: %s", error.detail)
        # Nothing is known but its size: as much again for what it works in is more than any takes.
        size = self.projector_file_bytes
        return Projector("", size, size, "bound")


@dataclass(frozen=True)
class AtHand:
    """A model file on this machine; `measured` is what it reached here before, in tokens/s;
    `whole_bytes` the size of the whole where `path` is only its beginning."""

    path: Path
    measured: float | None = None
    whole_bytes: int | None = None


@dataclass(frozen=True)
class Headers:
    """Where headers come from; `cache` is the folder in which those of the Hub are kept."""

    library: Library
    client: Callable[[], HubClient]
    cache: Path | None = None

    def at_hand(self, target: Target) -> AtHand | None:
        """A file that needs no network: named, installed, or the starter's. Raises NotFound."""
        if target.path is not None:
            return AtHand(target.path)
        model = find_installed(self.library, target)
        if model is not None:
            return AtHand(location_of(model), model.decode_tokens_per_second)
        starter = find_starter(lambda model: model.is_meant_by(target))
        if starter is not None:
            return AtHand(starter.path, whole_bytes=starter.whole_bytes)
        return None

    def on_hub(self, files: HubFiles, cancel: CancelToken) -> ModelHeaders:
        """Raises what `hub.headers.fetch_header` does, for the model's file."""
        fetched = fetch_header(self.client(), _model_files(files), cancel, self.cache)
        return self._with_projector(files, fetched, cancel)

    def known(self, files: HubFiles) -> ModelHeaders | None:
        """What `on_hub` brought before; asks nobody."""
        model = known_header(self.client(), _model_files(files), self.cache)
        if model is None:
            return None
        if files.projector is None:
            return ModelHeaders(model)
        projector = known_header(self.client(), [_file(files, files.projector)], self.cache)
        return ModelHeaders(model, projector, files.projector.size_bytes)

    def _with_projector(
        self, files: HubFiles, model: FetchedHeader, cancel: CancelToken
    ) -> ModelHeaders:
        """One that cannot be read is no reason to know nothing of the model."""
        if files.projector is None:
            return ModelHeaders(model.header, bytes_fetched=model.bytes_fetched)
        size, fetched = files.projector.size_bytes, model.bytes_fetched
        try:
            found = fetch_header(self.client(), [_file(files, files.projector)], cancel, self.cache)
        except (CorruptModel, GatedModel, NetworkFailure, NotFound, Offline) as error:
            log.info("the header of a projector could not be read: %s", error.kind)
            return ModelHeaders(model.header, None, size, fetched)
        return ModelHeaders(model.header, found.header, size, fetched + found.bytes_fetched)


def _model_files(files: HubFiles) -> list[DownloadFile]:
    return [_file(files, file) for file in files.variant.files]


def _file(files: HubFiles, file: RepoFile) -> DownloadFile:
    return DownloadFile(files.repo, files.commit, file.path, file.size_bytes, file.sha256 or "")


def headers_of_file(path: Path, file_bytes: int | None = None) -> ModelHeaders:
    """Of a file (all its shards) and of the projector beside it.

    `file_bytes` is the whole size where `path` names only a header. Raises NotFound, CorruptModel.
    """
    model = header_of_file(path, file_bytes)
    beside = projector_beside(path)
    if beside is None:
        return ModelHeaders(model)
    try:
        projector = read_header(beside)
    except (CorruptModel, NotFound) as error:
        log.info("the header of a projector could not be read: %s", error.kind)
        return ModelHeaders(model, None, beside.stat().st_size)
    if not is_projector_of(projector, model):
        return ModelHeaders(model)
    return ModelHeaders(model, projector, projector.file_bytes)


def header_of_file(path: Path, file_bytes: int | None = None) -> Header:
    """The model's alone. Raises NotFound, CorruptModel."""
    if file_bytes is not None:
        return read_header(path, file_bytes=file_bytes)
    return read_model(path)


def location_of(model: InstalledModel) -> Path:
    """Where an installed model's first file lies. Raises NotFound where it is gone."""
    path = Path(model.first_file.location)
    if not path.is_file():
        raise NotFound("file", model.first_file.location)
    return path

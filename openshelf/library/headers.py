"""The header of whatever a TARGET names: a file, something installed, the starter, a variant on the
Hub. Of the Hub only the beginning of a file is fetched, and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openshelf.errors import NotFound
from openshelf.gguf.header import Header, read_header
from openshelf.gguf.split import read_model
from openshelf.hub.client import HubClient
from openshelf.hub.entries import DownloadFile
from openshelf.hub.headers import FetchedHeader, fetch_header, known_header
from openshelf.hub.targets import Target
from openshelf.hub.variants import RepoVariant
from openshelf.library.installed import InstalledModel
from openshelf.library.offers import find_installed
from openshelf.library.starter import find_starter
from openshelf.library.store import Library
from openshelf.tasks import CancelToken


@dataclass(frozen=True)
class AtHand:
    """A model file on this machine; `measured` is what it reached here before, in tokens/s."""

    path: Path
    measured: float | None = None


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
        starter = find_starter()
        if starter is not None and starter.is_meant_by(target):
            return AtHand(starter.path)
        return None

    def on_hub(
        self, repo: str, commit: str, variant: RepoVariant, cancel: CancelToken
    ) -> FetchedHeader:
        """Raises what `hub.headers.fetch_header` does."""
        return fetch_header(self.client(), _files(repo, commit, variant), cancel, self.cache)

    def known(self, repo: str, commit: str, variant: RepoVariant) -> Header | None:
        """What `on_hub` brought before; asks nobody."""
        return known_header(self.client(), _files(repo, commit, variant), self.cache)


def _files(repo: str, commit: str, variant: RepoVariant) -> list[DownloadFile]:
    return [
        DownloadFile(repo, commit, file.path, file.size_bytes, file.sha256 or "")
        for file in variant.files
    ]


def header_of_file(path: Path, file_bytes: int | None = None) -> Header:
    """`file_bytes` is the whole size where a path names only a header; else all shards are read.

    Raises NotFound, CorruptModel.
    """
    if file_bytes is not None:
        return read_header(path, file_bytes=file_bytes)
    return read_model(path)


def location_of(model: InstalledModel) -> Path:
    """Where an installed model's first file lies. Raises NotFound where it is gone."""
    path = Path(model.first_file.location)
    if not path.is_file():
        raise NotFound("file", model.first_file.location)
    return path

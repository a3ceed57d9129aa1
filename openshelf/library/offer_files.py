"""The files that an offer is of, each with its size and SHA-256: on the Hub, or on this disk."""

from __future__ import annotations

import collections
import unicodedata
from pathlib import Path

from openshelf.errors import BadFile, NetworkFailure, UnsafeName
from openshelf.hub.download import VERIFYING
from openshelf.hub.entries import DownloadFile, Repo
from openshelf.hub.names import check_path
from openshelf.hub.variants import RepoVariant, find_projector
from openshelf.library.foreign import ForeignModel
from openshelf.library.hashing import sha256_of_file
from openshelf.library.install import LOCAL
from openshelf.tasks import CancelToken, Progress, Report


def files_on_hub(repo: Repo, variant: RepoVariant, host: str) -> tuple[DownloadFile, ...]:
    """The variant's, and last the projector by which it sees, where the repository has one.

    Raises NetworkFailure where a hash is missing, UnsafeName for names that cannot be files.

    Of two names that differ in case or composition only, some systems make one file: the second
    would take the place of the first, under its name.
    """
    names = collections.Counter(_folded(file.path) for file in repo.files)
    files = []
    projector = find_projector(repo, variant)
    for file in (*variant.files, *((projector,) if projector is not None else ())):
        check_path(file.path)
        if names[_folded(file.path)] > 1:
            raise UnsafeName(file.path)
        if file.sha256 is None:
            raise NetworkFailure(host, "no_checksum", file.path)
        files.append(DownloadFile(repo.id, repo.commit, file.path, file.size_bytes, file.sha256))
    return tuple(files)


def require_text(path: Path) -> None:
    """A name of bytes that are no text cannot be kept. Raises BadFile."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = str(path).encode(errors="replace").decode()
        raise BadFile(path=shown, why="name_no_text") from error


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def hashed_files(
    found: ForeignModel, cancel: CancelToken, report: Report
) -> tuple[DownloadFile, ...]:
    """Those of a model that lies on this disk. Raises BadFile (it cannot be read),
    CancelledByUser."""
    paths = found.paths
    sizes = [path.stat().st_size for path in paths]
    hashes = []
    for index, path in enumerate(paths):

        def on_hashed(count: int, before: int = sum(sizes[:index])) -> None:
            cancel.raise_if_cancelled()
            report(Progress(before + count, sum(sizes), VERIFYING))

        hashes.append(sha256_of_file(path, on_hashed))
    commit = hashes[0][:40]
    return tuple(
        DownloadFile(LOCAL, commit, name, size, sha256)
        for name, size, sha256 in zip(found.names, sizes, hashes, strict=True)
    )

"""Installing: offer → acceptance → clearance → space → bytes → hash → manifest.

The same steps for a model from the Hub, the starter model and a file that lies on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from openshelf.gguf.names import parse_name
from openshelf.hub.entries import DownloadFile
from openshelf.hub.names import is_repo_id
from openshelf.library.installed import InstalledModel
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.changes import TermsChange
from openshelf.licenses.clearance import Clearance, ClearedFile
from openshelf.policy.verdict import Decision
from openshelf.tasks import CancelToken, Report

LOCAL = "local"
"""In place of the repository, for a file of one's own."""
BUNDLE = "bundle"
"""The origin of what came in a bundle."""
IMPORTED = "openshelf/imported"
"""Where files of one's own lie in the model folder, where they were linked or copied there."""
REFERENCE, LINK, COPY = "reference", "link", "copy"
"""A file that lies on this disk stays where it is; or gets a second name in the model folder (a
hard link or a clone, where the file system allows, else it stays); or is copied there."""


@dataclass(frozen=True)
class InstallOffer:
    """Everything known before a byte is fetched; what the install sheet shows.

    `source` is hub, starter or file; `local_path` is where a starter or file lies. `left_bytes` is
    what remains to be fetched (a `.part` counts), `free_bytes` what the target volume has.
    """

    target: str
    model_name: str
    quant: str | None
    packager: str
    publisher: str
    repo: str
    commit: str
    files: tuple[DownloadFile, ...]
    source: str
    local_path: str | None
    decision: Decision
    left_bytes: int
    resumed_from_bytes: int
    free_bytes: int
    folder: str
    installed_id: str | None = None
    """Set where these very files are installed already."""
    gated: bool = False
    """The publisher asks for a form on the Hub."""
    page_url: str = ""
    """The repository's page on the Hub, "" for what did not come from there."""
    is_main: bool = False
    """The commit is where the branch main stands now."""
    source_paths: tuple[str, ...] = ()
    """Where the files lie, for source file, or the parts of a starter; the first one is
    `local_path`."""
    origin: str = ""
    """The program that put them there, for source file (library/foreign.py)."""
    placing: str = REFERENCE
    """What becomes of them, for source file."""
    change: TermsChange | None = None
    """What is another one than was accepted for the repository, or the file, before."""

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def cleared_files(self) -> tuple[ClearedFile, ...]:
        return tuple(ClearedFile(f.path, f.sha256, f.size_bytes) for f in self.files)

    @property
    def model_id(self) -> str:
        """The id that it has, or will have, in the library (docs/cli.md)."""
        if self.installed_id is not None:
            return self.installed_id
        return f"{self.repo}@{self.commit[:8]}:{file_stem(self.files[0].path)}"


def in_cache(file: DownloadFile) -> DownloadFile:
    """As the cache's layout has it: what has no repository lies under IMPORTED."""
    return file if is_repo_id(file.repo) else replace(file, repo=IMPORTED)


def file_stem(path: str) -> str:
    """A file's name without ending and shard; with its folder, where it lies in one."""
    folder = path.rpartition("/")[0]
    stem = parse_name(path).stem
    return f"{folder}/{stem}" if folder else stem


class InstallerLike(Protocol):
    """What the window and the command line use of the installer."""

    def prepare(self, target: str, cancel: CancelToken, report: Report) -> InstallOffer:
        """Look everything up. Raises NotFound, GatedModel, Offline, NetworkFailure…"""
        ...

    def accept(self, offer: InstallOffer, form: AcceptanceForm) -> Clearance:
        """Write the acceptance and hand out the clearance. Raises PolicyBlocked, NeedsReview."""
        ...

    def clear(self, offer: InstallOffer) -> Clearance:
        """The clearance from an earlier acceptance. Raises LicenseNotAccepted."""
        ...

    def install(
        self, offer: InstallOffer, clearance: Clearance, cancel: CancelToken, report: Report
    ) -> InstalledModel:
        """Fetch, verify, register. Progress phases: copying, downloading, waiting, verifying."""
        ...

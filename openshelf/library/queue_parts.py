"""What the window's downloads and those of the command line are made of, and do alike: run one
that is kept, and throw one away."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from openshelf.hub.fetching import FetchPlace
from openshelf.library.downloads import Download
from openshelf.library.installed import InstalledModel
from openshelf.library.installer import Installer, InstallRun
from openshelf.library.running_mark import Wish, running_mark
from openshelf.library.saved_downloads import SavedDownload, forget_download, read_downloads
from openshelf.library.store import Library
from openshelf.library.unfinished import discard, resting, with_space_left
from openshelf.licenses.clearance import Clearance
from openshelf.policy.gate import Gate
from openshelf.tasks import CancelToken, Report, TaskRunner


@dataclass(frozen=True)
class DownloadsParts:
    """`folder` holds the list."""

    folder: Path
    runner: TaskRunner
    installer: Installer
    gate: Gate
    library: Library
    place: FetchPlace
    tries: int | None = None

    def models_of(self, saved: SavedDownload) -> Path:
        """The model folder with its `.part` files."""
        return self.library.folders.place_for(saved.offer.folder)

    def resting(self, saved: SavedDownload) -> Download:
        """As it is shown while it does not run."""
        return resting(saved, self.library.folders)

    def discard(self, saved: SavedDownload, others: Iterable[SavedDownload] = ()) -> None:
        """Forget it, with what was fetched for it alone; `others` are unfinished as well, besides
        those that are kept."""
        # First: of two that are cancelled together, the last one sees nobody who needs a file.
        forget_download(self.folder, saved.id)
        kept = read_downloads(self.folder, self.gate)
        discard(saved, [*others, *kept], self.models_of, self.library)


@dataclass(frozen=True)
class KeptRun:
    """One run of a kept download; `on_wish` is called when another process asks for something."""

    saved: SavedDownload
    clearance: Clearance
    tries: int | None
    on_wish: Callable[[Wish], None]

    def __call__(
        self, parts: DownloadsParts, cancel: CancelToken, report: Report
    ) -> InstalledModel:
        """Raises what `Installer.run` does."""
        saved = self.saved
        run = InstallRun(self.tries, parts.place, saved.id)
        parts.place.share.set_own_limit(saved.id, saved.limit)
        with running_mark(parts.folder, saved.id, self.on_wish):
            offer = with_space_left(saved.offer, parts.library.folders)
            return parts.installer.run(offer, self.clearance, cancel, report, run)

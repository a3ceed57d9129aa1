"""What the window and the command line are given: every service, as they use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openshelf.catalog.entries import Catalog
from openshelf.catalog.refresh import Freshness
from openshelf.chat.aids import ChatAids
from openshelf.chat.benching import BenchQuestion, BenchReport
from openshelf.chat.servers import ServersLike
from openshelf.chat.session import ChatsLike
from openshelf.engine.architectures import EngineKnowledge
from openshelf.engine.builds import Build, Builds
from openshelf.hardware.facts import Machine
from openshelf.hub.cards import ModelCard
from openshelf.hub.tokens import TokenStore
from openshelf.library.bundles import Bundle
from openshelf.library.bundling import BundleOffer
from openshelf.library.downloads import DownloadsLike, KeptDownloadsLike
from openshelf.library.exporting import ExportReport
from openshelf.library.fitting import TargetFit, TargetQuestion
from openshelf.library.folders import ModelFolder
from openshelf.library.install import InstallerLike
from openshelf.library.installed import InstalledModel
from openshelf.library.removal import Removed
from openshelf.library.scanning import Doubt, ScanReport
from openshelf.library.settling import Settled
from openshelf.library.updates import UpdateReport
from openshelf.library.upkeep import UpkeepState
from openshelf.library.verifying import ModelCheck
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.effective import EffectiveLicense
from openshelf.network import EgressLog
from openshelf.paths import Paths
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy
from openshelf.policy.store import PoliciesLike
from openshelf.reasons import Reason
from openshelf.settings import Settings
from openshelf.shelf.builds import ModelsLike
from openshelf.shelf.preview import PolicyPreview
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.shelf.search import SearchAnswer, SearchQuestion
from openshelf.tasks import Announcer, CancelToken, Report, TaskRunner


class LibraryLike(Protocol):
    """What the window and the command line use of the library."""

    announcer: Announcer[tuple[InstalledModel, ...]]

    def installed(self) -> tuple[InstalledModel, ...]: ...
    def find(self, model_id: str) -> InstalledModel:
        """By id or any unambiguous part of it. Raises NotFound with candidates."""
        ...

    def remove(self, model_id: str, *, for_good: bool = False, all_files: bool = False) -> Removed:
        """Take away exactly the files in the manifest, to the trash unless `for_good`; a person's
        own (`InstalledModel.own_files`) only with `all_files`.

        Raises NotFound, NoTrash (then the model stays).
        """
        ...

    def effective_license(self, model_id: str) -> EffectiveLicense:
        """The license as it was when the model was installed. Raises NotFound."""
        ...

    def verify(self, model_id: str, cancel: CancelToken, report: Report) -> ModelCheck:
        """Hash all files again and keep what was found. Raises NotFound, CancelledByUser."""
        ...


class FoldersLike(Protocol):
    """What the window and the command line use of `library.folder_list.FolderList`."""

    def all(self) -> tuple[ModelFolder, ...]:
        """Every model folder as it is now; may take 2 s for each that does not answer."""
        ...

    def add(self, path: str) -> None:
        """Raises UsageError, NotEnoughDisk; so do the next two."""
        ...

    def remove(self, path: str) -> None:
        """Leave a folder: its files and models stay."""
        ...

    def choose(self, path: str) -> None:
        """New downloads go there."""
        ...

    def scan(self, cancel: CancelToken, report: Report) -> ScanReport:
        """Look through all folders. Raises UsageError, CancelledByUser."""
        ...

    def settle(self, doubts: Sequence[Doubt], cancel: CancelToken, report: Report) -> Settled:
        """Read whole what a look left in doubt. Raises UsageError, CancelledByUser."""
        ...


class UpkeepLike(Protocol):
    """What the window uses of `library.upkeep.Upkeep`."""

    announcer: Announcer[UpkeepState]

    def start(self) -> None: ...
    def stop(self) -> None:
        """End what runs now, and leave it for a day."""
        ...


class BundlesLike(Protocol):
    """What the window and the command line use of `library.bundling.Bundles`."""

    def export(
        self, models: Sequence[InstalledModel], folder: Path, cancel: CancelToken, report: Report
    ) -> ExportReport:
        """Write a bundle. Raises what loading each would, NotEnoughDisk, UsageError…"""
        ...

    def read(
        self, folder: Path, cancel: CancelToken, report: Report
    ) -> tuple[Bundle, tuple[BundleOffer, ...]]:
        """Verify a bundle. Raises CorruptBundle, ChecksumMismatch, UnsafeName."""
        ...


class ArchitecturesLike(Protocol):
    """What the window and the command line use of `engine.architectures.KnownArchitectures`."""

    announcer: Announcer[EngineKnowledge]

    def current(self) -> EngineKnowledge: ...
    def ask(self, names: Iterable[str | None]) -> EngineKnowledge: ...


class EngineBuildsLike(Protocol):
    """What the window and the command line use of `engine.builds.EngineBuilds`."""

    announcer: Announcer[Builds]

    def current(self) -> Builds: ...
    def use(self, path: Path | None, cancel: CancelToken | None = None) -> Build:
        """Check and choose a build (None: the installed one); blocks for seconds. Raises NotFound,
        EngineFailed."""
        ...

    def forget(self, folder: str) -> None:
        """Raises NotFound."""
        ...


class SettingsStoreLike(Protocol):
    announcer: Announcer[Settings]

    @property
    def current(self) -> Settings: ...
    def save(self, settings: Settings) -> None: ...
    def adopt(self, settings: Settings) -> None: ...
    def write(self) -> None: ...


@dataclass(frozen=True)
class Services:
    """Everything the window and the command line need. Blocking calls belong into tasks."""

    paths: Paths
    settings: SettingsStoreLike
    runner: TaskRunner
    detect_machine: Callable[[CancelToken, Report], Machine]
    """Hardware without asking the engine: fast, never raises."""
    engine_facts: Callable[[Machine], Machine]
    """The same machine with what the engine can use; starts the worker, never raises."""
    catalog: Callable[[], Catalog]
    read_card: Callable[[str, str, CancelToken], ModelCard]
    """The model card of a repository at a commit ("" for the newest); hub/cards.py."""
    shelf: Callable[[Machine, ShelfQuestion], Shelf]
    gate: Gate
    check_update: Callable[[InstalledModel, CancelToken, Report], UpdateReport]
    """What an installed model's repository has now, terms first."""
    acceptances: AcceptanceLog
    installer: InstallerLike
    downloads: DownloadsLike
    kept_downloads: KeptDownloadsLike
    """The same list, as the command line sees and steers it beside a window."""
    library: LibraryLike
    folders: FoldersLike
    """The model folders, and the look through them."""
    upkeep: UpkeepLike
    """Verifies installed files by the schedule of the settings, once it was started."""
    bundles: BundlesLike
    """Models to and from machines without a network."""
    chats: ChatsLike
    servers: ServersLike
    """Servers to chat with, their models and keys; chat/servers.py."""
    chat_aids: ChatAids
    """Recommended settings, presets and prompts, files that go along with a question."""
    bench: Callable[[str, BenchQuestion, CancelToken, Report], BenchReport]
    """The speed of an installed model, kept for the estimates; chat/benching.py."""
    close: Callable[[], None]
    """Stop accepting, cancel all, end the children, save."""
    fit_target: Callable[[TargetQuestion, Machine, CancelToken], TargetFit]
    """The fit of a TARGET, from its header where that can be had."""
    problems: Callable[[], tuple[Reason, ...]]
    """What was wrong with files of ours at the start, for the window to say."""
    dry_run_target: Callable[[TargetQuestion, Machine, CancelToken], TargetFit]
    """The same as the engine itself reckons it, without loading any weights."""
    models: ModelsLike
    """All builds of one model, and what each takes."""
    search: Callable[[Machine, SearchQuestion, CancelToken], SearchAnswer]
    """Models by words, in the catalog and on the Hub; blocks."""
    architectures: ArchitecturesLike
    """Which architectures the engine can load; to ask it takes a moment."""
    engine_builds: EngineBuildsLike
    """Builds of llama.cpp, and which one loads models."""
    refresh_catalog: Callable[[CancelToken, Report], Freshness]
    """Ask the Hub for what is new, at most once a day; `catalog` and `shelf` know it then."""
    with_policy: Callable[[Path, bool], Services]
    """The same services under the policy of a file, which never loosens a managed one; the flag
    marks every decision as a what-if."""
    egress: EgressLog
    """What went out to the network since the start."""
    tokens: TokenStore
    """Access tokens by Hub; may wait for the keychain."""
    policies: PoliciesLike
    """The policy in force and the person's own file."""
    preview_policy: Callable[[Policy], PolicyPreview]
    """What another policy would say to all models of the catalog; asks nobody."""

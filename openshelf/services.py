"""Builds every service once; the only place that wires. Used by the window and the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from openshelf.catalog.entries import Catalog
from openshelf.chat.session import ChatsLike
from openshelf.hardware.facts import Machine
from openshelf.library.downloads import DownloadsLike
from openshelf.library.install import InstallerLike
from openshelf.library.installed import InstalledModel
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.paths import Paths
from openshelf.policy.gate import Gate
from openshelf.settings import Settings
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.tasks import Announcer, CancelToken, Report, TaskRunner


class LibraryLike(Protocol):
    """What the window and the command line use of the library."""

    announcer: Announcer[tuple[InstalledModel, ...]]

    def installed(self) -> tuple[InstalledModel, ...]: ...
    def find(self, model_id: str) -> InstalledModel:
        """By id or any unambiguous part of it. Raises NotFound with candidates."""
        ...

    def remove(self, model_id: str) -> int:
        """Delete exactly the files in the manifest; returns the bytes freed."""
        ...


class SettingsStoreLike(Protocol):
    announcer: Announcer[Settings]

    @property
    def current(self) -> Settings: ...
    def save(self, settings: Settings) -> None: ...


@dataclass(frozen=True)
class Services:
    """Everything the window and the command line need. Blocking calls belong into tasks."""

    paths: Paths
    settings: SettingsStoreLike
    runner: TaskRunner
    detect_machine: Callable[[CancelToken, Report], Machine]
    """Hardware without asking the engine: fast, never raises."""
    engine_facts: Callable[[Machine], Machine]
    """The same machine with what the engine can use; starts the worker."""
    catalog: Callable[[], Catalog]
    shelf: Callable[[Machine, ShelfQuestion], Shelf]
    gate: Gate
    acceptances: AcceptanceLog
    installer: InstallerLike
    downloads: DownloadsLike
    library: LibraryLike
    chats: ChatsLike
    close: Callable[[], None]
    """Stop accepting, cancel all, end the children, save."""

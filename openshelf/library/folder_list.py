"""The list of model folders as a person changes it, and the look through all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from openshelf.errors import BadFolder
from openshelf.library.folders import FolderCondition, ModelFolder, normal_path
from openshelf.library.scanning import Doubt, ScanReport, scan
from openshelf.library.settling import Settled, settle
from openshelf.library.store import Library
from openshelf.settings import Settings
from openshelf.tasks import CancelToken, Report


class KeepsSettings(Protocol):
    @property
    def current(self) -> Settings: ...
    def save(self, settings: Settings) -> None: ...


class FolderList:
    """Changes nothing on disk: a folder is entered or left, its files stay where they are.

    What changes the list raises UsageError, and NotEnoughDisk where the settings cannot be kept.
    """

    def __init__(self, library: Library, settings: KeepsSettings) -> None:
        self._library = library
        self._settings = settings

    def all(self) -> tuple[ModelFolder, ...]:
        """Every folder as it is now; may take 2 s for each that does not answer."""
        return self._library.folders.all()

    def add(self, path: str) -> None:
        """A folder that is here and is not in the list yet."""
        added = self._library.folders.checked(path)
        settings = self._settings.current
        self._save(settings, model_folders=[*settings.model_folders, added])

    def remove(self, path: str) -> None:
        """Its models stay in the library, under their whole paths."""
        folder = self._library.folders.known(path)
        if folder.is_standard:
            raise BadFolder(path=folder.path, why="standard")
        settings = self._settings.current
        left = [p for p in settings.model_folders if normal_path(p) != folder.path]
        target = "" if folder.takes_downloads else settings.download_folder
        self._save(settings, model_folders=left, download_folder=target)

    def choose(self, path: str) -> None:
        """New downloads go there from now on; those that have begun stay where they are."""
        folder = self._library.folders.known(path)
        is_unmade = folder.is_standard and folder.look.condition is FolderCondition.MISSING
        if not folder.is_here and not is_unmade:
            raise BadFolder(path=folder.path, why="missing")
        if folder.is_here and not folder.look.is_writable:
            raise BadFolder(path=folder.path, why="unwritable")
        self._save(
            self._settings.current, download_folder="" if folder.is_standard else folder.path
        )

    def scan(self, cancel: CancelToken, report: Report) -> ScanReport:
        """Look through all folders that are here. Raises UsageError, CancelledByUser."""
        return scan(self._library, cancel, report)

    def settle(self, doubts: Sequence[Doubt], cancel: CancelToken, report: Report) -> Settled:
        """Read whole what is in doubt. Raises UsageError, CancelledByUser."""
        return settle(self._library, doubts, cancel, report)

    def _save(self, settings: Settings, **changes: object) -> None:
        try:
            self._settings.save(dataclasses.replace(settings, **changes))  # type: ignore[arg-type]
        finally:
            # In force also where it could not be written.
            self._library.follow_folders()
            self._library.note_mounts(self._library.folders.all())

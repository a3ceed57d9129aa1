"""Model folders in memory, and an upkeep that does what the test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from openshelf.errors import UsageError
from openshelf.library.folders import FolderCondition, FolderLook, ModelFolder
from openshelf.library.scanning import Doubt, ScanReport
from openshelf.library.settling import Settled
from openshelf.library.upkeep import UpkeepState
from openshelf.tasks import Announcer, CancelToken, Report

HERE = FolderLook(FolderCondition.HERE, (1, 1), True, 500_000_000_000, 200_000_000_000)
GONE = FolderLook(FolderCondition.MISSING)


class FakeFolders:
    """`found` is what a look finds, `settled` what becomes of its doubts."""

    def __init__(self, standard: Path) -> None:
        self.folders = [ModelFolder(str(standard), HERE, is_standard=True, takes_downloads=True)]
        self.found = ScanReport(())
        self.settled = Settled()
        self.asked_to_settle: list[Doubt] = []

    def all(self) -> tuple[ModelFolder, ...]:
        return tuple(self.folders)

    def add(self, path: str) -> None:
        if any(folder.path == path for folder in self.folders):
            raise UsageError(f"{path} is a model folder already")
        self.folders.append(ModelFolder(path, HERE))

    def remove(self, path: str) -> None:
        self.folders = [folder for folder in self.folders if folder.path != path]

    def choose(self, path: str) -> None:
        self.folders = [
            replace(folder, takes_downloads=folder.path == path) for folder in self.folders
        ]

    def scan(self, cancel: CancelToken, report: Report) -> ScanReport:
        return replace(self.found, folders=self.all())

    def settle(self, doubts: Sequence[Doubt], cancel: CancelToken, report: Report) -> Settled:
        self.asked_to_settle += doubts
        return self.settled


class FakeUpkeep:
    def __init__(self) -> None:
        self.announcer: Announcer[UpkeepState] = Announcer()
        self.started = self.stopped = 0

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1

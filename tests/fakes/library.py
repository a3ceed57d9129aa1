"""A library in memory: nothing is on disk, and what a verification finds is what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from openshelf.errors import CorruptBundle, NotFound, NoTrash
from openshelf.library.bundles import Bundle
from openshelf.library.bundling import BundleOffer
from openshelf.library.exporting import ExportReport
from openshelf.library.installed import InstalledModel
from openshelf.library.removal import Removed
from openshelf.library.verifying import FileCheck, FileState, ModelCheck
from openshelf.licenses.effective import EffectiveLicense
from openshelf.tasks import Announcer, CancelToken, Report
from tests.fakes.example_data import example_license


class FakeLibrary:
    def __init__(self, *models: InstalledModel) -> None:
        self.announcer: Announcer[tuple[InstalledModel, ...]] = Announcer()
        self.models = list(models)
        self.has_trash = True
        self.found: dict[str, tuple[FileState, ...]] = {}

    def add(self, model: InstalledModel) -> None:
        self.models.append(model)
        self.announcer.announce(self.installed())

    def installed(self) -> tuple[InstalledModel, ...]:
        return tuple(self.models)

    def find(self, model_id: str) -> InstalledModel:
        for model in self.models:
            if model_id in model.id:
                return model
        raise NotFound("id", model_id)

    def effective_license(self, model_id: str) -> EffectiveLicense:
        return example_license(*self.find(model_id).license_ids)

    def verify(self, model_id: str, cancel: CancelToken, report: Report) -> ModelCheck:
        """Intact, unless the test has put what is found into `found`."""
        model = self.find(model_id)
        states = self.found.get(model_id, (FileState.INTACT,) * len(model.files))
        checks = tuple(
            FileCheck(file, state, file.sha256 if state is FileState.INTACT else "f" * 64)
            for file, state in zip(model.files, states, strict=True)
        )
        check = ModelCheck(model, checks)
        intact = check.state is FileState.INTACT
        verified_at = "2026-11-26T09:00:00Z" if intact else None
        changed = replace(model, verified_at=verified_at, damaged=check.damage)
        self.models[self.models.index(model)] = changed
        self.announcer.announce(self.installed())
        return replace(check, model=changed)

    def remove(self, model_id: str, *, for_good: bool = False, all_files: bool = False) -> Removed:
        if not for_good and not self.has_trash:
            raise NoTrash("Permission denied", model_id)
        model = self.find(model_id)
        self.models.remove(model)
        self.announcer.announce(self.installed())
        taken = [file for file in model.files if all_files or file not in model.own_files]
        size = sum(file.size_bytes for file in taken)
        return Removed(size, 0 if for_good else size)


class FakeBundles:
    """Notes what is exported; nothing is written, and no folder is a bundle."""

    def __init__(self) -> None:
        self.exported: list[tuple[list[str], Path]] = []

    def export(
        self, models: Sequence[InstalledModel], folder: Path, cancel: CancelToken, report: Report
    ) -> ExportReport:
        ids = [model.id for model in models]
        self.exported.append((ids, folder))
        return ExportReport(folder, sum(model.size_bytes for model in models), tuple(ids), ())

    def read(
        self, folder: Path, cancel: CancelToken, report: Report
    ) -> tuple[Bundle, tuple[BundleOffer, ...]]:
        raise CorruptBundle("openshelf-bundle.json", "missing")

"""What the library page shows besides downloads: read in one task, kept as frozen facts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openshelf.library.disk_use import DiskUse as ModelsUse
from openshelf.library.disk_use import disk_use
from openshelf.library.folders import ModelFolder
from openshelf.library.installed import InstalledModel
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import License
from openshelf.paths import nearest_existing
from openshelf.services import Services
from openshelf.tasks import CancelToken, Report

NO_USE = ModelsUse(0, {}, ())


@dataclass(frozen=True)
class DiskUse:
    """The volume on which models lie, in bytes."""

    path: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class LibraryFacts:
    """`accepted` is record id → day (read apart); `loaded_id` the model in memory."""

    installed: tuple[InstalledModel, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    licenses: Mapping[str, License] = field(default_factory=dict)
    loaded_id: str | None = None
    disk: DiskUse | None = None
    folders: tuple[ModelFolder, ...] = ()
    use: ModelsUse = NO_USE

    @property
    def on_disk(self) -> tuple[InstalledModel, ...]:
        """The models that are here and on the same volume as `disk`."""
        target = next((folder for folder in self.folders if folder.takes_downloads), None)
        device = target.look.identity[0] if target and target.look.identity else None
        elsewhere = {
            folder.path
            for folder in self.folders
            if device is not None and folder.look.identity and folder.look.identity[0] != device
        }
        present = (model for model in self.installed if not model.missing)
        return tuple(m for m in present if m.first_file.folder not in elsewhere)

    def is_permissive(self, model: InstalledModel) -> bool:
        """Every license of the model is known and asks for little."""
        known = [self.licenses.get(name) for name in model.license_ids]
        classes = {entry.license_class for entry in known if entry is not None}
        return bool(known) and None not in known and classes <= {"permissive", "public-domain"}


def read_library(services: Services) -> Callable[[CancelToken, Report], LibraryFacts]:
    """The work for a task."""

    def work(cancel: CancelToken, report: Report) -> LibraryFacts:
        loaded = services.chats.loaded()
        installed, folders = services.library.installed(), services.folders.all()
        target = next((folder for folder in folders if folder.takes_downloads), None)
        return LibraryFacts(
            installed=installed,
            folders=folders,
            use=disk_use(installed),
            licenses=load_licenses(),
            loaded_id=loaded.model_id if loaded else None,
            disk=_disk_of_folder(target) if target else disk_of(services.paths.models),
        )

    return work


def _disk_of_folder(folder: ModelFolder) -> DiskUse | None:
    """One that is missing and does not answer is not asked again."""
    if folder.is_here:
        return DiskUse(folder.path, folder.look.total_bytes, folder.look.free_bytes)
    return None if folder.is_missing else disk_of(Path(folder.path))


def disk_of(folder: Path) -> DiskUse | None:
    """The volume of `folder`, or of the nearest folder above that exists."""
    existing = nearest_existing(folder)
    try:
        usage = shutil.disk_usage(existing)
    except OSError:
        return None
    return DiskUse(str(existing), usage.total, usage.free)

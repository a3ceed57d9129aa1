"""What the library page shows besides downloads: read in one task, kept as frozen facts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openshelf.library.installed import InstalledModel
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import License
from openshelf.paths import nearest_existing
from openshelf.services import Services
from openshelf.tasks import CancelToken, Report


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

    def is_permissive(self, model: InstalledModel) -> bool:
        """Every license of the model is known and asks for little."""
        known = [self.licenses.get(name) for name in model.license_ids]
        classes = {entry.license_class for entry in known if entry is not None}
        return bool(known) and None not in known and classes <= {"permissive", "public-domain"}


def read_library(services: Services) -> Callable[[CancelToken, Report], LibraryFacts]:
    """The work for a task."""

    def work(cancel: CancelToken, report: Report) -> LibraryFacts:
        loaded = services.chats.loaded()
        return LibraryFacts(
            installed=services.library.installed(),
            licenses=load_licenses(),
            loaded_id=loaded.model_id if loaded else None,
            disk=disk_of(services.paths.models),
        )

    return work


def disk_of(folder: Path) -> DiskUse | None:
    """The volume of `folder`, or of the nearest folder above that exists."""
    existing = nearest_existing(folder)
    try:
        usage = shutil.disk_usage(existing)
    except OSError:
        return None
    return DiskUse(str(existing), usage.total, usage.free)

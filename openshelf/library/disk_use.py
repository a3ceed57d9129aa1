"""What the models take of the disk: what is shared is counted once, what lies twice is named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from openshelf.library.installed import InstalledFile, InstalledModel

UNUSED_DAYS = 30


@dataclass(frozen=True)
class Duplicate:
    """The same bytes, lying on disk more than once: each place with the model that it is of."""

    sha256: str
    size_bytes: int
    places: tuple[tuple[str, str], ...]
    """(model id, location)."""

    @property
    def spare_bytes(self) -> int:
        """What one copy would free."""
        return self.size_bytes * (len(self.places) - 1)

    def as_json(self) -> dict[str, Any]:
        return {
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "spare_bytes": self.spare_bytes,
            "files": [{"id": id_, "location": location} for id_, location in self.places],
        }


@dataclass(frozen=True)
class DiskUse:
    """`by_model` is model id → its bytes on disk; what several models share counts for the one
    that was installed first, so that the sum is what the disk holds."""

    used_bytes: int
    by_model: dict[str, int]
    duplicates: tuple[Duplicate, ...]

    @property
    def spare_bytes(self) -> int:
        return sum(duplicate.spare_bytes for duplicate in self.duplicates)

    def as_json(self) -> dict[str, Any]:
        return {
            "used_bytes": self.used_bytes,
            "duplicate_bytes": self.spare_bytes,
            "duplicates": [duplicate.as_json() for duplicate in self.duplicates],
        }


def disk_use(models: Sequence[InstalledModel]) -> DiskUse:
    """Of the models whose files are here. Looks at files that have the same hash as another, and
    reads none."""
    present = sorted(
        (model for model in models if not model.missing),
        key=lambda model: (model.installed_at, model.id),
    )
    by_hash: dict[str, list[tuple[InstalledModel, InstalledFile]]] = {}
    for model in present:
        for file in model.files:
            by_hash.setdefault(file.sha256, []).append((model, file))
    sizes = {model.id: 0 for model in present}
    duplicates = []
    for sha256, group in by_hash.items():
        places = _places(group) if len(group) > 1 else group
        for model, file in places:
            sizes[model.id] += file.size_bytes
        if len(places) > 1:
            named = tuple((model.id, file.location) for model, file in places)
            duplicates.append(Duplicate(sha256, group[0][1].size_bytes, named))
    duplicates.sort(key=lambda duplicate: -duplicate.spare_bytes)
    return DiskUse(sum(sizes.values()), sizes, tuple(duplicates))


def _places(
    group: Iterable[tuple[InstalledModel, InstalledFile]],
) -> list[tuple[InstalledModel, InstalledFile]]:
    """Without second names for the same bytes on disk: links, hard or not."""
    seen: set[object] = set()
    places = []
    for model, file in group:
        try:
            facts = os.stat(file.location)  # noqa: PTH116
            key: object = (facts.st_dev, facts.st_ino)
        except OSError:
            key = file.location
        if key not in seen:
            seen.add(key)
            places.append((model, file))
    return places


def unused_models(models: Iterable[InstalledModel], now: datetime) -> tuple[InstalledModel, ...]:
    """Whose last use, or else whose installing, is more than 30 days ago; the longest first."""
    before = (now - timedelta(days=UNUSED_DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    old = [model for model in models if not model.missing and _last_use(model) < before]
    return tuple(sorted(old, key=lambda model: (_last_use(model), model.id)))


def _last_use(model: InstalledModel) -> str:
    return model.last_used_at or model.installed_at

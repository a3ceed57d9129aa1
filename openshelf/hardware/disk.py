"""The disks that matter: the one that takes models, and the person's home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openshelf.hardware.facts import Disk
from openshelf.hardware.sources import ProbeFailed, Sources
from openshelf.paths import nearest_existing


def probe_disks(sources: Sources, folders: Sequence[Path]) -> tuple[Disk, ...]:
    """One entry per volume, named by the first of `folders` that lies on it.

    A folder that does not exist yet stands for its nearest parent. Raises ProbeFailed where none
    can be read.
    """
    disks: list[Disk] = []
    seen: set[int] = set()
    detail = ""
    for folder in folders:
        existing = nearest_existing(folder)
        try:
            device = existing.stat().st_dev
            if device in seen:
                continue
            total, free = sources.disk_usage(existing)
        except OSError as error:
            detail = str(error)
            continue
        seen.add(device)
        disks.append(Disk(str(folder), total, free))
    if not disks:
        raise ProbeFailed("disk_unknown", detail=detail)
    return tuple(disks)

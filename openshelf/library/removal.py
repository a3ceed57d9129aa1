"""Deletes the files of a manifest and nothing else, and says how many bytes that freed."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openshelf.hub.cache_layout import remove_empty_folders


@dataclass(frozen=True)
class ManifestFile:
    """`blob` is where the bytes lie (the same as `location` without links); `is_ours` is False for
    what was there before us."""

    location: Path
    blob: Path
    is_ours: bool


def remove_files(entries: Sequence[ManifestFile], models: Path, kept: frozenset[Path]) -> int:
    """Delete `entries` below `models`; returns the bytes freed.

    A blob stays while one of `kept` (the blobs of other models) or another snapshot needs it. A
    file with a second name elsewhere (the starter's package) frees nothing.
    """
    return sum(_remove(entry, models, kept) for entry in entries if entry.is_ours)


def _remove(entry: ManifestFile, models: Path, kept: frozenset[Path]) -> int:
    folder = _repo_folder(entry.location, models)
    if folder is None:
        return 0
    freed = 0
    if entry.location.is_symlink():
        entry.location.unlink(missing_ok=True)
        is_needed = entry.blob in kept or _is_linked(entry.blob, folder)
        is_inside = folder.resolve() in entry.blob.parents
        if is_inside and not is_needed:
            freed = _delete(entry.blob)
    elif entry.location.is_file():
        freed = _delete(entry.location)
    lock = models / ".locks" / folder.name / f"{entry.blob.name}.lock"
    with contextlib.suppress(OSError):
        lock.unlink()
    for emptied in (entry.location.parent, entry.blob.parent, lock.parent):
        remove_empty_folders(emptied, models)
    _remove_refs_of_nothing(folder, models)
    return freed


def _repo_folder(location: Path, models: Path) -> Path | None:
    """`models--owner--name` that the file lies in; None outside of the cache."""
    try:
        inside = location.relative_to(models)
    except ValueError:
        return None
    if len(inside.parts) < 4 or not inside.parts[0].startswith("models--") or ".." in inside.parts:
        return None
    return models / inside.parts[0]


def _is_linked(blob: Path, folder: Path) -> bool:
    return any(
        path.is_symlink() and path.resolve() == blob for path in (folder / "snapshots").rglob("*")
    )


def _delete(path: Path) -> int:
    try:
        facts = path.stat()
        path.unlink()
    except FileNotFoundError:
        return 0
    return facts.st_size if facts.st_nlink == 1 else 0


def _remove_refs_of_nothing(folder: Path, models: Path) -> None:
    """Without a snapshot and a blob the branch's mark points nowhere."""
    if (folder / "snapshots").exists() or (folder / "blobs").exists():
        return
    with contextlib.suppress(OSError):
        (folder / "refs" / "main").unlink()
    remove_empty_folders(folder / "refs", models)
    remove_empty_folders(folder, models)

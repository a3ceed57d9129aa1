"""Takes the files of a manifest away and nothing else, and says how many bytes that freed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openshelf.errors import BadFile
from openshelf.hub.cache_layout import relink, remove_empty_folders

Discard = Callable[[Path], None]
"""Takes one file away: deletes it, or moves it to the trash (raises NoTrash)."""


@dataclass(frozen=True)
class ManifestFile:
    """`blob` is where the bytes lie (the same as `location` without links); `is_ours` is False for
    what was there before us; `folder` is the model folder that it lies in, "" for none."""

    location: Path
    blob: Path
    is_ours: bool
    folder: str = ""


@dataclass(frozen=True)
class Removed:
    """`freed_bytes` are gone from the model folder; `trashed_bytes` of them lie in the trash, where
    they take room until it is emptied."""

    freed_bytes: int = 0
    trashed_bytes: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(
            self.freed_bytes + other.freed_bytes, self.trashed_bytes + other.trashed_bytes
        )


def remove_files(
    entries: Sequence[ManifestFile], kept: frozenset[Path], trash: Discard | None = None
) -> Removed:
    """Take `entries` below their model folders away: into `trash`, or for good without one.

    A blob stays while one of `kept` (the blobs of other models) or another snapshot needs it. A
    file with a second name elsewhere (the starter's package) frees nothing and needs no trash.
    Raises what `trash` raises; that file then lies where it lay. Raises UsageError where a folder
    cannot be written.
    """
    removed = Removed()
    for entry in entries:
        if not entry.is_ours or not entry.folder:
            continue
        try:
            removed += _Removal(Path(entry.folder), kept, trash).of(entry)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BadFile(reason, str(entry.location), "not_removed") from error
    return removed


@dataclass(frozen=True)
class _Removal:
    models: Path
    kept: frozenset[Path]
    trash: Discard | None

    def of(self, entry: ManifestFile) -> Removed:
        folder = _repo_folder(entry.location, self.models)
        if folder is None:
            return self._of_plain_file(entry)
        removed = Removed()
        if entry.location.is_symlink():
            removed = self._unlink(entry, folder)
        elif entry.location.is_file():
            removed = self._discard(entry.location)
        self._tidy(entry, folder)
        return removed

    def _of_plain_file(self, entry: ManifestFile) -> Removed:
        """One that somebody moved out of the cache's layout; a link there is none of ours."""
        is_inside = self.models in entry.location.parents and ".." not in entry.location.parts
        if not is_inside or entry.location.is_symlink() or not entry.location.is_file():
            return Removed()
        return self._discard(entry.location)

    def _unlink(self, entry: ManifestFile, folder: Path) -> Removed:
        is_needed = entry.blob in self.kept or _is_linked(entry.blob, folder, entry.location)
        is_inside = folder.resolve() in entry.blob.parents
        if is_needed or not is_inside or not entry.blob.is_file():
            entry.location.unlink(missing_ok=True)
            return Removed()
        # In the trash it bears the model's name, and taken back it lies where the library looks.
        entry.blob.replace(entry.location)
        try:
            return self._discard(entry.location)
        except BaseException:
            entry.location.replace(entry.blob)
            relink(entry.location, entry.blob)
            raise

    def _discard(self, path: Path) -> Removed:
        try:
            facts = path.stat()
            if facts.st_nlink > 1:
                path.unlink()
                return Removed()
            if self.trash is None:
                path.unlink()
                return Removed(facts.st_size)
            self.trash(path)
        except FileNotFoundError:
            return Removed()
        return Removed(facts.st_size, facts.st_size)

    def _tidy(self, entry: ManifestFile, folder: Path) -> None:
        lock = self.models / ".locks" / folder.name / f"{entry.blob.name}.lock"
        with contextlib.suppress(OSError):
            lock.unlink()
        for emptied in (entry.location.parent, entry.blob.parent, lock.parent):
            remove_empty_folders(emptied, self.models)
        _remove_refs_of_nothing(folder, self.models)


def _repo_folder(location: Path, models: Path) -> Path | None:
    """`models--owner--name` that the file lies in; None outside of the cache."""
    try:
        inside = location.relative_to(models)
    except ValueError:
        return None
    if len(inside.parts) < 4 or not inside.parts[0].startswith("models--") or ".." in inside.parts:
        return None
    return models / inside.parts[0]


def _is_linked(blob: Path, folder: Path, besides: Path) -> bool:
    """Whether another snapshot than `besides` points to the blob."""
    return any(
        path.is_symlink() and path != besides and path.resolve() == blob
        for path in (folder / "snapshots").rglob("*")
    )


def _remove_refs_of_nothing(folder: Path, models: Path) -> None:
    """Without a snapshot and a blob the branch's mark points nowhere."""
    if (folder / "snapshots").exists() or (folder / "blobs").exists():
        return
    with contextlib.suppress(OSError):
        (folder / "refs" / "main").unlink()
    remove_empty_folders(folder / "refs", models)
    remove_empty_folders(folder, models)

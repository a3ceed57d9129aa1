"""The folders with models: which ones there are, and whether each can be used now.

The standard folder (paths.models) always is one; the settings hold the others. A folder may be
missing, unreadable, a file, on full or read-only media, inside another or the same as another
through a link: each is a condition to be told, never a reason not to start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.errors import BadFolder, NotFound
from openshelf.library.folder_look import FolderCondition as FolderCondition
from openshelf.library.folder_look import FolderLook as FolderLook
from openshelf.library.folder_look import PatientLook

_MOUNT_PARENTS = ("media", "mnt", "Volumes")


@dataclass(frozen=True)
class ModelFolder:
    """One folder of the list; `same_as` and `inside` name others of the list, or are ""."""

    path: str
    look: FolderLook
    is_standard: bool = False
    takes_downloads: bool = False
    same_as: str = ""
    inside: str = ""

    @property
    def condition(self) -> FolderCondition:
        return FolderCondition.SAME if self.same_as else self.look.condition

    @property
    def is_here(self) -> bool:
        return self.look.condition is FolderCondition.HERE

    @property
    def is_missing(self) -> bool:
        """Not here, though it should be: the standard folder is made when it is first needed."""
        is_unmade = self.is_standard and self.look.condition is FolderCondition.MISSING
        return not self.is_here and not is_unmade

    def as_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "state": self.condition.value,
            "standard": self.is_standard,
            "default": self.takes_downloads,
            "writable": self.look.is_writable,
            "total_bytes": self.look.total_bytes,
            "free_bytes": self.look.free_bytes,
            "same_as": self.same_as or None,
            "inside": self.inside or None,
            "drive": drive_of(self.path) or None,
        }


class ModelFolders:
    """The list as the settings have it now; `listed` and `chosen` give their two values."""

    def __init__(
        self,
        standard: Path,
        listed: Callable[[], Sequence[str]] = tuple,
        chosen: Callable[[], str] = str,
        look: Callable[[str], FolderLook] | None = None,
    ) -> None:
        self.standard = Path(normal_path(str(standard)))
        self._listed, self._chosen = listed, chosen
        self._look = look or PatientLook()
        self.mounts: Mapping[str, str] = {}
        """Folder → where its volume began when it was last seen; kept by the library."""

    def look(self, path: str) -> FolderLook:
        """What is there now; at most 2 s for what does not answer."""
        found = self._look(path)
        before = self.mounts.get(path, "")
        if found.is_empty and before and found.mount != before:
            return FolderLook(FolderCondition.NOT_MOUNTED)
        return found

    def paths(self) -> tuple[str, ...]:
        """The standard folder first, then the others in the person's order; each once."""
        return tuple(dict.fromkeys([str(self.standard), *map(normal_path, self._listed())]))

    def for_downloads(self) -> Path:
        """Where new files go: what was chosen, as long as it stands in the list."""
        chosen = self._chosen()
        path = normal_path(chosen) if chosen else ""
        return Path(path) if path in self.paths() else self.standard

    def place_for(self, folder: str) -> Path:
        """A folder of the list that a download began in; where new ones go, if it left the list."""
        path = normal_path(folder) if folder else ""
        return Path(path) if path in self.paths() else self.for_downloads()

    def require_here(self, folder: Path) -> None:
        """Raise NotFound where files cannot be put into this folder because it is not here.

        The standard folder is made when it is first needed; any other would be made on the wrong
        disk, under the mount point of a drive that is not there.
        """
        condition = self.look(str(folder)).condition
        is_unmade = folder == self.standard and condition is FolderCondition.MISSING
        if condition is not FolderCondition.HERE and not is_unmade:
            raise not_here(str(folder))

    def all(self) -> tuple[ModelFolder, ...]:
        """Every folder as it is now; takes as long as the slowest answers, at most 2 s each."""
        paths, target = self.paths(), str(self.for_downloads())
        found: list[ModelFolder] = []
        for path in paths:
            look = self.look(path)
            twins = [f.path for f in found if look.identity and f.look.identity == look.identity]
            above = [p for p in paths if p != path and Path(p) in Path(path).parents]
            found.append(
                ModelFolder(
                    path,
                    look,
                    is_standard=path == paths[0],
                    takes_downloads=path == target,
                    same_as=twins[0] if twins else "",
                    inside=max(above, key=len, default=""),
                )
            )
        return tuple(found)

    def checked(self, text: str) -> str:
        """The path of a folder that may be added. Raises UsageError."""
        path = normal_path(text)
        look = self.look(path)
        match look.condition:
            case FolderCondition.HERE:
                pass
            case FolderCondition.NOT_A_FOLDER:
                raise BadFolder(path=path, why="file")
            case FolderCondition.UNREADABLE:
                raise BadFolder(path=path, why="unreadable")
            case FolderCondition.SILENT:
                raise BadFolder(path=path, why="silent")
            case _:
                raise BadFolder(path=path, why="missing")
        for folder in self.all():
            if folder.path == path or folder.look.identity == look.identity:
                raise BadFolder(path=path, why="listed", other=folder.path)
        return path

    def known(self, text: str) -> ModelFolder:
        """A folder of the list. Raises UsageError."""
        path = normal_path(text)
        for folder in self.all():
            if folder.path == path:
                return folder
        raise BadFolder(path=path, why="not_listed")


def not_here(folder: str) -> NotFound:
    """The error that says which folder, and which drive where the path tells it."""
    drive = drive_of(folder)
    return NotFound("folder", folder, (drive,) if drive else ())


def normal_path(text: str) -> str:
    """Absolute, without `~`, `..` and a slash at the end; links stay as they were written."""
    return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111


def split_place(location: str, folders: Sequence[str]) -> tuple[str, str]:
    """(folder, path in it) for the innermost folder that holds `location`; ("", location) where
    none does. The path has slashes on every system."""
    best = ""
    for folder in folders:
        prefix = folder.rstrip(os.sep) + os.sep
        if location.startswith(prefix) and len(folder) > len(best):
            best = folder
    inside = location[len(best.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
    return (best, inside) if best and ".." not in inside.split("/") else ("", location)


def join_place(folder: str, location: str) -> str:
    """The other way round."""
    if not folder:
        return location
    inside = location if os.sep == "/" else location.replace("/", os.sep)
    return f"{folder.rstrip(os.sep)}{os.sep}{inside}"


def drive_of(path: str) -> str:
    """The name of the drive as the system shows it, by the usual places of removable drives;
    "" where the path does not tell."""
    drive = os.path.splitdrive(path)[0]
    if drive:
        return drive
    parts = Path(path).parts
    if len(parts) > 4 and parts[1:3] == ("run", "media"):
        return parts[4]
    if len(parts) > 3 and parts[1] == "media":
        return parts[3]
    if len(parts) > 2 and parts[1] in _MOUNT_PARENTS:
        return parts[2]
    return ""

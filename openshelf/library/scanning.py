"""Looks through the model folders: what is as it was, what moved, what changed, what is new.

Nothing is hashed that did not change: size, time and inode tell. What may have moved is found by
size and by a hash of its edges, and believed only after its whole SHA-256 (library/settling.py).
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import os
import re
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from openshelf.errors import OpenshelfError
from openshelf.library.file_looks import FileLook, FileRow
from openshelf.library.file_rows import Stamp, edges_sha256, stamp_of
from openshelf.library.folders import ModelFolder
from openshelf.library.store import Library
from openshelf.tasks import CancelToken, Progress, Report

log = logging.getLogger(__name__)

SCANNING = "scanning"
_SKIPPED = ("blobs", "refs", "trees")
"""Folders of the cache's layout in which nothing bears a model's name."""
MOST_ENTRIES = 200_000
"""Of one folder and all below it; those nearest to its top come first."""
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


@dataclass(frozen=True)
class Stranger:
    """A model file that is in no manifest: the first of its shards, and the bytes of all."""

    path: str
    size_bytes: int


@dataclass(frozen=True)
class Doubt:
    """A file whose bytes must be read before it counts: `locations` are where it may lie."""

    row: FileRow
    locations: tuple[str, ...]

    @property
    def has_moved(self) -> bool:
        return self.row.location not in self.locations


@dataclass(frozen=True)
class ScanReport:
    """What one look found; counts are files of the manifest."""

    folders: tuple[ModelFolder, ...]
    files: int = 0
    unchanged: int = 0
    away: int = 0
    """In folders that are not here."""
    missing: int = 0
    """Nowhere to be found."""
    doubts: tuple[Doubt, ...] = ()
    strangers: tuple[Stranger, ...] = ()
    cut: tuple[str, ...] = ()
    """Folders that hold so much that new files were not looked for in all of it."""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "folders": [folder.as_json() for folder in self.folders],
            "files": self.files,
            "unchanged": self.unchanged,
            "away": self.away,
            "missing": self.missing,
            "found_again": sum(doubt.has_moved for doubt in self.doubts),
            "changed": sum(not doubt.has_moved for doubt in self.doubts),
            "not_in_library": [dataclasses.asdict(stranger) for stranger in self.strangers],
            "not_looked_through": list(self.cut),
            "seconds": round(self.seconds, 3),
        }


def walk(folder: str, others: Iterable[str]) -> Generator[tuple[str, Stamp, int], None, bool]:
    """Path, stamp and device of every `.gguf` below `folder`; not into `others`, which are looked
    through for themselves, and into no linked folder. What cannot be read is left out, and so is
    what comes after MOST_ENTRIES: whoever names a whole disk must not wait for all of it. Returns
    whether anything was left out for that."""
    pending, skipped, count = collections.deque([folder]), set(others), 0
    while pending and count < MOST_ENTRIES:
        here = pending.popleft()
        is_repo = os.path.basename(here).startswith("models--")  # noqa: PTH119
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    count += 1
                    if entry.name.lower().endswith(".gguf"):
                        yield from _stamped(entry)
                    elif entry.name == ".locks" or (is_repo and entry.name in _SKIPPED):
                        continue
                    elif entry.is_dir(follow_symlinks=False) and entry.path not in skipped:
                        pending.append(entry.path)
        except OSError:
            continue
    return bool(pending)


def _stamped(entry: os.DirEntry[str]) -> Iterator[tuple[str, Stamp, int]]:
    try:
        # A name that is no text can be in no database either.
        entry.path.encode()
        facts = entry.stat()
        if entry.is_file():
            stamp = Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ino)
            yield entry.path, stamp, facts.st_dev
    except (OSError, UnicodeEncodeError):
        return


@dataclass
class _Look:
    """What is gathered on the way."""

    seen: dict[str, Stamp]
    inodes: dict[str, tuple[int, int]]
    steady: list[FileLook]
    doubts: list[Doubt]
    lost: list[tuple[FileRow, bool]]
    """And whether its folder is not here."""
    unchanged: int = 0

    def gather(
        self, files: Generator[tuple[str, Stamp, int], None, bool], cancel: CancelToken
    ) -> bool:
        """What the walk returns."""
        while True:
            cancel.raise_if_cancelled()
            try:
                path, stamp, device = next(files)
            except StopIteration as ended:
                return bool(ended.value)
            self.seen[path] = stamp
            self.inodes[path] = (device, stamp.inode)


def scan(library: Library, cancel: CancelToken, report: Report) -> ScanReport:
    """One look through all folders that are here. Raises UsageError, CancelledByUser."""
    begun = time.monotonic()
    report(Progress(0, None, SCANNING))
    folders = library.folders.all()
    library.note_mounts(folders)
    here = [folder.path for folder in folders if folder.is_here and not folder.same_as]
    look = _Look({}, {}, [], [], [])
    cut = [folder for folder in here if look.gather(walk(folder, here), cancel)]
    rows = library.file_rows()
    gone = {folder.path for folder in folders if not folder.is_here}
    silent: dict[str, bool] = {}
    for row in rows:
        _compare(row, look, is_away=row.folder in gone or _is_silent(row, library, silent))
    strangers = _strangers(rows, look)
    missing, away = _seek(look, strangers)
    _keep(library, look.steady)
    taken = {path for doubt in look.doubts for path in doubt.locations}
    return ScanReport(
        folders=folders,
        files=len(rows),
        unchanged=look.unchanged,
        away=away,
        missing=missing,
        doubts=tuple(look.doubts),
        strangers=tuple(_offered([path for path in strangers if path not in taken], look)),
        cut=tuple(cut),
        seconds=time.monotonic() - begun,
    )


def _is_silent(row: FileRow, library: Library, known: dict[str, bool]) -> bool:
    """Whether a file outside the model folders lies where nothing answers."""
    if row.folder:
        return False
    place = os.path.dirname(row.location)  # noqa: PTH120
    if place not in known:
        known[place] = library.folders.is_silent(place)
    return known[place]


def _keep(library: Library, looks: Sequence[FileLook]) -> None:
    """New stamps only spare the next look a few reads; a full disk is no reason to tell nothing."""
    try:
        library.keep_looks(looks)
    except OpenshelfError as error:
        log.info("library: stamps could not be kept: %s", error)


def _compare(row: FileRow, look: _Look, *, is_away: bool) -> None:
    """Where it was: as it was, under another inode, changed, or not there."""
    stamp = None if is_away else look.seen.get(row.location) or stamp_of(row.location)
    if stamp is None or stamp.size_bytes != row.size_bytes:
        look.lost.append((row, is_away))
        return
    if stamp == row.stamp:
        look.unchanged += 1
        return
    edges = edges_sha256(row.location)
    is_same_time = row.stamp is None or row.stamp.modified_ns == stamp.modified_ns
    if is_same_time and row.edges_sha256 in (None, edges):
        # Other inodes are what a network folder shows after it was mounted anew.
        look.unchanged += 1
        look.steady.append(FileLook(row, row.location, stamp, edges))
    else:
        look.doubts.append(Doubt(row, (row.location,)))


def _strangers(rows: Sequence[FileRow], look: _Look) -> list[str]:
    """Files that no manifest has, by name or by what the name leads to."""
    known = {row.location for row in rows}
    inodes = {look.inodes[path] for path in known if path in look.inodes}
    found = []
    for path in sorted(look.seen):
        if path not in known and look.inodes[path] not in inodes:
            inodes.add(look.inodes[path])
            found.append(path)
    return found


def _seek(look: _Look, strangers: Sequence[str]) -> tuple[int, int]:
    """Look for what is lost among the strangers; how many stay missing, and away."""
    by_size: dict[int, list[str]] = {}
    for path in strangers:
        by_size.setdefault(look.seen[path].size_bytes, []).append(path)
    edges: dict[str, str | None] = {}
    missing = away = 0
    for row, is_away in look.lost:
        candidates = []
        for path in by_size.get(row.size_bytes, ()):
            if path not in edges:
                edges[path] = edges_sha256(path)
            if row.edges_sha256 in (None, edges[path]):
                candidates.append(path)
        if candidates:
            look.doubts.append(Doubt(row, tuple(candidates)))
        else:
            away += is_away
            missing += not is_away
    return missing, away


def _offered(paths: Sequence[str], look: _Look) -> Iterator[Stranger]:
    """One entry per model: projectors and further shards are part of another."""
    sizes: dict[str, int] = {}
    for path in paths:
        if os.path.basename(path).lower().startswith("mmproj"):  # noqa: PTH119
            continue
        match = _SHARD.search(path)
        first = path if match is None else f"{path[: match.start()]}-00001{path[match.end(1) :]}"
        if first in look.seen:
            sizes[first] = sizes.get(first, 0) + look.seen[path].size_bytes
    for path, size in sizes.items():
        yield Stranger(path, size)

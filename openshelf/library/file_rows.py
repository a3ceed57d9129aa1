"""The rows of files: written with their place in a model folder, moved when the folders change."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openshelf.library.folders import join_place, split_place
from openshelf.library.installed import InstalledFile
from openshelf.library.removal import ManifestFile

_EDGE_BYTES = 64 << 10
_PLACES = (
    "SELECT folders.path, files.location, files.is_ours FROM files"
    " LEFT JOIN folders ON folders.id = files.folder_id"
)


@dataclass(frozen=True)
class Stamp:
    """What tells without reading that a file is as it was: size, time of change, inode."""

    size_bytes: int
    modified_ns: int
    inode: int


def stamp_of(location: str) -> Stamp | None:
    """None where it cannot be had."""
    try:
        facts = os.stat(location)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ino)


def edges_sha256(location: str) -> str | None:
    """SHA-256 over a file's first and last 64 KiB: who may be who, never proof. None where it
    cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(location, "rb") as file:  # noqa: PTH123
            digest.update(file.read(_EDGE_BYTES))
            size = file.seek(0, os.SEEK_END)
            if size > _EDGE_BYTES:
                file.seek(max(_EDGE_BYTES, size - _EDGE_BYTES))
                digest.update(file.read(_EDGE_BYTES))
    except (OSError, ValueError):
        return None
    return digest.hexdigest()


def folder_ids(connection: sqlite3.Connection) -> dict[str, int]:
    """Path → id."""
    return {path: number for number, path in connection.execute("SELECT id, path FROM folders")}


def insert_files(
    connection: sqlite3.Connection,
    model_id: str,
    files: Sequence[InstalledFile],
    ours: frozenset[str],
    verified_at: str | None,
) -> None:
    """Each with its stamp as it is now, so that a later look can tell that nothing changed."""
    ids = folder_ids(connection)
    rows = []
    for position, file in enumerate(files):
        folder, location = split_place(file.location, list(ids))
        stamp = stamp_of(file.location)
        rows.append(
            (
                model_id, position, file.path, location, "", file.size_bytes, file.sha256,
                file.location in ours, ids.get(folder), stamp and stamp.modified_ns,
                stamp and stamp.inode, edges_sha256(file.location), verified_at,
            )
        )  # fmt: skip
    connection.executemany(
        "INSERT INTO files (model_id, position, path, location, blob, size_bytes, sha256, is_ours,"
        " folder_id, modified_ns, inode, edges_sha256, verified_at)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
        rows,
    )


def sync_folders(
    connection: sqlite3.Connection, wanted: Sequence[str], is_gone: Callable[[str], bool]
) -> bool:
    """Make the table of folders the list that is `wanted`, the standard one first; files keep lying
    where they lie. False where nothing had to change.

    A file of a folder that left the list is kept under its whole path, and comes back into a
    folder that is added above it. Where the standard folder has another path and the old one is
    gone (the whole home was moved, or lies on a drive with another name), its files moved along.
    """
    has_moved = _move_standard(connection, wanted, is_gone)
    known = folder_ids(connection)
    if set(known) == set(wanted):
        return has_moved
    rows = connection.execute(
        "SELECT files.model_id, files.position, folders.path, files.location FROM files"
        " LEFT JOIN folders ON folders.id = files.folder_id"
    ).fetchall()
    connection.executemany(
        "INSERT INTO folders (path) VALUES (?)", [(p,) for p in wanted if p not in known]
    )
    ids = folder_ids(connection)
    changes = []
    for model_id, position, folder, location in rows:
        whole = join_place(folder, location) if folder else location
        now, inside = split_place(whole, wanted)
        if (now, inside) != (folder or "", location):
            changes.append((ids.get(now), inside, model_id, position))
    connection.executemany(
        "UPDATE files SET folder_id = ?, location = ? WHERE model_id = ? AND position = ?", changes
    )
    connection.executemany(
        "DELETE FROM folders WHERE id = ?", [(ids[p],) for p in known if p not in wanted]
    )
    connection.execute("UPDATE folders SET is_standard = (path = ?)", (wanted[0],))
    return True


def _move_standard(
    connection: sqlite3.Connection, wanted: Sequence[str], is_gone: Callable[[str], bool]
) -> bool:
    rows = connection.execute("SELECT path FROM folders WHERE is_standard").fetchall()
    before = rows[0][0] if rows else wanted[0]
    is_new = wanted[0] not in folder_ids(connection)
    if before in wanted or not is_new or not is_gone(before):
        return False
    connection.execute("UPDATE folders SET path = ? WHERE path = ?", (wanted[0], before))
    return True


def files_of(
    connection: sqlite3.Connection, model_id: str, is_silent: Callable[[str], bool]
) -> tuple[list[ManifestFile], frozenset[Path]]:
    """The files of a model that no other lists (two variants share a projector), and the blobs of
    all others that may be the same, as far as their folders answer."""
    own = connection.execute(
        f"{_PLACES} WHERE model_id = ?1 AND NOT EXISTS (SELECT 1 FROM files AS other"  # noqa: S608
        " WHERE other.location = files.location AND other.folder_id IS files.folder_id"
        " AND other.model_id <> ?1)",
        (model_id,),
    )
    entries = [_entry(*row) for row in own]
    others = connection.execute(
        f"{_PLACES} WHERE model_id <> ?1 AND size_bytes IN"  # noqa: S608
        " (SELECT size_bytes FROM files WHERE model_id = ?1)",
        (model_id,),
    )
    return entries, _blobs(others, is_silent)


def _blobs(
    rows: Iterable[tuple[str | None, str, int]], is_silent: Callable[[str], bool]
) -> frozenset[Path]:
    found = set()
    for folder, location, is_ours in rows:
        place = folder or os.path.dirname(location)  # noqa: PTH120
        if not is_silent(place):
            found.add(_entry(folder, location, is_ours).blob)
    return frozenset(found)


def blobs_of_sizes(
    connection: sqlite3.Connection, sizes: Sequence[int], is_silent: Callable[[str], bool]
) -> frozenset[Path]:
    """The blobs of all files of these sizes, as far as their folders answer."""
    found: set[Path] = set()
    for size in set(sizes):
        rows = connection.execute(f"{_PLACES} WHERE size_bytes = ?", (size,))
        found |= _blobs(rows, is_silent)
    return frozenset(found)


def _entry(folder: str | None, location: str, is_ours: int) -> ManifestFile:
    whole = Path(join_place(folder, location) if folder else location)
    return ManifestFile(whole, Path(os.path.realpath(whole)), bool(is_ours), folder or "")

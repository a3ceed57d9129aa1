"""What is known of each file without reading it, and what a look at it or its hash changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from openshelf.database import Database
from openshelf.library.file_rows import Stamp, folder_ids
from openshelf.library.folders import join_place, split_place
from openshelf.library.installed import Damage, InstalledModel
from openshelf.library.verifying import FileState, ModelCheck


@dataclass(frozen=True)
class FileRow:
    """`location` is its whole path; `stamp` and `edges_sha256` as they were when it was last found
    to be right, None where nobody looked yet."""

    model_id: str
    path: str
    folder: str
    location: str
    size_bytes: int
    sha256: str
    stamp: Stamp | None
    edges_sha256: str | None


@dataclass(frozen=True)
class FileLook:
    """What was found out about a file: where it lies now, its stamp, and whether its bytes are.

    `state` is None where its bytes were not read: then nothing but the place and stamp is kept.
    """

    row: FileRow
    location: str
    stamp: Stamp
    edges_sha256: str | None
    state: FileState | None = None
    actual_sha256: str = ""

    @property
    def has_moved(self) -> bool:
        """Somebody else put it where it lies now, so it is not ours to delete: the same bytes may
        be a person's own copy."""
        return self.location != self.row.location


def read_file_rows(database: Database) -> list[FileRow]:
    """Raises sqlite3.Error."""
    return [
        FileRow(
            model_id, path, folder or "", join_place(folder, location) if folder else location,
            size, sha256, None if modified is None else Stamp(size, modified, inode), edges,
        )
        for model_id, path, folder, location, size, sha256, modified, inode, edges
        in database.read(
            "SELECT files.model_id, files.path, folders.path, files.location, files.size_bytes,"
            " files.sha256, files.modified_ns, files.inode, files.edges_sha256 FROM files"
            " LEFT JOIN folders ON folders.id = files.folder_id"
        )
    ]  # fmt: skip


def keep_looks(connection: sqlite3.Connection, looks: Sequence[FileLook], now: str) -> None:
    """A file whose bytes were right bears the time; one that is damaged marks its model."""
    ids = folder_ids(connection)
    for look in looks:
        folder, inside = split_place(look.location, list(ids))
        # Of the content that was looked for: what was installed anew meanwhile stays as it is.
        where = (look.row.model_id, look.row.path, look.row.sha256)
        connection.execute(
            "UPDATE files SET folder_id = ?, location = ?, modified_ns = ?, inode = ?,"
            " edges_sha256 = ?, is_ours = is_ours AND NOT ?"
            " WHERE model_id = ? AND path = ? AND sha256 = ?",
            (
                ids.get(folder), inside, look.stamp.modified_ns, look.stamp.inode,
                look.edges_sha256, look.has_moved, *where,
            ),
        )  # fmt: skip
        if look.state is None:
            continue
        is_intact = look.state is FileState.INTACT
        connection.execute(
            "UPDATE files SET verified_at = ? WHERE model_id = ? AND path = ? AND sha256 = ?",
            (now if is_intact else None, *where),
        )
        damage = None if is_intact else Damage(look.row.path, look.actual_sha256)
        _keep_damage(connection, look.row.model_id, damage)


def keep_check(
    connection: sqlite3.Connection, model: InstalledModel, check: ModelCheck, now: str
) -> None:
    """The dates of the files that were read; the damage of a model, until all of it is intact.

    What was installed anew meanwhile is not what was read, and stays as it is.
    """
    found = connection.execute(
        "SELECT 1 FROM models WHERE id = ? AND installed_at = ?", (model.id, model.installed_at)
    ).fetchone()
    if found is None:
        return
    for file in check.files:
        connection.execute(
            "UPDATE files SET verified_at = ? WHERE model_id = ? AND path = ?",
            (now if file.state is FileState.INTACT else None, model.id, file.file.path),
        )
    _keep_damage(connection, model.id, check.damage)


def _keep_damage(connection: sqlite3.Connection, model_id: str, damage: Damage | None) -> None:
    """Mark a model; without damage take the mark back, once every file of it was found intact."""
    if damage is not None:
        connection.execute(
            "UPDATE models SET damaged_path = ?, damaged_sha256 = ? WHERE id = ?",
            (damage.path, damage.sha256, model_id),
        )
        return
    connection.execute(
        "UPDATE models SET damaged_path = NULL, damaged_sha256 = NULL WHERE id = ?1"
        " AND NOT EXISTS (SELECT 1 FROM files WHERE model_id = ?1 AND verified_at IS NULL)",
        (model_id,),
    )

"""The library: what is installed, in SQLite with every commit on disk before it counts.

It opens whatever state its file is in: a broken one is put aside and kept, one that cannot be
written (or was written by a newer version) is replaced by one in memory, and `problem` says so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from openshelf.database import Database
from openshelf.errors import BadFile, CorruptSettings, NotFound, OpenshelfError
from openshelf.hardware.facts import LearnedRate
from openshelf.library.file_looks import FileLook, FileRow, keep_check, keep_looks, read_file_rows
from openshelf.library.file_rows import blobs_of_sizes, files_of, insert_files, sync_folders
from openshelf.library.folders import (
    FolderCondition,
    ModelFolder,
    ModelFolders,
    not_here,
    split_place,
)
from openshelf.library.installed import InstalledModel
from openshelf.library.listing import MODEL_COLUMNS, read_models
from openshelf.library.measurements import (
    LoadMeasurement,
    MeasuredRun,
    insert_load,
    insert_run,
    read_loads,
    read_rates,
    warn_of_differences,
)
from openshelf.library.removal import Discard, ManifestFile, Removed, remove_files
from openshelf.library.schema import LIBRARY
from openshelf.library.trash import send_to_trash
from openshelf.library.verifying import ModelCheck, check_files
from openshelf.licenses.effective import EffectiveLicense, effective_from_json
from openshelf.reasons import Reason
from openshelf.tasks import Announcer, CancelToken, Report

log = logging.getLogger(__name__)


def now_utc() -> str:
    """The time in ISO 8601, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Library:
    """Thread-safe; other processes may use the same file. Methods that write raise NotEnoughDisk
    or UsageError where the file cannot be written."""

    def __init__(
        self, database: Path, models: Path | ModelFolders, trash: Discard = send_to_trash
    ) -> None:
        self.announcer: Announcer[tuple[InstalledModel, ...]] = Announcer()
        self.folders = models if isinstance(models, ModelFolders) else ModelFolders(models)
        self._path = database
        self._trash = trash
        self._database = Database(database, LIBRARY)
        self._enter_folders()
        self._recall_mounts()

    def follow_folders(self) -> None:
        """The list of model folders may have changed: keep the files in those that hold them."""
        if self._enter_folders():
            self._announce()

    def _enter_folders(self) -> bool:
        """Never raises: without this the files are kept under the folders of before."""
        wanted = self.folders.paths()
        try:
            if sorted(self._folder_paths()) == sorted(wanted):
                # Without a transaction: a start waits for no other process that writes.
                return False
            with self._transaction() as connection:
                return sync_folders(connection, wanted, self._is_gone)
        except OpenshelfError as error:
            log.warning("library: the model folders could not be entered: %s", error)
            return False

    @property
    def problem(self) -> Reason | None:
        """What was wrong with the file, None where nothing was."""
        notes = self._database.notes
        return notes[0] if notes else None

    def require_kept(self) -> None:
        """Raise UsageError where the manifest lives in memory only: an install would be lost."""
        if self.problem is not None and not self.problem.code.endswith("set_aside"):
            raise BadFile(path=str(self._path), why="library_not_kept")

    def close(self) -> None:
        self._database.close()

    def note_mounts(self, folders: Iterable[ModelFolder]) -> None:
        """Remember on which volume each lies, so that the empty folder in which a drive is to be
        mounted is not taken for the drive. Never raises."""
        changes = [
            (folder.look.mount, folder.path)
            for folder in folders
            if folder.is_here and folder.look.mount != self.folders.mounts.get(folder.path)
        ]
        if not changes:
            return
        try:
            with self._transaction() as connection:
                connection.executemany("UPDATE folders SET mount = ? WHERE path = ?", changes)
        except OpenshelfError as error:
            log.info("library: the volumes of the model folders could not be kept: %s", error)
        self._recall_mounts()

    def _recall_mounts(self) -> None:
        with contextlib.suppress(OpenshelfError), self._failures():
            self.folders.mounts = dict(self._database.read("SELECT path, mount FROM folders"))

    def _is_gone(self, folder: str) -> bool:
        return self.folders.look(folder).condition is FolderCondition.MISSING

    def installed(self) -> tuple[InstalledModel, ...]:
        """Everything installed, the newest first."""
        with self._failures():
            return read_models(self._database, self.folders.look)

    def find(self, model_id: str) -> InstalledModel:
        """By id, by OWNER/REPO:QUANT, or by any unambiguous part of the id, ignoring case.

        Raises NotFound; its candidates are what it could mean.
        """
        wanted = model_id.strip().casefold()
        models = self.installed()
        tests = (
            lambda model: model.id.casefold() == wanted,
            lambda model: f"{model.repo}:{model.quant}".casefold() == wanted,
            lambda model: bool(wanted) and wanted in model.id.casefold(),
            lambda model: bool(wanted) and wanted == model.name.casefold(),
        )
        for test in tests:
            found = [model for model in models if test(model)]
            if len(found) == 1:
                return found[0]
            if found:
                raise NotFound("id", model_id, tuple(model.id for model in found))
        raise NotFound("id", model_id)

    def register(
        self, model: InstalledModel, license: EffectiveLicense, ours: frozenset[str]
    ) -> InstalledModel:
        """Put a verified model into the manifest; `ours` are the locations that we may delete."""
        license_json = json.dumps(license.as_json())
        with self._transaction() as connection:
            connection.execute("DELETE FROM models WHERE id = ?", (model.id,))
            connection.execute(
                f"INSERT INTO models ({MODEL_COLUMNS}, license_json)"  # noqa: S608
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    model.id, model.repo, model.commit, model.name, model.quant,
                    model.license_expression, json.dumps(model.license_ids), model.record_id,
                    model.source, model.installed_at, model.verified_at, model.last_used_at,
                    model.decode_tokens_per_second, model.origin, license_json,
                ),
            )  # fmt: skip
            insert_files(connection, model.id, model.files, ours, model.verified_at)
            connection.executemany(
                "DELETE FROM placed WHERE location = ?", [(file.location,) for file in model.files]
            )
        self.note_mounts(self.folders.all())
        self._announce()
        return self.find(model.id)

    def keep_terms(self, model_id: str, license: EffectiveLicense, record_id: str | None) -> None:
        """The same files were accepted under other terms: those are the model's from now on."""
        values = (
            license.expression, json.dumps(license.effective), record_id,
            json.dumps(license.as_json()), model_id,
        )  # fmt: skip
        with self._transaction() as connection:
            connection.execute(
                "UPDATE models SET license_expression = ?, license_ids = ?, record_id = ?,"
                " license_json = ? WHERE id = ?",
                values,
            )
        self._announce()

    def effective_license(self, model_id: str) -> EffectiveLicense:
        """The license as it was accepted last. Raises NotFound, CorruptSettings."""
        with self._failures():
            rows = self._database.read("SELECT license_json FROM models WHERE id = ?", model_id)
        if not rows:
            raise NotFound("id", model_id)
        try:
            return effective_from_json(json.loads(rows[0][0]))
        except (ValueError, RecursionError) as error:
            raise CorruptSettings(detail=str(error)[:200], path=str(self._path)) from error

    def remove(self, model_id: str, *, for_good: bool = False, all_files: bool = False) -> Removed:
        """Take away exactly the files in the manifest, to the trash unless `for_good`.

        What another entry uses and files outside the model folders stay, and so does what we did
        not put there (before us, or moved by somebody), unless `all_files`.
        Raises NotFound (also while its folder is not here), NoTrash (then the model stays),
        UsageError (its folder cannot be written).
        """
        model = self.find(model_id)
        if model.away:
            raise not_here(model.away)
        removed = Removed()
        with self._transaction() as connection:
            entries, others = files_of(connection, model.id, self.folders.is_silent)
            if all_files:
                entries = [dataclasses.replace(entry, is_ours=True) for entry in entries]
            connection.execute("DELETE FROM models WHERE id = ?", (model.id,))
            connection.execute("DELETE FROM measurements WHERE model_id = ?", (model.id,))
            if not for_good:
                removed = remove_files(entries, others, self._trash)
        if for_good:
            # After the manifest: a crash in between leaves a file too many, never a wrong entry.
            removed = remove_files(entries, others)
        self._announce()
        return removed

    def keep_news(self, model_id: str, state: str, commit: str) -> None:
        """What a look for an update found; "" where nothing is new."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM updates WHERE model_id = ?", (model_id,))
            if state:
                connection.execute(
                    "INSERT INTO updates SELECT id, ?, ?, ? FROM models WHERE id = ?",
                    (state, commit, now_utc(), model_id),
                )
        self._announce()

    def keep_load(self, load: LoadMeasurement) -> None:
        """Keep what a load took, and that the model was used; what is far from its prediction goes
        to the log."""
        model = next((m for m in self.installed() if m.id == load.model_id), None)
        warn_of_differences(load, model.files if model else ())
        with self._transaction() as connection:
            insert_load(connection, load)
            connection.execute(
                "UPDATE models SET last_used_at = ? WHERE id = ?", (load.measured_at, load.model_id)
            )

    def measurements(self, model_id: str) -> tuple[LoadMeasurement, ...]:
        """What the latest loads of a model took, the newest first."""
        with self._failures():
            return read_loads(self._database, model_id)

    def keep_run(self, run: MeasuredRun) -> None:
        """Keep an answer's speed; the model was used, and its own speed is reckoned anew."""
        with self._transaction() as connection:
            speed = insert_run(connection, run)
            connection.execute(
                "UPDATE models SET decode_tokens_per_second = ?, last_used_at = ? WHERE id = ?",
                (speed, run.measured_at, run.model_id),
            )
        self._announce()

    def learned_rates(self) -> tuple[LearnedRate, ...]:
        """What this machine's devices reached in the answers written here."""
        with self._failures():
            return read_rates(self._database)

    def verify(self, model_id: str, cancel: CancelToken, report: Report) -> ModelCheck:
        """Hash all files again and keep what was found. Raises NotFound, CancelledByUser."""
        model = self.find(model_id)
        check = check_files(model, cancel, report)
        if model.away:
            # Nothing was found out about files that cannot be looked at.
            return check
        with self._transaction() as connection:
            keep_check(connection, model, check, now_utc())
        self._announce()
        return dataclasses.replace(check, model=self.find(model.id))

    def verify_file(
        self, model_id: str, path: str, cancel: CancelToken, report: Report
    ) -> ModelCheck:
        """The same for one of its files. Raises NotFound, CancelledByUser."""
        model = self.find(model_id)
        files = [file for file in model.files if file.path == path]
        if not files:
            raise NotFound("file", path)
        check = check_files(model, cancel, report, files)
        if not model.away:
            with self._transaction() as connection:
                keep_check(connection, model, check, now_utc())
            self._announce()
        return dataclasses.replace(check, model=self.find(model.id))

    def note_placed(self, location: Path) -> None:
        """Remember that we put this file there, before its model is whole."""
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO placed VALUES (?)", (str(location),))

    def was_placed(self, location: Path) -> bool:
        """Whether we put it there: noted, or in the manifest as ours."""
        with self._failures():
            rows = self._database.read("SELECT 1 FROM placed WHERE location = ?", str(location))
            return bool(rows) or self._is_in_manifest(location, only_ours=True)

    def discard_placed(self, locations: Sequence[Path]) -> int:
        """Delete files of a model that was never finished, where we put them; the bytes freed."""
        mine = [path for path in locations if self._is_only_placed(path)]
        paths = self._folder_paths()
        entries = [
            ManifestFile(path, path.resolve(), True, split_place(str(path), paths)[0])
            for path in mine
        ]
        sizes = [entry.blob.stat().st_size for entry in entries if entry.blob.is_file()]
        with self._transaction() as connection:
            kept = blobs_of_sizes(connection, sizes, self.folders.is_silent)
            connection.executemany(
                "DELETE FROM placed WHERE location = ?", [(str(path),) for path in mine]
            )
        return remove_files(entries, kept).freed_bytes

    def _is_only_placed(self, location: Path) -> bool:
        with self._failures():
            rows = self._database.read("SELECT 1 FROM placed WHERE location = ?", str(location))
            return bool(rows) and not self._is_in_manifest(location, only_ours=False)

    def _is_in_manifest(self, location: Path, *, only_ours: bool) -> bool:
        folder, inside = split_place(str(location), self._folder_paths())
        rows = self._database.read(
            "SELECT 1 FROM files LEFT JOIN folders ON folders.id = files.folder_id"
            " WHERE files.location = ? AND folders.path IS ? AND (is_ours OR ?)",
            inside, folder or None, not only_ours,
        )  # fmt: skip
        return bool(rows)

    def _folder_paths(self) -> list[str]:
        """As the manifest has them: another process may have changed the list."""
        with self._failures():
            return [path for (path,) in self._database.read("SELECT path FROM folders")]

    def file_rows(self) -> list[FileRow]:
        """Every file with what is known of it, for a look through the folders."""
        with self._failures():
            return read_file_rows(self._database)

    def keep_looks(self, looks: Sequence[FileLook]) -> None:
        """What a look through the folders, or a hash after it, found out about files."""
        if not looks:
            return
        with self._transaction() as connection:
            keep_looks(connection, looks, now_utc())
        self._announce()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._failures(), self._database.writing() as connection:
            yield connection

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise BadFile(str(error), str(self._path), "library_unusable") from error

    def _announce(self) -> None:
        self.announcer.announce(self.installed())

"""The library: what is installed, in SQLite with every commit on disk before it counts.

It opens whatever state its file is in: a broken one is put aside and kept, one that cannot be
written (or was written by a newer version) is replaced by one in memory, and `problem` says so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openshelf.database import Database
from openshelf.errors import NotFound, UsageError
from openshelf.hardware.facts import LearnedRate
from openshelf.library.installed import Damage, InstalledFile, InstalledModel
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
from openshelf.library.verifying import FileState, ModelCheck, check_files
from openshelf.licenses.effective import EffectiveLicense, effective_from_json
from openshelf.reasons import Reason
from openshelf.tasks import Announcer, CancelToken, Report

_COLUMNS = (
    "id, repo, commit_id, name, quant, license_expression, license_ids, record_id, source,"
    " installed_at, verified_at, last_used_at, decode_tokens_per_second, origin"
)


def now_utc() -> str:
    """The time in ISO 8601, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Library:
    """Thread-safe; other processes may use the same file. Methods that write raise NotEnoughDisk
    or UsageError where the file cannot be written."""

    def __init__(self, database: Path, models: Path, trash: Discard = send_to_trash) -> None:
        self.announcer: Announcer[tuple[InstalledModel, ...]] = Announcer()
        self._path = database
        self._models = models
        self._trash = trash
        self._database = Database(database, LIBRARY)

    @property
    def problem(self) -> Reason | None:
        """What was wrong with the file, None where nothing was."""
        notes = self._database.notes
        return notes[0] if notes else None

    def require_kept(self) -> None:
        """Raise UsageError where the manifest lives in memory only: an install would be lost."""
        if self.problem is not None and not self.problem.code.endswith("set_aside"):
            raise UsageError(f"The library {self._path} cannot be kept, so nothing is installed")

    def close(self) -> None:
        self._database.close()

    def installed(self) -> tuple[InstalledModel, ...]:
        """Everything installed, the newest first."""
        with self._failures():
            rows = self._database.read(
                f"SELECT {_COLUMNS}, damaged_path, damaged_sha256 FROM models"  # noqa: S608
                " ORDER BY installed_at DESC, id"
            )
            files: dict[str, list[InstalledFile]] = {}
            for model_id, path, location, size, sha256 in self._database.read(
                "SELECT model_id, path, location, size_bytes, sha256 FROM files"
                " ORDER BY model_id, position"
            ):
                files.setdefault(model_id, []).append(InstalledFile(path, location, size, sha256))
        return tuple(_model(row, tuple(files.get(row[0], ()))) for row in rows if row[0] in files)

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
                f"INSERT INTO models ({_COLUMNS}, license_json)"  # noqa: S608
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    model.id, model.repo, model.commit, model.name, model.quant,
                    model.license_expression, json.dumps(model.license_ids), model.record_id,
                    model.source, model.installed_at, model.verified_at, model.last_used_at,
                    model.decode_tokens_per_second, model.origin, license_json,
                ),
            )  # fmt: skip
            connection.executemany(
                "INSERT INTO files VALUES (?,?,?,?,?,?,?,?)",
                [
                    (
                        model.id, position, file.path, file.location,
                        str(Path(file.location).resolve()), file.size_bytes, file.sha256,
                        file.location in ours,
                    )
                    for position, file in enumerate(model.files)
                ],
            )  # fmt: skip
            connection.executemany(
                "DELETE FROM placed WHERE location = ?", [(file.location,) for file in model.files]
            )
        self._announce()
        return model

    def effective_license(self, model_id: str) -> EffectiveLicense:
        """The license as it was when the model was installed. Raises NotFound, CorruptSettings."""
        with self._failures():
            rows = self._database.read("SELECT license_json FROM models WHERE id = ?", model_id)
        if not rows:
            raise NotFound("id", model_id)
        return effective_from_json(json.loads(rows[0][0]))

    def remove(self, model_id: str, *, for_good: bool = False) -> Removed:
        """Take away exactly the files in the manifest, to the trash unless `for_good`.

        What was there before us, what another entry uses, and files outside the model folder stay.
        Raises NotFound, NoTrash (then the model stays).
        """
        model = self.find(model_id)
        removed = Removed()
        with self._transaction() as connection:
            entries, others = _files_of(connection, model.id)
            connection.execute("DELETE FROM models WHERE id = ?", (model.id,))
            connection.execute("DELETE FROM measurements WHERE model_id = ?", (model.id,))
            if not for_good:
                removed = remove_files(entries, self._models, others, self._trash)
        if for_good:
            # After the manifest: a crash in between leaves a file too many, never a wrong entry.
            removed = remove_files(entries, self._models, others)
        self._announce()
        return removed

    def keep_load(self, load: LoadMeasurement) -> None:
        """Keep what a load took; what is far from its prediction goes to the log."""
        model = next((m for m in self.installed() if m.id == load.model_id), None)
        warn_of_differences(load, model.files if model else ())
        with self._transaction() as connection:
            insert_load(connection, load)

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
        check = check_files(self.find(model_id), cancel, report)
        model, damage = check.model, check.damage
        kept = model.damaged if check.state is not FileState.INTACT and damage is None else damage
        is_intact = check.state is FileState.INTACT
        with self._transaction() as connection:
            # What was installed anew meanwhile is not what was read.
            connection.execute(
                "UPDATE models SET verified_at = ?, damaged_path = ?, damaged_sha256 = ?"
                " WHERE id = ? AND installed_at = ?",
                (
                    now_utc() if is_intact else None, kept.path if kept else None,
                    kept.sha256 if kept else None, model.id, model.installed_at,
                ),
            )  # fmt: skip
        self._announce()
        return dataclasses.replace(check, model=self.find(model.id))

    def note_placed(self, location: Path) -> None:
        """Remember that we put this file there, before its model is whole."""
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO placed VALUES (?)", (str(location),))

    def was_placed(self, location: Path) -> bool:
        """Whether we put it there: noted, or in the manifest as ours."""
        with self._failures():
            rows = self._database.read(
                "SELECT 1 FROM placed WHERE location = ?1 UNION"
                " SELECT 1 FROM files WHERE location = ?1 AND is_ours",
                str(location),
            )
        return bool(rows)

    def discard_placed(self, locations: Sequence[Path]) -> int:
        """Delete files of a model that was never finished, where we put them; the bytes freed."""
        mine = [path for path in locations if self._is_only_placed(path)]
        entries = [ManifestFile(path, path.resolve(), is_ours=True) for path in mine]
        with self._transaction() as connection:
            kept = {Path(blob) for (blob,) in connection.execute("SELECT blob FROM files")}
            connection.executemany(
                "DELETE FROM placed WHERE location = ?", [(str(path),) for path in mine]
            )
        return remove_files(entries, self._models, frozenset(kept)).freed_bytes

    def _is_only_placed(self, location: Path) -> bool:
        with self._failures():
            rows = self._database.read(
                "SELECT 1 FROM placed WHERE location = ?1 AND NOT EXISTS"
                " (SELECT 1 FROM files WHERE location = ?1)",
                str(location),
            )
        return bool(rows)

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
            raise UsageError(f"The library {self._path} cannot be used: {error}") from error

    def _announce(self) -> None:
        self.announcer.announce(self.installed())


def _files_of(
    connection: sqlite3.Connection, model_id: str
) -> tuple[list[ManifestFile], frozenset[Path]]:
    """The files of a model that no other lists (two variants share a projector), and the blobs of
    all others."""
    entries = [
        ManifestFile(Path(location), Path(blob), bool(is_ours))
        for location, blob, is_ours in connection.execute(
            "SELECT location, blob, is_ours FROM files WHERE model_id = ?1 AND location NOT IN"
            " (SELECT location FROM files WHERE model_id <> ?1)",
            (model_id,),
        )
    ]
    others = connection.execute("SELECT blob FROM files WHERE model_id <> ?", (model_id,))
    return entries, frozenset(Path(blob) for (blob,) in others)


def _model(row: tuple[Any, ...], files: tuple[InstalledFile, ...]) -> InstalledModel:
    model = InstalledModel(
        id=row[0],
        repo=row[1],
        commit=row[2],
        name=row[3],
        quant=row[4],
        files=files,
        license_expression=row[5],
        license_ids=tuple(json.loads(row[6])),
        record_id=row[7],
        source=row[8],
        installed_at=row[9],
        verified_at=row[10],
        last_used_at=row[11],
        decode_tokens_per_second=row[12],
        origin=row[13],
        damaged=Damage(row[14], row[15] or "") if row[14] else None,
    )
    is_missing = any(not _is_there(file) for file in files)
    return dataclasses.replace(model, missing=True) if is_missing else model


def _is_there(file: InstalledFile) -> bool:
    try:
        return Path(file.location).stat().st_size == file.size_bytes
    except OSError:
        return False

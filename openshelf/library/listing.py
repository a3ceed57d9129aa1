"""Reads the manifest: two queries, and one look at each file whose folder is here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from openshelf.database import Database
from openshelf.library.folders import FolderCondition, FolderLook, join_place
from openshelf.library.installed import NEWER, Damage, InstalledFile, InstalledModel

MODEL_COLUMNS = (
    "id, repo, commit_id, name, quant, license_expression, license_ids, record_id, source,"
    " installed_at, verified_at, last_used_at, decode_tokens_per_second, origin"
)
_FILES = (
    "SELECT files.model_id, files.path, folders.path, files.location, files.size_bytes,"
    " files.sha256, files.verified_at, files.is_ours"
    " FROM files LEFT JOIN folders ON folders.id = files.folder_id"
    " ORDER BY files.model_id, files.position"
)


def read_models(
    database: Database, look: Callable[[str], FolderLook]
) -> tuple[InstalledModel, ...]:
    """Everything installed, the newest first. Raises sqlite3.Error."""
    rows = database.read(
        f"SELECT {MODEL_COLUMNS}, damaged_path, damaged_sha256 FROM models"  # noqa: S608
        " ORDER BY installed_at DESC, id"
    )
    files: dict[str, list[InstalledFile]] = {}
    for model_id, path, folder, location, size, sha256, verified_at, ours in database.read(_FILES):
        place = join_place(folder, location) if folder else location
        if type(size) is not int:
            continue  # what somebody wrote there is no file
        file = InstalledFile(
            str(path), place, size, str(sha256), verified_at, folder or "", bool(ours)
        )
        files.setdefault(model_id, []).append(file)
    news = _news(database, rows)
    here: dict[str, bool] = {}
    licenses: dict[str, tuple[str, ...]] = {}
    models = []
    for row in rows:
        own = files.get(row[0])
        if own is None:
            continue
        away, missing = _absence(own, here, look)
        ids = row[6]
        if ids not in licenses:
            licenses[ids] = _license_ids(ids)
        model = _model(row, tuple(own), licenses[ids], away, missing=missing)
        models.append(replace(model, news=news[model.id]) if model.id in news else model)
    return tuple(models)


def _news(database: Database, rows: list[tuple[Any, ...]]) -> dict[str, str]:
    """Of those whose newer commit is not installed as well."""
    found = database.read("SELECT model_id, state, commit_id FROM updates")
    if not found:
        return {}
    repos, there = {row[0]: row[1] for row in rows}, {(row[1], row[2]) for row in rows}
    return {
        model_id: state
        for model_id, state, commit in found
        if state != NEWER or (repos.get(model_id), commit) not in there
    }


def _license_ids(text: object) -> tuple[str, ...]:
    """For showing; the gate asks the whole license, which is kept beside them."""
    try:
        found = json.loads(str(text))
    except (ValueError, RecursionError):
        return ()
    return tuple(str(id_) for id_ in found) if isinstance(found, list) else ()


def _absence(
    files: list[InstalledFile], here: dict[str, bool], look: Callable[[str], FolderLook]
) -> tuple[str, bool]:
    """The folder that is not here, and whether a file is missing. `here` remembers the looks."""
    for file in files:
        folder = file.folder or os.path.dirname(file.location)  # noqa: PTH120
        if folder not in here:
            condition = look(folder).condition
            # Outside the model folders only silence matters: a stat would wait as long.
            is_here = condition is FolderCondition.HERE
            here[folder] = is_here or not (file.folder or condition is FolderCondition.SILENT)
        if not here[folder]:
            return folder, True
    return "", not all(_is_there(file) for file in files)


def _is_there(file: InstalledFile) -> bool:
    try:
        # Not Path: of thousands of files its construction takes longer than the question.
        return os.stat(file.location).st_size == file.size_bytes  # noqa: PTH116
    except (OSError, ValueError):
        return False


def _text(value: object) -> str:
    """SQLite keeps whatever was put into a column."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _model(
    row: tuple[Any, ...],
    files: tuple[InstalledFile, ...],
    license_ids: tuple[str, ...],
    away: str,
    *,
    missing: bool,
) -> InstalledModel:
    days = [file.verified_at for file in files]
    return InstalledModel(
        id=row[0],
        repo=row[1],
        commit=row[2],
        name=_text(row[3]),
        quant=row[4] if row[4] is None else _text(row[4]),
        files=files,
        license_expression=row[5],
        license_ids=license_ids,
        record_id=row[7],
        source=row[8],
        installed_at=_text(row[9]),
        # As old as the file that was verified longest ago.
        verified_at=None if None in days else min(day for day in days if day is not None),
        last_used_at=row[11],
        decode_tokens_per_second=row[12] if isinstance(row[12], int | float) else None,
        missing=missing,
        origin=row[13],
        damaged=Damage(row[14], row[15] or "") if row[14] else None,
        away=away,
    )

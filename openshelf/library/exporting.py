"""Writes a bundle: copies of models, their licenses and NOTICE, records, hashes, settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf import __version__
from openshelf.durable import replace_file, sync_folder
from openshelf.errors import BadFolder, ChecksumMismatch, NotEnoughDisk, NotFound
from openshelf.hub.names import safe_join
from openshelf.hub.part_file import disk_failure
from openshelf.library.bundles import FILES, FORMAT, MANIFEST, SUMS, VERSION, is_bundle
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.notices import NOTICE, ReadText, notice_files
from openshelf.library.offers import free_bytes
from openshelf.library.store import now_utc
from openshelf.licenses.license import License
from openshelf.policy.verdict import Decision
from openshelf.tasks import CancelToken, Progress, Report

_PIECE = 4 << 20
_SYNCED_BYTES = 8 << 20
"""So much is on its way to the disk at most; at 10 MB/s it takes less than a second."""
_SUBFOLDER = "openshelf-bundle"


@dataclass(frozen=True)
class Exported:
    """One model as it goes into a bundle; `acceptance` is its record in the log."""

    model: InstalledModel
    decision: Decision
    acceptance: Mapping[str, Any] | None


@dataclass(frozen=True)
class ExportFacts:
    """What else is written: the licenses known here, their texts, the settings."""

    licenses: Mapping[str, License]
    read_text: ReadText
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class ExportReport:
    """`licenses_missing` are those whose text is not at hand: their NOTICE says where it is."""

    folder: Path
    size_bytes: int
    model_ids: tuple[str, ...]
    licenses_missing: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "path": str(self.folder),
            "size_bytes": self.size_bytes,
            "models": list(self.model_ids),
            "licenses_missing": list(self.licenses_missing),
        }


def write_bundle(
    models: Sequence[Exported],
    folder: Path,
    facts: ExportFacts,
    cancel: CancelToken,
    report: Report,
) -> ExportReport:
    """Write `models` into `folder`, or into one of its own below where that holds something else.

    The list of contents comes last: what was stopped is no bundle, and is taken away again.
    Raises NotEnoughDisk, NotFound (a license text that was accepted is gone), ChecksumMismatch,
    UsageError, CancelledByUser.
    """
    target = _place(folder)
    size = sum(entry.model.size_bytes for entry in models)
    if (free := free_bytes(folder)) < size:
        raise NotEnoughDisk(str(folder), size, free)
    was_there = target.exists()
    writer = _Writer(target, facts, size, cancel, report)
    try:
        return writer.write(models)
    except BaseException as error:
        writer.take_away()
        if not was_there:
            with contextlib.suppress(OSError):
                target.rmdir()
        if isinstance(error, OSError):
            raise disk_failure(error, folder, size) from error
        raise


def _place(folder: Path) -> Path:
    """Raises UsageError where a bundle is there already or `folder` is none."""
    try:
        if is_bundle(folder):
            raise BadFolder(path=str(folder), why="holds_bundle")
        if not folder.exists() or not any(folder.iterdir()):
            return folder
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise BadFolder(detail, str(folder)) from error
    number, target = 1, folder / _SUBFOLDER
    while target.exists():
        number += 1
        target = folder / f"{_SUBFOLDER}-{number}"
    return target


class _Writer:
    def __init__(
        self, folder: Path, facts: ExportFacts, total: int, cancel: CancelToken, report: Report
    ) -> None:
        self._folder = folder
        self._facts = facts
        self._total = total
        self._cancel = cancel
        self._report = report
        self._done = 0
        self._sums: dict[str, str] = {}
        self._missing: list[str] = []

    def write(self, models: Sequence[Exported]) -> ExportReport:
        entries = [self._model(f"models/{n}", entry) for n, entry in enumerate(models, start=1)]
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "created_at": now_utc(),
            "app_version": __version__,
            "settings": dict(self._facts.settings),
            "models": entries,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        self._write(MANIFEST, text.encode("utf-8", "replace"))
        lines = [f"{sha256}  {name}\n" for name, sha256 in sorted(self._sums.items())]
        replace_file(self._folder / SUMS, "".join(lines).encode("utf-8", "replace"))
        ids = tuple(entry.model.id for entry in models)
        missing = tuple(dict.fromkeys(self._missing))
        return ExportReport(self._folder, self._total, ids, missing)

    def take_away(self) -> None:
        """What was written so far; the folder held nothing of anybody else."""
        for name in (MANIFEST, SUMS):
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()
        shutil.rmtree(self._folder / "models", ignore_errors=True)

    def _model(self, folder: str, entry: Exported) -> dict[str, Any]:
        model = entry.model
        notices = self._notices(folder, entry)
        for file in model.files:
            self._copy(f"{folder}/{FILES}/{file.path}", file)
        return {
            "id": model.id,
            "repo": model.repo,
            "commit": model.commit,
            "name": model.name,
            "quant": model.quant,
            "folder": folder,
            "files": [
                {"path": f.path, "size_bytes": f.size_bytes, "sha256": f.sha256}
                for f in model.files
            ],
            "notices": notices,
            "license": entry.decision.license.as_json(),
            "acceptance": entry.acceptance,
        }

    def _notices(self, folder: str, entry: Exported) -> list[dict[str, Any]]:
        """NOTICE and the license texts. Raises NotFound for one that was accepted and is gone."""
        found = notice_files(
            entry.model, entry.decision, self._facts.licenses, self._facts.read_text
        )
        listed = []
        for name, content in sorted(found.files.items()):
            raw = content.encode("utf-8", "replace")
            self._write(f"{folder}/{name}", raw)
            sha256 = hashlib.sha256(raw).hexdigest()
            listed.append({"path": name, "size_bytes": len(raw), "sha256": sha256})
        written = {file["sha256"] for file in listed if file["path"] != NOTICE}
        for text in entry.decision.license.texts:
            if text.sha256 and text.sha256 not in written:
                raise NotFound("license_text", text.license)
        self._missing.extend(found.missing)
        return listed

    def _write(self, name: str, content: bytes) -> None:
        replace_file(safe_join(self._folder, name), content)
        self._sums[name] = hashlib.sha256(content).hexdigest()

    def _copy(self, name: str, file: InstalledFile) -> None:
        """Copy and compare on the way: what is damaged does not leave this machine."""
        target = safe_join(self._folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with Path(file.location).open("rb") as reader, target.open("xb") as writer:
            while piece := reader.read(_PIECE):
                self._cancel.raise_if_cancelled()
                digest.update(piece)
                writer.write(piece)
                self._done += len(piece)
                if self._done // _SYNCED_BYTES != (self._done - len(piece)) // _SYNCED_BYTES:
                    # A slow stick would take all of it into memory, and then not be stopped.
                    os.fsync(writer.fileno())
                self._report(Progress(self._done, self._total, "copying"))
            writer.flush()
            os.fsync(writer.fileno())
        sync_folder(target.parent)
        if digest.hexdigest() != file.sha256:
            raise ChecksumMismatch(file.location, file.sha256, digest.hexdigest(), "installed")
        self._sums[name] = file.sha256

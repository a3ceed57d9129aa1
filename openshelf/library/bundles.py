"""A bundle: models with their licenses, records and hashes in one folder, as it is read.

    openshelf-bundle.json   what is in it
    SHA256SUMS              of every file, that one included, as `sha256sum -c` reads it
    models/N/NOTICE, LICENSE…, files/PATH

Whoever carries a bundle may have changed it: every name is checked before it is joined, links are
refused, and each byte is compared with its hash before anything is offered.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openshelf.errors import ChecksumMismatch, CorruptBundle, CorruptSettings, UnsafeName
from openshelf.hub.entries import DownloadFile
from openshelf.hub.names import check_commit, check_path, check_sha256, is_repo_id, safe_join
from openshelf.library.hashing import sha256_of_file
from openshelf.licenses.effective import EffectiveLicense, effective_from_json
from openshelf.tasks import CancelToken, Progress, Report

MANIFEST, SUMS = "openshelf-bundle.json", "SHA256SUMS"
FORMAT, VERSION = "openshelf-bundle", 1
FILES = "files"
_LOCAL = "local"
_MAX_MANIFEST_BYTES = 16 << 20
_MAX_TEXT_BYTES = 4 << 20
_MAX_MODELS, _MAX_FILES = 1000, 1000
_MISREAD = (
    KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, CorruptSettings,
)  # fmt: skip
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")


@dataclass(frozen=True)
class BundledModel:
    """One model of a bundle, read and verified. `paths` is where its `files` lie in the bundle;
    `license` has the content of its texts; `acceptance` is the record of whoever exported it."""

    id: str
    name: str
    quant: str | None
    files: tuple[DownloadFile, ...]
    paths: tuple[Path, ...]
    license: EffectiveLicense
    acceptance: dict[str, Any] | None

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True)
class Bundle:
    """`settings` are those of the machine that it comes from, for showing."""

    folder: Path
    created_at: str
    models: tuple[BundledModel, ...]
    settings: dict[str, Any]


def is_bundle(folder: Path) -> bool:
    return (folder / MANIFEST).exists()


def bundle_around(path: Path) -> Path | None:
    """The bundle that `path` is a model's file of; None for a file of its own."""
    for folder in path.parents:
        if is_bundle(folder):
            inside = path.relative_to(folder).parts
            return folder if len(inside) > 3 and inside[2] == FILES else None
    return None


def read_bundled(folder: Path, path: Path, cancel: CancelToken, report: Report) -> BundledModel:
    """The one model of a bundle that `path` is a file of, verified with its licenses.

    Raises what `read_bundle` does; CorruptBundle also where the list does not know the file.
    """
    bundle = _Reader(folder.absolute(), cancel, report).read(only=path)
    for model in bundle.models:
        if path in model.paths:
            return model
    raise CorruptBundle(path.name, "missing")


def read_bundle(folder: Path, cancel: CancelToken, report: Report) -> Bundle:
    """Read a bundle and verify all of it.

    Raises CorruptBundle, ChecksumMismatch, UnsafeName (each with the name of the file), UsageError
    (a file that cannot be read), CancelledByUser.
    """
    return _Reader(folder.absolute(), cancel, report).read()


class _Reader:
    def __init__(self, folder: Path, cancel: CancelToken, report: Report) -> None:
        self._folder = folder
        self._cancel = cancel
        self._report = report
        self._total = 0
        self._done = 0

    def read(self, only: Path | None = None) -> Bundle:
        """All of it, or only the model that has this file."""
        self._check_sums()
        table = self._manifest()
        try:
            entries = list(table["models"])[: _MAX_MODELS + 1]
            if len(entries) > _MAX_MODELS:
                raise CorruptBundle(MANIFEST, "not_a_bundle", "too many models")
            if only is not None:
                entries = [entry for entry in entries if self._has(entry, only)]
            self._total = sum(int(f["size_bytes"]) for e in entries for f in e["files"])
            models = tuple(self._model(entry) for entry in entries)
            created = str(table.get("created_at", ""))[:40]
            return Bundle(self._folder, created, models, _told(table.get("settings")))
        except _MISREAD as error:
            raise CorruptBundle(MANIFEST, "not_a_bundle", str(error)[:200]) from error

    def _has(self, entry: dict[str, Any], path: Path) -> bool:
        files = self._folder / str(entry["folder"]) / FILES
        return any(files / str(file["path"]) == path for file in entry["files"])

    def _check_sums(self) -> None:
        """The manifest is the one that was written: its hash stands in SHA256SUMS."""
        lines = self._text(SUMS, _MAX_MANIFEST_BYTES).splitlines()
        sums = {m[2]: m[1] for line in lines if (m := _SUM.fullmatch(line))}
        if MANIFEST not in sums:
            raise CorruptBundle(SUMS, "not_a_bundle", MANIFEST)
        self._require_hash(MANIFEST, self._plain(MANIFEST), sums[MANIFEST])

    def _manifest(self) -> dict[str, Any]:
        try:
            table = json.loads(self._text(MANIFEST, _MAX_MANIFEST_BYTES))
        except (ValueError, RecursionError) as error:
            raise CorruptBundle(MANIFEST, "not_a_bundle", str(error)[:200]) from error
        if not isinstance(table, dict) or table.get("format") != FORMAT:
            raise CorruptBundle(MANIFEST, "not_a_bundle", "format")
        if table.get("version") != VERSION:
            raise CorruptBundle(MANIFEST, "too_new", str(table.get("version")))
        return table

    def _model(self, entry: dict[str, Any]) -> BundledModel:
        folder, repo = str(entry["folder"]), str(entry["repo"])
        check_path(folder)
        if repo != _LOCAL and not is_repo_id(repo):
            raise UnsafeName(repo)
        commit = check_commit(str(entry["commit"]))
        listed = [_listed(file) for file in entry["files"]]
        notices = [_listed(file) for file in entry["notices"]]
        if not listed or len(listed) + len(notices) > _MAX_FILES:
            raise CorruptBundle(folder, "not_a_bundle", "files")
        _require_distinct(path for path, _, _ in (*listed, *notices))
        license = self._with_texts(folder, effective_from_json(entry["license"]), notices)
        paths = tuple(self._verified(f"{folder}/{FILES}/{path}", s, h) for path, s, h in listed)
        record = entry.get("acceptance")
        quant = entry.get("quant")
        return BundledModel(
            id=str(entry["id"]),
            name=" ".join(str(entry["name"]).split())[:120],
            quant=None if quant is None else str(quant)[:40],
            files=tuple(DownloadFile(repo, commit, path, s, h) for path, s, h in listed),
            paths=paths,
            license=license,
            acceptance=record if isinstance(record, dict) else None,
        )

    def _with_texts(
        self, folder: str, license: EffectiveLicense, notices: list[tuple[str, int, str]]
    ) -> EffectiveLicense:
        """Every text that was accepted is there, unchanged. Raises CorruptBundle with its name."""
        texts: dict[str, str] = {}
        for path, size, sha256 in notices:
            name = f"{folder}/{path}"
            try:
                self._verified(name, size, sha256)
            except CorruptBundle as error:
                raise CorruptBundle(name, "missing_license", error.detail) from error
            texts[sha256] = self._text(name, _MAX_TEXT_BYTES)
        for text in license.texts:
            if text.sha256 and text.sha256 not in texts:
                raise CorruptBundle(f"{folder}/{text.license}", "missing_license", text.sha256)
        return replace(
            license,
            texts=tuple(replace(text, text=texts.get(text.sha256)) for text in license.texts),
        )

    def _verified(self, name: str, size: int, sha256: str) -> Path:
        path = self._plain(name)
        actual = path.stat().st_size
        if actual != size:
            raise ChecksumMismatch(name, str(size), str(actual), "bundle_size")
        self._require_hash(name, path, sha256)
        self._done += size
        return path

    def _require_hash(self, name: str, path: Path, sha256: str) -> None:
        def on_hashed(count: int) -> None:
            self._cancel.raise_if_cancelled()
            total = max(self._total, self._done + count)
            self._report(Progress(self._done + count, total, "verifying"))

        self._cancel.raise_if_cancelled()
        actual = sha256_of_file(path, on_hashed, fresh=True)
        if actual != sha256:
            raise ChecksumMismatch(name, sha256, actual, "bundle")

    def _plain(self, name: str) -> Path:
        """A file of the bundle itself. Raises UnsafeName (a link on the way), CorruptBundle."""
        path = safe_join(self._folder, name)
        for step in (path, *path.parents):
            if step == self._folder:
                break
            if step.is_symlink():
                raise UnsafeName(name)
        if not path.is_file():
            raise CorruptBundle(name, "missing")
        return path

    def _text(self, name: str, most: int) -> str:
        path = self._plain(name)
        if path.stat().st_size > most:
            raise CorruptBundle(name, "not_a_bundle", "too large")
        try:
            return path.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            raise CorruptBundle(name, "missing", error.strerror or "") from error


def _told(settings: object) -> dict[str, Any]:
    """Settings are only shown: plain values, and nothing that no JSON may hold."""
    found = settings if isinstance(settings, dict) else {}
    return {
        str(name)[:80]: value
        for name, value in found.items()
        if isinstance(value, str | int | None) or (type(value) is float and math.isfinite(value))
    }


def _listed(file: dict[str, Any]) -> tuple[str, int, str]:
    """Path, size and hash of a file, checked. Raises UnsafeName and what a wrong table raises."""
    path, size = str(file["path"]), int(file["size_bytes"])
    check_path(path)
    if size < 0:
        raise ValueError(path)
    return path, size, check_sha256(str(file["sha256"]))


def _require_distinct(paths: Iterable[str]) -> None:
    """Raises UnsafeName for two names that are one on some system."""
    seen: set[str] = set()
    for path in paths:
        if path.casefold() in seen:
            raise UnsafeName(path)
        seen.add(path.casefold())

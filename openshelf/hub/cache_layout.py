"""The Hugging Face cache layout, which llama.cpp and others share: where each file lies.

`models--owner--name/{blobs/<sha256>, snapshots/<commit>/<path> → ../../blobs/…, refs/main}`; ours
in addition are `.part`, `.part.json` and `.bad` beside a blob.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.durable import replace_file
from openshelf.hub.entries import DownloadFile
from openshelf.hub.names import check_commit, check_repo_id, check_sha256, safe_join

_MAX_SIDECAR_BYTES = 1 << 16


def repo_folder(models: Path, repo: str) -> Path:
    """Folder of a repository in the cache. Raises UnsafeName."""
    return models / f"models--{check_repo_id(repo).replace('/', '--')}"


@dataclass(frozen=True)
class Place:
    """Where one file and its unfinished forms lie."""

    repo_folder: Path
    blob: Path
    snapshot: Path
    commit: str

    @property
    def part(self) -> Path:
        return self.blob.with_name(f"{self.blob.name}.part")

    @property
    def sidecar(self) -> Path:
        return self.blob.with_name(f"{self.blob.name}.part.json")

    @property
    def bad(self) -> Path:
        return self.blob.with_name(f"{self.blob.name}.bad")

    @property
    def lock(self) -> Path:
        return self.repo_folder.parent / ".locks" / self.repo_folder.name / f"{self.blob.name}.lock"


def place_of(models: Path, file: DownloadFile) -> Place:
    """The places of `file` in the cache `models`. Raises UnsafeName."""
    folder = repo_folder(models, file.repo)
    commit = check_commit(file.commit)
    return Place(
        repo_folder=folder,
        blob=folder / "blobs" / check_sha256(file.sha256),
        snapshot=safe_join(folder / "snapshots" / commit, file.path),
        commit=commit,
    )


def link_snapshot(place: Place) -> None:
    """Point the snapshot to the blob, relatively; without links the file itself moves there."""
    if not place.blob.exists():
        return  # the file itself lies there already, in a cache without links
    place.snapshot.parent.mkdir(parents=True, exist_ok=True)
    relink(place.snapshot, place.blob)


def relink(snapshot: Path, blob: Path) -> None:
    """Make `snapshot` point to `blob`; without links the blob itself moves there."""
    target = os.path.relpath(blob, snapshot.parent)
    if snapshot.is_symlink() and str(snapshot.readlink()) == target:
        return
    draft = snapshot.with_name(f".{blob.name[:16]}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    try:
        draft.symlink_to(target)
    except OSError:
        # Windows without the right to make links: as llama.cpp does it.
        blob.replace(snapshot)
        return
    draft.replace(snapshot)


def write_main(place: Place) -> None:
    """Note that the branch main stands at this commit."""
    replace_file(place.repo_folder / "refs" / "main", place.commit.encode())


def finished_file(place: Place, size_bytes: int) -> Path | None:
    """The blob, or the snapshot where it is a plain file; None where neither has the size."""
    for path in (place.blob, place.snapshot):
        with contextlib.suppress(OSError):
            if path.stat().st_size == size_bytes and path.is_file():
                return path
    return None


def part_bytes(models: Path, file: DownloadFile) -> int:
    """Bytes of `file` that are on disk already: all of them, those of its `.part`, or none."""
    place = place_of(models, file)
    if finished_file(place, file.size_bytes) is not None:
        return file.size_bytes
    try:
        facts = place.part.lstat()
    except OSError:
        return 0
    is_usable = stat.S_ISREG(facts.st_mode) and facts.st_size <= file.size_bytes
    return facts.st_size if is_usable and is_sidecar_of(place, file) else 0


def discard_part(models: Path, file: DownloadFile) -> None:
    """Delete what an unfinished download left."""
    place = place_of(models, file)
    for path in (place.part, place.sidecar):
        with contextlib.suppress(OSError):
            path.unlink()
    remove_empty_folders(place.blob.parent, models)


def remove_empty_folders(folder: Path, root: Path) -> None:
    """Remove `folder` and the folders above it, as far as they are empty and below `root`."""
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def write_sidecar(place: Place, file: DownloadFile) -> None:
    facts = {
        "etag": file.sha256,
        "size": file.size_bytes,
        "commit": file.commit,
        "repo": file.repo,
        "path": file.path,
    }
    replace_file(place.sidecar, json.dumps(facts).encode())


def is_sidecar_of(place: Place, file: DownloadFile) -> bool:
    """Whether the `.part` was begun for this very content."""
    try:
        # Not a pipe, which would never answer, and not what somebody else left here.
        if not place.sidecar.is_file() or place.sidecar.stat().st_size > _MAX_SIDECAR_BYTES:
            return False
        facts: Any = json.loads(place.sidecar.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and (facts.get("etag"), facts.get("size")) == (
        file.sha256,
        file.size_bytes,
    )

"""Whether installed files are still, byte for byte, what was installed."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.errors import UsageError
from openshelf.library.hashing import sha256_of_file
from openshelf.library.installed import Damage, InstalledFile, InstalledModel
from openshelf.tasks import CancelToken, Progress, Report

VERIFYING = "verifying"


class FileState(enum.StrEnum):
    """From the best to the worst."""

    INTACT = "intact"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    DAMAGED = "damaged"


_WORST_LAST = tuple(FileState)


@dataclass(frozen=True)
class FileCheck:
    """`actual_sha256` is None where the file could not be read to its end."""

    file: InstalledFile
    state: FileState
    actual_sha256: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "path": self.file.path,
            "location": self.file.location,
            "size_bytes": self.file.size_bytes,
            "sha256": self.file.sha256,
            "actual_sha256": self.actual_sha256,
            "state": self.state.value,
        }


@dataclass(frozen=True)
class ModelCheck:
    """What was found; `model` is as the library has it after that."""

    model: InstalledModel
    files: tuple[FileCheck, ...]

    @property
    def state(self) -> FileState:
        """That of the worst file."""
        return max((file.state for file in self.files), key=_WORST_LAST.index)

    @property
    def damage(self) -> Damage | None:
        """The first file whose bytes are others."""
        for check in self.files:
            if check.state is FileState.DAMAGED:
                return Damage(check.file.path, check.actual_sha256 or "")
        return None

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.model.id,
            "state": self.state.value,
            "verified_at": self.model.verified_at,
            "files": [file.as_json() for file in self.files],
        }


def check_files(
    model: InstalledModel,
    cancel: CancelToken,
    report: Report,
    files: Sequence[InstalledFile] | None = None,
) -> ModelCheck:
    """Read and hash every file of a model, or those of `files`. Raises CancelledByUser."""
    files = model.files if files is None else files
    total, done = sum(file.size_bytes for file in files), 0
    checks = []
    for file in files:

        def on_hashed(count: int, before: int = done) -> None:
            cancel.raise_if_cancelled()
            report(Progress(before + count, total, VERIFYING))

        checks.append(_check(file, on_hashed))
        done += file.size_bytes
    return ModelCheck(model, tuple(checks))


def _check(file: InstalledFile, on_hashed: Callable[[int], None]) -> FileCheck:
    path = Path(file.location)
    if not path.is_file():
        return FileCheck(file, FileState.MISSING)
    try:
        # The bytes themselves: a file that rotted has the same size and time as before.
        actual = sha256_of_file(path, on_hashed, fresh=True)
    except UsageError:
        return FileCheck(file, FileState.UNREADABLE)
    state = FileState.INTACT if actual == file.sha256 else FileState.DAMAGED
    return FileCheck(file, state, actual)

"""Reads whole what a look through the folders left in doubt: only that makes a file count again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openshelf.errors import UsageError
from openshelf.library.file_looks import FileLook
from openshelf.library.file_rows import edges_sha256, stamp_of
from openshelf.library.hashing import sha256_of_file
from openshelf.library.scanning import Doubt
from openshelf.library.store import Library
from openshelf.library.verifying import VERIFYING, FileState
from openshelf.tasks import CancelToken, Progress, Report


@dataclass(frozen=True)
class Settled:
    """What became of the doubts: ids of models, and where each file lies now."""

    found: tuple[tuple[str, str], ...] = ()
    intact: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def settle(
    library: Library, doubts: Sequence[Doubt], cancel: CancelToken, report: Report
) -> Settled:
    """Read whole what is in doubt, one file at a time, and keep what that tells at once.

    Raises UsageError (the list cannot be written), CancelledByUser; what was read counts.
    """
    total = sum(doubt.row.size_bytes for doubt in doubts)
    found: list[tuple[str, str]] = []
    intact: list[str] = []
    damaged: list[str] = []
    done = 0
    for doubt in doubts:
        cancel.raise_if_cancelled()

        def on_hashed(count: int, before: int = done, size: int = doubt.row.size_bytes) -> None:
            cancel.raise_if_cancelled()
            report(Progress(min(before + count, before + size), total, VERIFYING))

        look = _read(doubt, on_hashed)
        done += doubt.row.size_bytes
        if look is None:
            continue
        library.keep_looks([look])
        if look.state is FileState.DAMAGED:
            damaged.append(look.row.model_id)
        elif doubt.has_moved:
            found.append((look.row.model_id, look.location))
        else:
            intact.append(look.row.model_id)
    return Settled(tuple(found), tuple(intact), tuple(damaged))


def _read(doubt: Doubt, on_hashed: Callable[[int], None]) -> FileLook | None:
    """None where no place holds it, and where what lies there cannot be read."""
    row = doubt.row
    for location in doubt.locations:
        stamp, edges = stamp_of(location), edges_sha256(location)
        try:
            actual = sha256_of_file(Path(location), on_hashed, fresh=not doubt.has_moved)
        except UsageError:
            continue
        if stamp is None or stamp != stamp_of(location):
            continue
        if actual == row.sha256:
            return FileLook(row, location, stamp, edges, FileState.INTACT)
        if not doubt.has_moved:
            return FileLook(row, location, stamp, edges, FileState.DAMAGED, actual)
    return None

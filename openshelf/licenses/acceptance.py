"""The log of acceptances: append-only JSON lines, each carrying the hash of the one before.

Its head (count, last hash) lies in a file of its own, sealed under a key of the keychain where
there is one. Whoever can rewrite log, head and keychain is not detected on this machine; every
export therefore prints the head, to be kept elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openshelf.durable import sync_folder
from openshelf.errors import NotEnoughDisk, NotFound, OpenshelfError, UnwritableFile
from openshelf.licenses.chain import (
    UNREADABLE,
    Head,
    Lines,
    VerifyReport,
    canonical,
    read_head,
    record_of,
    sha256_of,
    split_lines,
    verify_chain,
    write_head,
)
from openshelf.licenses.clearance import ClearedFile
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.file_lock import locked
from openshelf.licenses.head_seal import HeadSeal
from openshelf.licenses.log_file import open_for_appending, read_plain
from openshelf.licenses.log_queries import (
    ERASED,
    REVOKED,
    Person,
    covers,
    flags_of,
    in_force,
    people_in,
    same_terms,
    table_of,
    wanted_files,
)
from openshelf.licenses.person_names import PersonNames
from openshelf.licenses.text_store import TextStore

__all__ = ["AcceptanceForm", "AcceptanceLog", "VerifyReport"]

VERSION = 1


@dataclass(frozen=True)
class AcceptanceForm:
    """What a person said when accepting. `method` is scrolled+checkbox, --accept, …"""

    display_name: str = ""
    on_behalf_of: str | None = None
    note: str = ""
    role: str = "member"
    method: str = "checkbox"
    texts_shown: tuple[str, ...] = ()
    """sha256 of each text that was on the screen."""


@dataclass
class _Remembered:
    """The records of the file as it was when last read, so that a load need not read it again."""

    stamp: tuple[int, int, int, Head | None] = (-1, -1, -1, None)
    records: tuple[dict[str, Any], ...] = ()
    report: VerifyReport | None = None


@dataclass(frozen=True)
class AcceptanceLog:
    """One log file; its head is also kept apart, through `head_file`. Safe between processes."""

    path: Path
    head_file: Path
    seal: HeadSeal | None = field(default=None, compare=False)
    _remembered: _Remembered = field(
        default_factory=_Remembered, init=False, repr=False, compare=False
    )

    @property
    def names(self) -> PersonNames:
        return PersonNames(self.path.with_name(f"{self.path.stem}-names.jsonl"))

    @property
    def texts(self) -> TextStore:
        """The license texts that were accepted."""
        return TextStore(self.path.with_name(f"{self.path.stem}-texts"))

    def append(self, record: dict[str, Any]) -> str:
        """Add a record (without v, record_id, prev_sha256, at) durably; returns its id.

        After a change from outside the chain goes on from the head and not from the file, so that
        `verify` finds the change for good. Raises NotEnoughDisk or UsageError; then nothing was
        accepted.
        """
        try:
            return self._append(record)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def _append(self, record: dict[str, Any]) -> str:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        sealed, names = self.names.sealed(record)
        record_id = str(uuid.uuid4())
        with self._locked():
            if names is not None:
                self.names.keep(record_id, names)
            head, cut_at, needs_end = self._end()
            line = canonical(
                {
                    **sealed,
                    "v": VERSION,
                    "record_id": record_id,
                    "prev_sha256": head.sha256,
                    "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            )
            is_newest = self._is_newest()
            self._write(line, cut_at, needs_end=needs_end)
            self._write_head(Head(head.count + 1, sha256_of(line)), is_newest=is_newest)
        return record_id

    def _is_newest(self) -> bool:
        """Whether the log has all that the keychain knows of; else it is never told of more."""
        known = self.seal.remembered() if self.seal is not None else None
        return known is None or split_lines(self._content()).contain(known)

    def _write_head(self, head: Head, *, is_newest: bool) -> None:
        if self.seal is not None:
            head = replace(head, mac=self.seal.seal(head, read_head(self.head_file)))
        write_head(self.head_file, head)
        if self.seal is not None and is_newest:
            self.seal.remember(head)

    def _end(self) -> tuple[Head, int | None, bool]:
        """(head to go on from, where to cut a half line off, does the file lack a line's end)."""
        content = self._content()
        lines = split_lines(content)
        head = read_head(self.head_file) or Head()
        if verify_chain(lines, head).problem is None:
            cut_at = len(content) - len(lines.tail) if lines.tail else None
            return Head(len(lines.finished), lines.last_sha256), cut_at, False
        return head, None, bool(lines.tail)

    def _write(self, line: bytes, cut_at: int | None, *, needs_end: bool) -> None:
        is_new = not self.path.exists()
        with os.fdopen(open_for_appending(self.path), "wb", buffering=0) as file:
            if cut_at is not None:
                file.truncate(cut_at)
            data = (b"\n" if needs_end else b"") + line + b"\n"
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self.path.parent)

    def records(self) -> tuple[dict[str, Any], ...]:
        """All records that can be read, oldest first, with the names as far as they are kept."""
        entries = self.names.entries()
        return tuple(self.names.opened(record, entries) for record in self._chained())

    def lines(self) -> tuple[str, ...]:
        """The finished lines as they stand in the file, for an export."""
        try:
            finished = split_lines(self._content()).finished
        except OSError:
            return ()
        return tuple(line.decode("utf-8", "replace") for line in finished)

    def find_acceptance(
        self, repo: str, commit: str, files: tuple[ClearedFile, ...], flag: str = ""
    ) -> str | None:
        """Id of the newest acceptance that covers all these files and was not revoked.

        With `flag` only one that was given knowing of it. Only the unbroken part of the chain
        counts: a line that was slipped in allows nothing.
        """
        wanted = wanted_files(files)
        found = (
            record
            for record in in_force(self._trusted())
            if covers(record, repo, commit, wanted) and (not flag or flag in flags_of(record))
        )
        return next((str(record.get("record_id")) for record in found), None)

    def same_terms(
        self, repo: str, commit: str, files: tuple[ClearedFile, ...], license: EffectiveLicense
    ) -> tuple[dict[str, Any], ...]:
        """Acceptances of other commits for files of these names under the very same terms."""
        paths = frozenset(file.path for file in files)
        found = in_force(self._trusted())
        return tuple(r for r in found if same_terms(r, repo, commit, paths, license))

    def earlier(self, repo: str) -> tuple[dict[str, Any], ...]:
        """Acceptances of any commit of a repository, newest first; revoked ones left out."""
        records = in_force(self._trusted())
        return tuple(r for r in records if table_of(r, "model").get("repo") == repo)

    def waivers(self) -> tuple[dict[str, Any], ...]:
        """The records of waivers that were not taken back, newest first; names left out.

        None where the log was changed: what was cut off may have taken one back.
        """
        records, report = self._chained(), self._remembered.report
        if report is None or report.problem is not None:
            return ()
        return tuple(in_force(records, waivers=True))

    def revoke(self, record_id: str, form: AcceptanceForm, os_user: str = "") -> str:
        """Take an acceptance or a waiver back; that is a record too.

        Returns its id. Raises NotFound, also for what was taken back already.
        """
        chained = self._chained()
        held = (*in_force(chained), *in_force(chained, waivers=True))
        found = next((r for r in held if r.get("record_id") == record_id), None)
        if found is None:
            raise NotFound("record", record_id)
        person = {"os_user": os_user, "display": form.display_name, "role": form.role}
        return self.append(
            {
                **{key: found.get(key) for key in ("model", "effective", "verdict")},
                "accepted_by": person,
                "on_behalf_of": form.on_behalf_of,
                "note": form.note,
                "method": REVOKED,
                "supersedes": record_id,
            }
        )

    def people(self) -> tuple[Person, ...]:
        """Whose names are kept, and in which records."""
        return people_in(self.records())

    def erase_names(self, name: str, os_user: str = "") -> tuple[str, ...]:
        """Forget a display name and the notes beside it; the chain stays whole.

        Returns the ids of the records, and says in the log that it was done. The name of the
        account on this machine stays in the chain. Raises NotFound.
        """
        wanted = name.strip().casefold()
        found = [person for person in self.people() if person.name.casefold() == wanted]
        if not found:
            raise NotFound("person", name)
        ids = found[0].record_ids
        try:
            with self._locked():
                self.names.erase(set(ids))
        except OSError as error:
            raise _cannot_write(self.names.path, error) from error
        person = {"os_user": os_user, "role": "member"}
        self.append({"accepted_by": person, "method": ERASED, "erased": list(ids)})
        return ids

    def verify(self) -> VerifyReport:
        """Find any edit, deletion, reordering or truncation."""
        head, lines, report = self._looked_at()
        if self.seal is None or lines is None:
            return report
        problem, line, sealed = report.problem, report.line, None
        try:
            sealed = self.seal.state(head) if head is not None else None
        except ValueError:
            problem, sealed = problem or "head_seal_wrong", False
        known = self.seal.remembered()
        if problem is None and known is not None and not lines.contain(known):
            problem, line = "rolled_back", min(len(lines.finished) + 1, known.count)
        return replace(report, problem=problem, line=line, sealed=sealed)

    def _looked_at(self) -> tuple[Head | None, Lines | None, VerifyReport]:
        """Head, lines and chain of one moment; where nothing can be locked, nothing can be written
        too."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                stack.enter_context(self._locked())
            head = read_head(self.head_file)
            try:
                lines = split_lines(self._content())
            except OSError:
                return None, None, UNREADABLE
        return head, lines, verify_chain(lines, head)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.path.with_name(f"{self.path.name}.lock"))

    def _chained(self) -> tuple[dict[str, Any], ...]:
        try:
            state = self.path.stat()
        except OSError:
            return ()
        head = read_head(self.head_file)
        stamp = (state.st_size, state.st_mtime_ns, state.st_ino, head)
        if stamp != self._remembered.stamp:
            try:
                lines: Lines = split_lines(self._content())
            except OSError:
                self._remembered.records, self._remembered.report = (), UNREADABLE
                return ()
            found = (record_of(line) for line in lines.finished)
            self._remembered.records = tuple(record for record in found if record is not None)
            self._remembered.report = verify_chain(lines, head)
            self._remembered.stamp = stamp
        return self._remembered.records

    def _trusted(self) -> tuple[dict[str, Any], ...]:
        """The records before the first fault of the chain."""
        records = self._chained()
        report = self._remembered.report
        if report is None or report.problem is None:
            return records
        return records[: (report.line or 1) - 1]

    def _content(self) -> bytes:
        try:
            return read_plain(self.path)
        except FileNotFoundError:
            return b""


_RECORD_BYTES = 1 << 16


def _cannot_write(path: Path, error: OSError) -> OpenshelfError:
    if error.errno == errno.ENOSPC:
        return NotEnoughDisk(str(path), _RECORD_BYTES, shutil.disk_usage(path.parent).free)
    reason = error.strerror or type(error).__name__
    return UnwritableFile(reason, str(path), "acceptance_log")

"""The body of a download: pinned commit, `.part` with a sidecar, Range, running SHA-256, and a file
under its own name only when it is verified. Qt-free; runs in a child process, and in tests here.

Whatever is cut, late or wrong on the way is retried as long as the bytes get on; the reason for a
wait is told. Cancelling keeps the `.part`, from which the next start goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openshelf.bandwidth import clock_words
from openshelf.errors import (
    ChecksumMismatch,
    GatedModel,
    NetworkFailure,
    NotFound,
    RateLimited,
)
from openshelf.hub.body import Body, BodyRequest, StallWatch, open_body
from openshelf.hub.body_head import LinkExpired, RangeRefused
from openshelf.hub.cache_layout import Place, finished_file, link_snapshot, place_of, write_main
from openshelf.hub.client import FileLocation
from openshelf.hub.entries import DownloadFile
from openshelf.hub.intake import Intake
from openshelf.hub.part_file import PartFile, clear_way, disk_failure, sha256_of
from openshelf.hub.rate import RateLimit, SpeedMeter
from openshelf.network import EgressLog, NetworkOptions, Pool, origin_of
from openshelf.reasons import Reason
from openshelf.tasks import CancelToken, Progress, Report

DOWNLOADING = "downloading"
WAITING = "waiting"
VERIFYING = "verifying"
_FIRST_WAIT_SECONDS = 0.4
_LONGEST_WAIT_SECONDS = 8.0
_LOCK_LOOK_SECONDS = 0.25
_HOURS_LOOK_SECONDS = 0.5
_HOPELESS = ("tls", "bad_token", "disabled")
"""Failures that the same request will meet again, whenever it is sent."""


@dataclass(frozen=True)
class DownloadJob:
    """One file and where it goes: `models` is the root of the cache.

    `tries` is how often to try without a single new byte; None for as long as it takes.
    """

    file: DownloadFile
    models: Path
    is_main: bool = False
    """The commit is where the branch main stands; refs/main is written."""
    tries: int | None = 8
    stall_seconds: float = 30.0


@dataclass(frozen=True)
class FetchedFile:
    """`path` is in the snapshot. `was_there` says that not a byte had to be fetched."""

    path: Path
    size_bytes: int
    sha256: str
    resumed_from_bytes: int
    was_there: bool


class Locates(Protocol):
    """What is needed of HubClient."""

    @property
    def options(self) -> NetworkOptions: ...
    def locate(self, file: DownloadFile) -> FileLocation: ...


@dataclass(frozen=True)
class Line:
    """The way to the Hub: who finds the file, what carries it, how fast at most."""

    hub: Locates
    pool: Pool
    limit: RateLimit
    egress: EgressLog


def download_file(job: DownloadJob, line: Line, cancel: CancelToken, report: Report) -> FetchedFile:
    """Fetch and verify one file.

    Raises CancelledByUser (the `.part` stays), ChecksumMismatch (kept as `.bad`), NotEnoughDisk,
    GatedModel, NotFound, Offline, NetworkFailure when the tries are used up, UnsafeName.
    """
    return _Download(job, line, cancel, report).run()


class _Download:
    def __init__(self, job: DownloadJob, line: Line, cancel: CancelToken, report: Report) -> None:
        self._job = job
        self._file = job.file
        self._line = line
        self._cancel = cancel
        self._report = report
        self._meter = SpeedMeter()
        self._location: FileLocation | None = None
        self._body: Body | None = None
        self._knows_no_ranges = False
        """416 where there must be bytes: the next one is asked for all of it."""
        cancel.on_cancel(self._interrupt)

    def run(self) -> FetchedFile:
        place = place_of(self._job.models, self._file)
        with self._locked(place):
            resumed_from = self._use_existing(place)
            was_there = resumed_from is not None
            if resumed_from is None:
                part = PartFile(place, self._file, self._on_hashed)
                try:
                    self._receive_all(part)
                    resumed_from = part.resumed_from_bytes
                    self._tell(part.length, VERIFYING)
                    part.finish()
                finally:
                    part.close()
            try:
                link_snapshot(place)
            except OSError as error:
                raise disk_failure(error, self._job.models, 0) from error
            if self._job.is_main:
                # A mark for other programs; the file is here and verified without it.
                with contextlib.suppress(OSError):
                    write_main(place)
        return FetchedFile(
            place.snapshot, self._file.size_bytes, self._file.sha256, resumed_from, was_there
        )

    def _interrupt(self) -> None:
        body = self._body
        if body is not None:
            body.interrupt()

    def _on_hashed(self, done: int) -> None:
        self._cancel.raise_if_cancelled()
        if self._meter.add(0):
            self._report(Progress(done, self._file.size_bytes, VERIFYING))

    def _tell(self, done: int, phase: str, reason: Reason | None = None) -> None:
        rate = self._meter.bytes_per_second if phase == DOWNLOADING else None
        self._report(Progress(done, self._file.size_bytes, phase, rate, reason))

    @contextlib.contextmanager
    def _locked(self, place: Place) -> Iterator[None]:
        """One writer per blob, also among processes; waits for the other one, telling why."""
        import filelock

        try:
            place.lock.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_failure(error, self._job.models, self._file.size_bytes) from error
        lock = filelock.FileLock(place.lock)
        while True:
            self._cancel.raise_if_cancelled()
            try:
                lock.acquire(timeout=0)
                break
            except filelock.Timeout:
                self._tell(0, WAITING, Reason("waiting_in_use"))
                self._cancel.wait(_LOCK_LOOK_SECONDS)
            except NotImplementedError:
                break  # a file system without locks: two writers are rarer than such a disk
            except OSError as error:
                raise disk_failure(error, self._job.models, 0) from error
        try:
            yield
        finally:
            lock.release()

    def _use_existing(self, place: Place) -> int | None:
        """The size where the whole file is there and right; a wrong one is put aside."""
        found = finished_file(place, self._file.size_bytes)
        try:
            clear_way(place.bad)
            if found is None:
                if place.blob.exists():
                    place.blob.replace(place.bad)
                return None
            if sha256_of(found, self._on_hashed) == self._file.sha256:
                return self._file.size_bytes
            found.replace(place.bad)
        except OSError as error:
            raise disk_failure(error, self._job.models, 0) from error
        return None

    def _receive_all(self, part: PartFile) -> None:
        """Connection after connection until all bytes are here."""
        tries, furthest = 0, part.length
        while part.missing_bytes:
            self._wait_for_hours(part)
            try:
                self._receive(part)
                if self._line.limit.rate() == 0:
                    continue
                failure = NetworkFailure(self._line.hub.options.host, "early_end")
            except NetworkFailure as error:
                failure = error
            if not part.missing_bytes:
                return
            self._cancel.raise_if_cancelled()
            if part.length > furthest:
                tries, furthest = 0, part.length
            tries += 1
            is_last = self._job.tries is not None and tries >= self._job.tries
            if is_last or failure.why in _HOPELESS:
                raise failure
            self._wait(part, failure, tries)

    def _wait_for_hours(self, part: PartFile) -> None:
        """No connection is held while nothing may run; what has arrived stays."""
        self._cancel.raise_if_cancelled()
        limit = self._line.limit
        if limit.rate() != 0:
            return
        start = limit.pace.hours.start if limit.pace.hours else 0
        self._tell(part.length, WAITING, Reason("waiting_hours", {"start": clock_words(start)}))
        while limit.rate() == 0:
            self._cancel.wait(_HOURS_LOOK_SECONDS)
            self._cancel.raise_if_cancelled()
        self._meter.restart()

    def _wait(self, part: PartFile, failure: NetworkFailure, tries: int) -> None:
        seconds = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(tries - 1, 10))
        if isinstance(failure, LinkExpired) and tries == 1:
            seconds = 0.0
        if isinstance(failure, RateLimited):
            seconds = max(seconds, failure.retry_after_seconds)
        data = {"host": failure.host, "why": failure.why, "wait_seconds": seconds}
        self._tell(part.length, WAITING, Reason(_waiting_code(failure), data))
        self._cancel.wait(seconds)
        self._meter.restart()

    def _receive(self, part: PartFile) -> None:
        """One connection: from where we are, as far as it goes."""
        location = self._location or self._locate()
        offset = 0 if self._knows_no_ranges else part.length
        request = BodyRequest(location.url, offset, self._file, self._line.hub.options)
        try:
            body = open_body(self._line.pool, request)
        except LinkExpired as error:
            self._note_attempt(error)
            self._location = None
            if origin_of(location.url) == origin_of(self._line.hub.options.endpoint):
                raise self._refused_by_hub(error) from error
            raise
        except RangeRefused as error:
            self._note_attempt(error)
            self._knows_no_ranges = True
            self._location = None
            raise
        except NetworkFailure as error:
            self._note_attempt(error)
            if error.why == "http_400":
                # What a storage says of a signature whose own credentials are over.
                self._location = None
            raise
        self._knows_no_ranges = False
        try:
            self._body = body
            self._copy(body, part)
        finally:
            self._body = None
            body.close()
            self._line.egress.record(body.host, "download", body.received)

    def _note_attempt(self, error: NetworkFailure) -> None:
        """What was asked in vain went out as well."""
        self._line.egress.record(error.host, "download", 0)

    def _copy(self, body: Body, part: PartFile) -> None:
        stall, limit = StallWatch(self._job.stall_seconds), self._line.limit
        intake = Intake(body, part)
        self._tell(part.length, DOWNLOADING)
        while part.missing_bytes and limit.rate() != 0:
            self._cancel.raise_if_cancelled()
            count = intake.take(limit.read_size())
            if not count:
                raise NetworkFailure(body.host, "early_end")
            if self._meter.add(count):
                self._tell(part.length, DOWNLOADING)
            if stall.add(count) and limit.rate() is None:
                raise NetworkFailure(body.host, "timeout", "stalled")
            if wait := limit.take(count):
                self._cancel.wait(wait)

    def _locate(self) -> FileLocation:
        """Ask the Hub where the bytes are, and whether they are still the ones we want."""
        found = self._line.hub.locate(self._file)
        file = self._file
        if (found.etag or "").lower() != file.sha256:
            raise ChecksumMismatch(file.path, file.sha256, found.etag or "", "etag")
        if found.size_bytes not in (None, file.size_bytes):
            raise ChecksumMismatch(file.path, str(file.size_bytes), str(found.size_bytes), "size")
        self._location = found
        return found

    def _refused_by_hub(self, error: LinkExpired) -> GatedModel | NotFound:
        options = self._line.hub.options
        if error.why in ("http_401", "http_403"):
            return GatedModel(self._file.repo, f"{options.endpoint}/{self._file.repo}")
        return NotFound("file", f"{self._file.repo}/{self._file.path}")


def _waiting_code(failure: NetworkFailure) -> str:
    """A code of wording/hub.py."""
    if isinstance(failure, RateLimited):
        return "waiting_rate_limited"
    if failure.why == "http_407":
        return "waiting_http_407"
    if failure.why.startswith("http_"):
        return "waiting_http"
    known = ("timeout", "refused", "reset", "early_end", "not_a_hub")
    return f"waiting_{failure.why}" if failure.why in known else "waiting_network"

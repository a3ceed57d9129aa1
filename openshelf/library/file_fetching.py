"""The files of one download: two at a time where no other download wants the line."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from openshelf.errors import CancelledByUser
from openshelf.hub.download import DOWNLOADING, VERIFYING, FetchedFile
from openshelf.hub.entries import DownloadFile
from openshelf.hub.fetching import FetchPlace, FetchRequest, FileSlots, fetch
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Progress, Report

_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class FilesJob:
    """`request` says how a file is fetched, under the policy and through the network of the moment
    in which it begins; `on_fetched` hears of each as soon as it is verified, one at a time."""

    files: tuple[DownloadFile, ...]
    request: Callable[[DownloadFile], FetchRequest]
    clearance: Clearance
    on_fetched: Callable[[FetchedFile], None]
    place: FetchPlace | None = None


def fetch_files(job: FilesJob, cancel: CancelToken, report: Report) -> list[FetchedFile]:
    """Fetch all, in their order. The first failure ends the others and is raised.

    Raises what `fetch` raises.
    """
    return _Fetching(job, cancel, report).run()


class _Fetching:
    def __init__(self, job: FilesJob, cancel: CancelToken, report: Report) -> None:
        self._job, self._report = job, report
        self._place = job.place
        self._slots = job.place.slots if job.place is not None else FileSlots()
        self._total = sum(file.size_bytes for file in job.files)
        self._left = deque(range(len(job.files)))
        self._found: dict[int, FetchedFile] = {}
        self._shown: dict[int, Progress] = {}
        self._failure: BaseException | None = None
        self._lock = threading.RLock()
        self._stop = CancelToken()
        cancel.on_cancel(self._stop.cancel)

    def run(self) -> list[FetchedFile]:
        second = threading.Thread(target=self._run_extra, name="second file")
        self._slots.enter()
        try:
            if len(self._left) > 1:
                second.start()
            self._run_all()
            while second.is_alive():
                second.join(_LOOK_SECONDS)
                self._run_all()  # what it gave back, because another download came
            self._run_all()
        finally:
            self._slots.leave()
        if self._failure is not None:
            raise self._failure
        return [self._found[number] for number in range(len(self._job.files))]

    def _run_all(self) -> None:
        while (number := self._next()) is not None:
            self._fetch(number, self._stop)

    def _run_extra(self) -> None:
        """A second file, as long as no other download wants to begin."""
        while not self._stop.is_cancelled and self._left:
            token = CancelToken()
            if not self._slots.try_extra(token):
                self._stop.wait(_LOOK_SECONDS)
                continue
            self._stop.on_cancel(token.cancel)
            try:
                number = self._next()
                if number is not None:
                    self._fetch(number, token)
            finally:
                self._slots.end_extra(token)

    def _next(self) -> int | None:
        with self._lock:
            return self._left.popleft() if self._left and self._failure is None else None

    def _fetch(self, number: int, cancel: CancelToken) -> None:
        def report_file(progress: Progress) -> None:
            self._tell(number, progress)

        file = self._job.files[number]
        try:
            request = self._job.request(file)
            fetched = fetch(request, self._job.clearance, cancel, report_file, self._place)
            with self._lock:
                self._job.on_fetched(fetched)
                self._found[number] = fetched
                self._shown[number] = Progress(file.size_bytes, file.size_bytes, VERIFYING)
        except CancelledByUser as error:
            if self._stop.is_cancelled:
                self._fail(error)
            else:
                with self._lock:
                    self._left.appendleft(number)
        except BaseException as error:  # noqa: BLE001  raised again where the download runs
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._failure is None:
                self._failure = error
        self._stop.cancel()

    def _tell(self, number: int, progress: Progress) -> None:
        """All files as one: what moves counts, and only if nothing does, why."""
        with self._lock:
            self._shown[number] = progress
            done = sum(shown.done for shown in self._shown.values())
            running = [self._shown[at] for at in self._shown if at not in self._found]
            moving = [shown for shown in running if shown.phase == DOWNLOADING]
            shown = moving[0] if moving else progress
            rates = [each.rate_per_second or 0.0 for each in moving]
            self._report(
                replace(shown, done=done, total=self._total, rate_per_second=sum(rates) or None)
            )

"""The downloads that run, wait or rest: two at a time, paused by cancelling (the `.part` stays),
and still there after a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from openshelf import wording
from openshelf.bandwidth import Bandwidth
from openshelf.errors import NotFound, Offline
from openshelf.library.download_entry import ENDED, RESTS, STATES, Entry
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.library.queue_order import Move, moved
from openshelf.library.queue_parts import DownloadsParts, KeptRun
from openshelf.library.running_mark import Wish
from openshelf.library.saved_downloads import (
    SavedDownload,
    as_wished,
    forget_download,
    new_download,
    read_downloads,
    save_download,
)
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import (
    Announcer,
    Cancelled,
    CancelToken,
    Failed,
    Outcome,
    Progress,
    Report,
    Succeeded,
    Task,
)

log = logging.getLogger(__name__)
MAX_RUNNING = 2
_ANNOUNCE_SECONDS = 0.2


class Downloads:
    """Implements DownloadsLike. Thread-safe; nothing here blocks."""

    def __init__(self, parts: DownloadsParts) -> None:
        self.announcer: Announcer[Download] = Announcer()
        self._parts = parts
        self._lock = threading.RLock()
        self._is_closed = False
        self._is_offline = False
        self._entries: dict[str, Entry] = {}
        for saved in read_downloads(parts.folder, parts.gate):
            self._entries[saved.id] = Entry(saved, parts.resting(saved))

    def start(self, offer: InstallOffer, clearance: Clearance) -> Download:
        """Queue an install; one of the same files that rests is resumed instead."""
        known = self._unfinished(offer.model_id)
        if known is not None:
            if not known.shown.state.is_active:
                known.clearance = clearance
                self.resume(known.shown.id)
            return known.shown
        saved = new_download(offer)
        shown = replace(self._parts.resting(saved), state=DownloadState.QUEUED)
        with self._lock:
            self._entries[saved.id] = Entry(saved, shown, clearance)
        self._save(saved)
        self.announcer.announce(shown)
        self._start_waiting()
        return self._entry(saved.id).shown

    def pause(self, download_id: str) -> None:
        entry = self._entry(download_id)
        entry.is_offline = False
        if entry.shown.state.is_active:
            self._stop(entry, DownloadState.PAUSED)

    def resume(self, download_id: str) -> None:
        """Go on, with a new clearance from the gate. Raises NotFound."""
        entry = self._entry(download_id)
        with self._lock:
            if entry.shown.state not in (DownloadState.PAUSED, DownloadState.FAILED):
                return
            if entry.is_running:
                entry.after = DownloadState.QUEUED
        self._change(entry, state=DownloadState.QUEUED, reason=None)
        self._start_waiting()

    def cancel(self, download_id: str) -> None:
        """Stop, and delete what was fetched."""
        entry = self._entry(download_id)
        if entry.shown.state not in (DownloadState.DONE, DownloadState.CANCELLED):
            self._stop(entry, DownloadState.CANCELLED)

    def dismiss(self, download_id: str) -> None:
        """Take it off the list; what a failed one left on disk goes as well."""
        entry = self._entry(download_id)
        if entry.shown.state.is_active:
            return
        if entry.shown.state in (DownloadState.PAUSED, DownloadState.FAILED):
            self.cancel(download_id)
        with self._lock:
            self._entries.pop(download_id, None)
        forget_download(self._parts.folder, download_id)

    def snapshots(self) -> tuple[Download, ...]:
        """In the order of their turns."""
        with self._lock:
            shown = [entry.shown for entry in self._entries.values()]
        return tuple(sorted(shown, key=lambda download: (download.order, download.id)))

    @property
    def is_active(self) -> bool:
        """Whether any runs or waits."""
        with self._lock:
            return any(entry.shown.state.is_active for entry in self._entries.values())

    def move(self, download_id: str, move: Move) -> None:
        """Earlier or later in the list; what runs already goes on. Raises NotFound."""
        self._entry(download_id)
        with self._lock:
            entries = list(self._entries.values())
        turns = [entry.turn for entry in entries if entry.shown.state not in ENDED]
        for name, order in moved(turns, download_id, move).items():
            entry = self._entry(name)
            self._adopt(entry, replace(entry.saved, order=order))

    def limit(self, download_id: str, bytes_per_second: int | None) -> None:
        """A limit of its own, also while it runs. Raises NotFound."""
        entry = self._entry(download_id)
        self._adopt(entry, replace(entry.saved, limit=bytes_per_second))

    def _adopt(self, entry: Entry, saved: SavedDownload, *, save: bool = True) -> None:
        """Another place in the list, another limit."""
        if saved == entry.saved:
            return
        entry.saved = saved
        if save and entry.shown.state not in ENDED:
            self._save(saved)
        if entry.is_running:
            self._parts.place.share.set_own_limit(saved.id, saved.limit)
        self._change(entry, order=saved.order, limit=saved.limit)

    def set_bandwidth(self, bandwidth: Bandwidth) -> None:
        """One limit for all of them together, and the hours in which it does not hold."""
        self._parts.place.share.set_bandwidth(bandwidth)

    def set_offline(self, host: str | None) -> None:
        """With the Hub that may not be asked, all that run or wait rest; with None they go on."""
        with self._lock:
            if (host is not None) == self._is_offline:
                return
            self._is_offline = host is not None
            active = [entry for entry in self._entries.values() if entry.shown.state.is_active]
            resting = [entry for entry in self._entries.values() if entry.is_offline]
        for entry in () if host is None else active:
            if entry.saved.offer.source == "hub":
                entry.is_offline = True
                self._stop(entry, DownloadState.PAUSED)
                self._change(entry, reason=wording.reason_of(Offline(host or "")))
        for entry in resting if host is None else ():
            entry.is_offline = False
            self.resume(entry.saved.id)

    def close(self) -> None:
        """Pause everything; the runner waits for the tasks."""
        with self._lock:
            self._is_closed = True
            active = [entry for entry in self._entries.values() if entry.shown.state.is_active]
        for entry in active:
            self._stop(entry, DownloadState.PAUSED)

    def _entry(self, download_id: str) -> Entry:
        with self._lock:
            entry = self._entries.get(download_id)
        if entry is None:
            raise NotFound("download", download_id)
        return entry

    def _unfinished(self, model_id: str) -> Entry | None:
        with self._lock:
            for entry in self._entries.values():
                if entry.saved.offer.model_id == model_id and entry.shown.state not in ENDED:
                    return entry
        return None

    def _unfinished_ones(self) -> list[SavedDownload]:
        with self._lock:
            return [e.saved for e in self._entries.values() if e.shown.state not in ENDED]

    def _save(self, saved: SavedDownload) -> None:
        try:
            save_download(self._parts.folder, saved)
        except OSError as error:
            # It runs all the same; only a restart will not know of it.
            log.warning("downloads: the list cannot be written: %s", error.strerror)

    def _change(self, entry: Entry, **values: Any) -> None:
        with self._lock:
            if values.get("state") not in (DownloadState.RUNNING, None):
                values = {"rate_per_second": None, "seconds_left": None, **values}
            entry.shown = replace(entry.shown, **values)
            entry.announced_at = time.monotonic()
            shown = entry.shown
        self.announcer.announce(shown)

    def _start_waiting(self) -> None:
        """Start what is queued, as far as there is room."""
        with self._lock:
            waiting = [e for e in self._entries.values() if e.shown.state is DownloadState.QUEUED]
        for entry in waiting:
            self._look(entry)
        while True:
            with self._lock:
                if self._is_closed:
                    return
                running = sum(entry.is_running for entry in self._entries.values())
                queued = [
                    entry
                    for entry in self._entries.values()
                    if entry.shown.state is DownloadState.QUEUED and not entry.is_running
                ]
                if running >= MAX_RUNNING or not queued:
                    return
                entry = min(queued, key=lambda entry: (entry.shown.order, entry.saved.created))
                entry.is_running = True
                entry.after = None
                entry.task = None
            self._submit(entry)

    def _submit(self, entry: Entry) -> None:
        def on_progress(task: Task, progress: Progress) -> None:
            self._on_progress(entry, progress)

        def on_outcome(task: Task, outcome: Outcome[Any]) -> None:
            self._on_outcome(entry, outcome)

        task = self._parts.runner.submit(
            f"download {entry.shown.id}",
            self._work(entry),
            on_progress=on_progress,
            on_outcome=on_outcome,
        )
        with self._lock:
            if entry.is_running:
                entry.task = task
            must_stop = entry.is_running and entry.after is not None
        if must_stop:
            task.cancel()

    def _work(self, entry: Entry) -> Callable[[CancelToken, Report], InstalledModel]:
        def work(cancel: CancelToken, report: Report) -> InstalledModel:
            parts = self._parts
            with self._lock:
                clearance, entry.clearance = entry.clearance, None
            if clearance is None:
                clearance = parts.installer.clear(entry.saved.offer)
            on_wish = self._on_wish(entry.saved.id)
            return KeptRun(entry.saved, clearance, parts.tries, on_wish)(parts, cancel, report)

        return work

    def _on_wish(self, download_id: str) -> Callable[[Wish], None]:
        """Another process asks for it, as `openshelf downloads pause` does."""

        def on_wish(wish: Wish) -> None:
            if wish is Wish.LOOK:
                self._look(self._entry(download_id))
            else:
                (self.pause if wish is Wish.PAUSE else self.cancel)(download_id)

        return on_wish

    def _look(self, entry: Entry) -> None:
        """Another process may have moved it, or given it a limit."""
        self._adopt(entry, as_wished(self._parts.folder, entry.saved), save=False)

    def _on_progress(self, entry: Entry, progress: Progress) -> None:
        state = STATES.get(progress.phase, DownloadState.RUNNING)
        with self._lock:
            if entry.after is not None:
                return
            is_news = (state, progress.reason) != (entry.shown.state, entry.shown.reason)
            if not is_news and time.monotonic() - entry.announced_at < _ANNOUNCE_SECONDS:
                return
        self._change(
            entry,
            state=state,
            done_bytes=progress.done,
            rate_per_second=progress.rate_per_second,
            seconds_left=progress.seconds_left,
            reason=progress.reason,
        )

    def _on_outcome(self, entry: Entry, outcome: Outcome[Any]) -> None:
        self._parts.place.share.set_own_limit(entry.saved.id, None)
        with self._lock:
            after, entry.after = entry.after, None
        self._settle(entry, outcome, after)
        with self._lock:
            entry.is_running = False
            entry.task = None
            late, entry.after = entry.after, None
        if late is not None and entry.shown.state is not DownloadState.DONE:
            # Said while this was settling.
            self._stopped(entry, late)
        self._start_waiting()

    def _settle(self, entry: Entry, outcome: Outcome[Any], after: DownloadState | None) -> None:
        match outcome:
            case Succeeded(model):
                self._done(entry, model)
            case Cancelled():
                self._stopped(entry, after or DownloadState.PAUSED)
            case Failed(error) if after is DownloadState.CANCELLED:
                log.info("downloads: cancelled while it failed: %s", error)
                self._stopped(entry, after)
            case Failed(error):
                rests = isinstance(error, RESTS)
                state = DownloadState.PAUSED if rests else DownloadState.FAILED
                done = self._parts.resting(entry.saved).done_bytes
                reason = wording.reason_of(error)
                self._change(entry, state=state, done_bytes=done, reason=reason)

    def _done(self, entry: Entry, model: InstalledModel) -> None:
        forget_download(self._parts.folder, entry.shown.id)
        self._change(
            entry,
            state=DownloadState.DONE,
            done_bytes=entry.shown.total_bytes,
            installed_id=model.id,
            reason=None,
        )

    def _stop(self, entry: Entry, state: DownloadState) -> None:
        """Stop for `state`; what waits in the queue changes at once."""
        with self._lock:
            task, is_running = entry.task, entry.is_running
            if is_running:
                entry.after = state
        if not is_running:
            self._stopped(entry, state)
            return
        self._change(entry, state=state, reason=None)
        if task is not None:
            task.cancel()

    def _stopped(self, entry: Entry, state: DownloadState) -> None:
        """Nothing is on the wire any more."""
        if state is DownloadState.CANCELLED:
            self._parts.discard(entry.saved, self._unfinished_ones())
            self._change(entry, state=state, done_bytes=0, reason=None)
        elif state is DownloadState.QUEUED:
            self._change(entry, state=state, reason=None)
        else:
            done = self._parts.resting(entry.saved).done_bytes
            self._change(entry, state=state, done_bytes=done)

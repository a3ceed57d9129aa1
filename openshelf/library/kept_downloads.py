"""The downloads as another process sees and steers them: the command line beside the window."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from openshelf.errors import BadWords, NotFound, OpenshelfError, UnwritableFile, UsageError
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.library.queue_order import Move, Turn, moved
from openshelf.library.queue_parts import DownloadsParts, KeptRun
from openshelf.library.running_mark import Wish, ask_for, is_running, take_back
from openshelf.library.saved_downloads import (
    SavedDownload,
    as_wished,
    forget_download,
    new_download,
    read_downloads,
    save_download,
)
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Report

_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 15.0
_TRIES = 8
"""Without a new byte: somebody waits for the command's end."""


class KeptDownloads:
    """Implements KeptDownloadsLike: reads the list anew each time, runs in the caller's thread."""

    def __init__(self, parts: DownloadsParts) -> None:
        self._parts = parts

    def listed(self) -> tuple[Download, ...]:
        """All that is unfinished; `running` where some process runs it now."""
        return tuple(self._shown(saved) for saved in self._saved())

    def find(self, words: str) -> Download:
        """By id, the beginning of one, or the target. Raises NotFound."""
        return self._shown(self._find(words))

    def install(
        self, offer: InstallOffer, clearance: Clearance, cancel: CancelToken, report: Report
    ) -> InstalledModel:
        """Install, kept in the list until it is done: whatever stops it, it can be resumed.

        Raises what Installer.install raises.
        """
        if offer.source != "hub" or offer.installed_id:
            return self._parts.installer.install(offer, clearance, cancel, report)
        known = [saved for saved in self._saved() if saved.offer.model_id == offer.model_id]
        saved = known[0] if known else new_download(offer)
        if not known:
            self._save(saved)
        return self._run(replace(saved, offer=offer), clearance, cancel, report)

    def resume(self, download_id: str, cancel: CancelToken, report: Report) -> InstalledModel:
        """Go on with one, as the gate sees it today. Raises NotFound, what `install` raises."""
        saved = self._find(download_id)
        clearance = self._parts.installer.clear(saved.offer)
        return self._run(saved, clearance, cancel, report)

    def pause(self, download_id: str, cancel: CancelToken) -> Download:
        """Stop it wherever it runs; what has arrived stays. Raises NotFound, UsageError."""
        saved = self._find(download_id)
        self._stop(saved, Wish.PAUSE, cancel)
        return self._shown(saved)

    def cancel(self, download_id: str, cancel: CancelToken) -> Download:
        """Stop it, delete what was fetched, and take it off the list."""
        saved = self._find(download_id)
        self._stop(saved, Wish.CANCEL, cancel)
        self._parts.discard(saved)
        return replace(self._parts.resting(saved), state=DownloadState.CANCELLED)

    def move(self, download_id: str, move: Move) -> tuple[Download, ...]:
        """Earlier or later in the list; an open window goes by it when the next turn comes.

        Raises NotFound, UsageError (a list that cannot be written).
        """
        saved = self._find(download_id)
        everyone = {each.id: each for each in self._saved()}
        turns = [
            Turn(each.id, each.order, is_running(self._folder, each.id))
            for each in everyone.values()
        ]
        for name, order in moved(turns, saved.id, move).items():
            self._rewrite(replace(everyone[name], order=order))
        return self.listed()

    def limit(self, download_id: str, bytes_per_second: int | None) -> Download:
        """A limit of its own, heard by whoever runs it. Raises NotFound, UsageError."""
        saved = replace(self._find(download_id), limit=bytes_per_second)
        self._rewrite(saved)
        return self._shown(saved)

    def _rewrite(self, saved: SavedDownload) -> None:
        try:
            save_download(self._folder, saved)
            if is_running(self._folder, saved.id):
                ask_for(self._folder, saved.id, Wish.LOOK)
        except OSError as error:
            raise self._unwritable(error) from error

    @property
    def _folder(self) -> Path:
        return self._parts.folder

    def _saved(self) -> list[SavedDownload]:
        return read_downloads(self._folder, self._parts.gate)

    def _save(self, saved: SavedDownload) -> None:
        try:
            save_download(self._folder, saved)
        except OSError:
            return  # it runs all the same, and its `.part` is found by the next install

    def _shown(self, saved: SavedDownload) -> Download:
        shown = self._parts.resting(saved)
        if is_running(self._folder, saved.id):
            return replace(shown, state=DownloadState.RUNNING)
        return shown

    def _find(self, words: str) -> SavedDownload:
        all_saved = self._saved()
        found = [s for s in all_saved if words in (s.id, s.offer.target, s.offer.model_id)]
        found = found or [s for s in all_saved if words and s.id.startswith(words)]
        if len(found) != 1:
            raise NotFound("download", words, tuple(s.id for s in found))
        return found[0]

    def _run(
        self, saved: SavedDownload, clearance: Clearance, cancel: CancelToken, report: Report
    ) -> InstalledModel:
        wishes: list[Wish] = []
        share = self._parts.place.share

        def on_wish(wish: Wish) -> None:
            if wish is Wish.LOOK:
                share.set_own_limit(saved.id, as_wished(self._folder, saved).limit)
                return
            wishes.append(wish)
            cancel.cancel()

        run = KeptRun(saved, clearance, _TRIES, on_wish)
        try:
            model = run(self._parts, cancel, report)
        except OpenshelfError:
            if Wish.CANCEL in wishes:
                self._parts.discard(saved)
            raise
        forget_download(self._folder, saved.id)
        return model

    def _stop(self, saved: SavedDownload, wish: Wish, cancel: CancelToken) -> None:
        """Returns when nobody runs it any more."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while is_running(self._folder, saved.id):
            if time.monotonic() > deadline:
                raise BadWords(why="download_silent", name=saved.id)
            try:
                ask_for(self._folder, saved.id, wish)
            except OSError as error:
                raise self._unwritable(error) from error
            cancel.raise_if_cancelled()
            cancel.wait(_LOOK_SECONDS)
        take_back(self._folder, saved.id)

    def _unwritable(self, error: OSError) -> UsageError:
        reason = error.strerror or type(error).__name__
        return UnwritableFile(reason, str(self._folder))

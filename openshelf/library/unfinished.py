"""What an unfinished download has on disk: how much, and how it goes away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from openshelf.errors import OpenshelfError
from openshelf.hub.cache_layout import discard_part, part_bytes, place_of
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.folder_look import SHORT_PATIENCE_SECONDS
from openshelf.library.folders import ModelFolders
from openshelf.library.install import InstallOffer
from openshelf.library.saved_downloads import SavedDownload
from openshelf.library.store import Library

log = logging.getLogger(__name__)


def resting(saved: SavedDownload, folders: ModelFolders) -> Download:
    """A download that does not run, with the bytes that are here; 0 where the folder is silent,
    so that the app neither starts nor ends later for it."""
    offer, models = saved.offer, folders.place_for(saved.offer.folder)
    done = folders.ask(models, lambda: _bytes_here(offer, models), 0, SHORT_PATIENCE_SECONDS)
    return Download(
        id=saved.id,
        target=offer.target,
        model_name=offer.model_name,
        quant=offer.quant,
        state=DownloadState.PAUSED,
        done_bytes=done,
        total_bytes=offer.size_bytes,
        order=saved.order,
        limit=saved.limit,
    )


def _bytes_here(offer: InstallOffer, models: Path) -> int:
    """0 for what has names that cannot be files: it fails when it runs, and says why."""
    try:
        return sum(part_bytes(models, file) for file in offer.files) if offer.source == "hub" else 0
    except OpenshelfError:
        return 0


def with_space_left(offer: InstallOffer, folders: ModelFolders) -> InstallOffer:
    """What is here by now need not fit once more."""
    if offer.source != "hub":
        return offer
    models = folders.place_for(offer.folder)
    here = folders.ask(models, lambda: _bytes_here(offer, models), 0)
    return replace(offer, left_bytes=max(0, offer.size_bytes - here))


def discard(
    saved: SavedDownload,
    others: Iterable[SavedDownload],
    models_of: Callable[[SavedDownload], Path],
    library: Library,
) -> None:
    """Delete what was fetched for it; what is installed stays, and so does what one of `others`
    needs as well, as two variants do with the projector of their repository."""
    offer, models = saved.offer, models_of(saved)
    if offer.source != "hub" or library.folders.is_silent(str(models)):
        return
    needed = {
        (file.repo, file.sha256)
        for other in others
        if other.id != saved.id and other.offer.source == "hub" and models_of(other) == models
        for file in other.offer.files
    }
    files = [file for file in offer.files if (file.repo, file.sha256) not in needed]
    try:
        places = [place_of(models, file).snapshot for file in files]
        for file in files:
            discard_part(models, file)
        library.discard_placed(places)
    except OpenshelfError as error:
        log.warning("downloads: what was fetched could not be deleted: %s", error)

"""What an unfinished download has on disk: how much, and how it goes away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from openshelf.errors import OpenshelfError
from openshelf.hub.cache_layout import discard_part, part_bytes, place_of
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.install import InstallOffer
from openshelf.library.saved_downloads import SavedDownload
from openshelf.library.store import Library

log = logging.getLogger(__name__)


def resting(saved: SavedDownload, models: Path) -> Download:
    """A download that does not run, with the bytes that are here."""
    offer = saved.offer
    try:
        done = bytes_here(offer, models)
    except OpenshelfError:
        done = 0
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


def bytes_here(offer: InstallOffer, models: Path) -> int:
    """Raises UnsafeName."""
    return sum(part_bytes(models, file) for file in offer.files) if offer.source == "hub" else 0


def with_space_left(offer: InstallOffer, models: Path) -> InstallOffer:
    """What is here by now need not fit once more. Raises UnsafeName."""
    if offer.source != "hub":
        return offer
    return replace(offer, left_bytes=max(0, offer.size_bytes - bytes_here(offer, models)))


def discard(
    saved: SavedDownload,
    others: Iterable[SavedDownload],
    models_of: Callable[[SavedDownload], Path],
    library: Library,
) -> None:
    """Delete what was fetched for it; what is installed stays, and so does what one of `others`
    needs as well, as two variants do with the projector of their repository."""
    offer, models = saved.offer, models_of(saved)
    if offer.source != "hub":
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

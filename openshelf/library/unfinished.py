"""What an unfinished download has on disk: how much, and how it goes away."""

from __future__ import annotations

import logging
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


def discard(offer: InstallOffer, models: Path, library: Library) -> None:
    """Delete what was fetched for it and belongs to nothing that is installed."""
    if offer.source != "hub":
        return
    try:
        places = [place_of(models, file).snapshot for file in offer.files]
        for file in offer.files:
            discard_part(models, file)
        library.discard_placed(places)
    except OpenshelfError as error:
        log.warning("downloads: what was fetched could not be deleted: %s", error)

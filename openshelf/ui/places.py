"""The rooms of the window: their order in the rail and where their page lives."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from importlib import import_module

from openshelf.tasks import CancelToken, Report


class Place(enum.StrEnum):
    SHELF = "shelf"
    LIBRARY = "library"
    CHAT = "chat"
    HARDWARE = "hardware"
    POLICY = "policy"
    SETTINGS = "settings"
    MODEL = "model"
    """One model; reached from the Shelf, and part of it."""


@dataclass(frozen=True)
class PageAddress:
    """Where a page's class is; imported when the page is first opened."""

    module: str
    name: str


PAGES: dict[Place, PageAddress] = {
    Place.SHELF: PageAddress("openshelf.ui.pages.shelf", "ShelfPage"),
    Place.LIBRARY: PageAddress("openshelf.ui.pages.library", "LibraryPage"),
    Place.CHAT: PageAddress("openshelf.ui.pages.chat", "ChatPage"),
    Place.HARDWARE: PageAddress("openshelf.ui.pages.hardware", "HardwarePage"),
    Place.POLICY: PageAddress("openshelf.ui.pages.policy", "PolicyPage"),
    Place.SETTINGS: PageAddress("openshelf.ui.pages.settings", "SettingsPage"),
    Place.MODEL: PageAddress("openshelf.ui.pages.model", "ModelPage"),
}

RAIL_ORDER = (Place.SHELF, Place.LIBRARY, Place.CHAT, Place.HARDWARE, Place.POLICY)
"""Ctrl+1, Ctrl+2 … in this order; Settings stands at the foot."""

PARENTS = {Place.MODEL: Place.SHELF}
"""Places that are no entry of the rail, and the entry that they belong to."""


def read_pages(cancel: CancelToken, report: Report) -> None:
    """Import the pages, and the sheet that each of them opens, before somebody waits for one."""
    for module in (*(page.module for page in PAGES.values()), "openshelf.ui.pages.install_sheet"):
        if cancel.is_cancelled:
            return
        import_module(module)

"""Scenes of bundles, limits and hours: name, what is done, what is prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from openshelf.errors import CorruptBundle
from openshelf.library.bundles import Bundle, BundledModel
from openshelf.library.bundling import BundleOffer
from openshelf.services import Services
from openshelf.tasks import CancelToken, Progress, Report
from openshelf.ui.main_window import MainWindow
from openshelf.ui.places import Place
from tests.fakes.example_data import example_offer
from tests.screens.room_scenes import with_library


class _ReadBundles:
    """One folder holds a bundle, the other one that was changed on the way."""

    def read(
        self, folder: Path, cancel: CancelToken, report: Report
    ) -> tuple[Bundle, tuple[BundleOffer, ...]]:
        if folder.name == "damaged":
            raise CorruptBundle("models/1/LICENSE", "missing_license")
        offer = example_offer()
        models = tuple(
            BundledModel(
                offer.model_id, name, quant, offer.files, (folder / f"{name}.gguf",),
                offer.decision.license, {"display_name": "Ada Lovelace"},
            )
            for name, quant in (("Llama-3.2-3B-Instruct", "Q8_0"), ("Phi-4-mini", "Q4_K_M"))
        )  # fmt: skip
        offers = tuple(
            BundleOffer(replace(offer, installed_id="x" if at else None), model)
            for at, model in enumerate(models)
        )
        return Bundle(folder, "2026-11-20T09:00:00Z", models, {}), offers


def with_bundles(services: Services) -> Services:
    return replace(with_library(services), bundles=_ReadBundles())  # type: ignore[arg-type]


def with_hours(services: Services) -> Services:
    settings = services.settings
    settings.save(
        replace(
            settings.current,
            download_limit=2_000_000,
            download_hours="22:00-07:00",
            download_pauses=False,
        )
    )
    services = with_library(services)
    services.downloads.limit("d1", 5_000_000)
    return services


def _export(window: MainWindow, services: Services) -> None:
    window.open_place(Place.LIBRARY)
    card = window.page(Place.LIBRARY).export  # type: ignore[attr-defined]
    card.open_card(services.library.installed())
    for tick in card.ticks.rows[:2]:
        tick.setChecked(True)


def _exporting(window: MainWindow, services: Services) -> None:
    _export(window, services)
    card = window.page(Place.LIBRARY).export  # type: ignore[attr-defined]
    card._show_progress(Progress(1_300_000_000, 3_500_000_000, "copying"))


def _bundle(name: str) -> Callable[[MainWindow, Services], None]:
    def act(window: MainWindow, services: Services) -> None:
        window.open_place(Place.LIBRARY)
        page = window.page(Place.LIBRARY)
        page._on_bundle_found(f"/media/ada/USB/{name}")  # type: ignore[attr-defined]

    return act


def _settings(window: MainWindow, services: Services) -> None:
    window.open_place(Place.SETTINGS)


def _library(window: MainWindow, services: Services) -> None:
    window.open_place(Place.LIBRARY)


TRANSFER_SCENES = (
    ("library-export", _export, with_library),
    ("library-exporting", _exporting, with_library),
    ("library-bundle", _bundle("bundle"), with_bundles),
    ("library-bundle-damaged", _bundle("damaged"), with_bundles),
    ("library-limited", _library, with_hours),
    ("settings-hours", _settings, with_hours),
)

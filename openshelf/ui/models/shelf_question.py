"""What the Shelf asks and gets: one piece of blocking work, and the choices for its filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from openshelf.hardware.facts import Machine
from openshelf.library.installed import InstalledModel
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import License
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.shelf.filter_values import FilterChoices
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.tasks import CancelToken, Report

FILTERS = ("use", "language", "license", "origin", "capability", "modality", "packager")
"""Fields of ShelfQuestion that a person filters by, besides what fits."""
FITS = "fits"


def kept_filters(settings: Settings) -> dict[str, Any]:
    """The filters that were set the last time (None where not), by the fields of ShelfQuestion."""
    kept = {name: settings.filters.get(name) for name in FILTERS}
    return {name: value if isinstance(value, str) else None for name, value in kept.items()}


def filters_to_keep(question: ShelfQuestion, *, fits_only: bool) -> dict[str, Any]:
    """What of them goes into the settings: those that are set."""
    values = {name: getattr(question, name) for name in FILTERS}
    chosen: dict[str, Any] = {name: value for name, value in values.items() if value}
    return {**chosen, FITS: True} if fits_only else chosen


@dataclass(frozen=True)
class ShelfAnswer:
    """`number` is that of the question, so that a late answer can be told from the last one."""

    number: int
    shelf: Shelf
    choices: FilterChoices
    installed: tuple[InstalledModel, ...]
    licenses: Mapping[str, License]


def ask_shelf(
    services: Services, machine: Machine, question: ShelfQuestion, number: int
) -> Callable[[CancelToken, Report], ShelfAnswer]:
    """The work for a task."""

    def work(cancel: CancelToken, report: Report) -> ShelfAnswer:
        shelf = services.shelf(machine, question)
        cancel.raise_if_cancelled()
        choices = FilterChoices.of(services.catalog())
        installed = services.library.installed()
        return ShelfAnswer(number, shelf, choices, installed, load_licenses())

    return work

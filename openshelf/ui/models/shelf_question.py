"""What the Shelf asks and gets: one piece of blocking work, and the choices for its filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openshelf.catalog.entries import Catalog
from openshelf.hardware.facts import Machine
from openshelf.library.installed import InstalledModel
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import License
from openshelf.services import Services
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.tasks import CancelToken, Report


@dataclass(frozen=True)
class FilterChoices:
    """Values that occur in the catalog, sorted."""

    licenses: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    @classmethod
    def of(cls, catalog: Catalog) -> FilterChoices:
        models = [model for family in catalog.families for model in family.models]
        return cls(
            tuple(sorted({model.license for model in models if model.license})),
            tuple(sorted({family.origin for family in catalog.families if family.origin})),
            tuple(sorted({code for model in models for code in model.languages.codes})),
        )


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

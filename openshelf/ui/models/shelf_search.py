"""What a search on the Shelf asks and gets: one piece of blocking work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openshelf.hardware.facts import Machine
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import License
from openshelf.services import Services
from openshelf.shelf.rows import ShelfQuestion
from openshelf.shelf.search import SearchAnswer, SearchQuestion
from openshelf.tasks import CancelToken, Report, Work


@dataclass(frozen=True)
class Searched:
    """An answer, and the licenses that its cards name."""

    answer: SearchAnswer
    licenses: Mapping[str, License]


def search_hub(
    services: Services, machine: Machine, question: ShelfQuestion, text: str
) -> Work[Searched]:
    def work(cancel: CancelToken, report: Report) -> Searched:
        answer = services.search(machine, SearchQuestion(text, question), cancel)
        return Searched(answer, load_licenses())

    return work

"""What `license` and `policy check` say of one TARGET: looked up, or as the catalog has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openshelf import wording
from openshelf.catalog.entries import Catalog
from openshelf.cli.output import Output
from openshelf.cli.terms import print_decision, print_terms_change
from openshelf.errors import NetworkFailure, Offline, UsageError
from openshelf.hub.targets import TargetKind, parse_target
from openshelf.licenses.changes import TermsChange
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.shelf.decisions import CatalogDecisions
from openshelf.tasks import CancelToken, no_report

_MOST_DIFF_LINES = 60
HUB, THIS_MACHINE, CATALOG = "hub", "this_machine", "catalog"


@dataclass(frozen=True)
class Answer:
    """`basis` is where the claims come from; `catalog_as_of` the day of the catalog's review where
    they are its own, and `notes` say then why nothing was looked up."""

    target: str
    decision: Decision
    basis: str
    catalog_as_of: str | None = None
    notes: tuple[Reason, ...] = ()
    change: TermsChange | None = None
    """What is not as it was accepted before."""

    def as_json(self) -> dict[str, Any]:
        return {
            **self.decision.as_json(self.target),
            "basis": self.basis,
            "catalog_as_of": self.catalog_as_of,
            "notes": [note.as_json() for note in self.notes],
            "change": None if self.change is None else self.change.as_json(),
        }


def decide(target: str, services: Services, cancel: CancelToken) -> Answer:
    """The license of a TARGET under the policy; where the Hub cannot be asked, the catalog's word.

    Raises what `Installer.prepare` does; Offline and NetworkFailure only for what no catalog has.
    """
    try:
        offer = services.installer.prepare(target, cancel, no_report)
    except (Offline, NetworkFailure) as error:
        answer = _as_catalogued(target, services, error)
        if answer is None:
            raise
        return answer
    basis = HUB if offer.page_url else THIS_MACHINE
    return Answer(target, offer.decision, basis, change=offer.change)


def show(answer: Answer, output: Output) -> None:
    output.result(answer.as_json())
    if answer.change is not None:
        print_terms_change(answer.change, output, most_lines=_MOST_DIFF_LINES)
    print_decision(answer.decision, output)
    for note in answer.notes:
        output.line(wording.sentence(note))


def _as_catalogued(
    target: str, services: Services, error: Offline | NetworkFailure
) -> Answer | None:
    """None for what is not in the catalog, and for a certain commit: its terms may be others."""
    try:
        wanted = parse_target(target, endpoint_host=error.host)
    except UsageError:
        return None
    catalog = services.catalog()
    decision = CatalogDecisions(catalog, services.gate).decide_repo(wanted.repo)
    if wanted.kind is not TargetKind.HUB or wanted.revision is not None or decision is None:
        return None
    day, is_unsure = _review(catalog, wanted.repo)
    notes = [Reason(f"terms_from_catalog_{error.code}", {"as_of": day, "host": error.host})]
    if is_unsure:
        notes.append(Reason("terms_from_catalog_unsure"))
    return Answer(target, decision, CATALOG, day, tuple(notes))


def _review(catalog: Catalog, repo: str) -> tuple[str, bool]:
    """The day of the review, and whether the license in it is one that nobody checked."""
    found = catalog.find_model(repo)
    if found is None:
        base = catalog.find_base(repo)
        return catalog.as_of, base is not None and not base.verified
    family, model = found
    return family.reviewed or catalog.as_of, "license" in model.unverified or model.is_new

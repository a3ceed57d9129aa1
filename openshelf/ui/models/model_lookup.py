"""What the Model screen asks for in a task: the listing of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.library.installed import InstalledModel
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import License
from openshelf.services import Services
from openshelf.shelf.builds import Build, ModelListing
from openshelf.tasks import CancelToken, Report, Work


@dataclass(frozen=True)
class Looked:
    """`number` tells a late answer from the last one; either `listing` or `problem` is there."""

    number: int
    listing: ModelListing | None
    licenses: Mapping[str, License]
    problem: OpenshelfError | None = None


def look_up(services: Services, text: str, number: int) -> Work[Looked]:
    def work(cancel: CancelToken, report: Report) -> Looked:
        licenses = load_licenses()
        try:
            listing = services.models.listing(text, cancel, report)
        except CancelledByUser:
            raise
        except OpenshelfError as error:
            return Looked(number, None, licenses, error)
        return Looked(number, listing, licenses)

    return work


def with_installed(listing: ModelListing, installed: Sequence[InstalledModel]) -> ModelListing:
    """The listing after something was installed or removed, without asking the Hub again."""
    ids = {(model.repo.casefold(), model.quant): model.id for model in installed if model.is_usable}

    def renewed(build: Build) -> Build:
        installed_id = ids.get((build.repo.casefold(), build.quant))
        if installed_id == build.installed_id:
            return build
        is_local = installed_id is not None
        return replace(build, installed_id=installed_id, is_local=is_local)

    return replace(listing, builds=tuple(renewed(build) for build in listing.builds))

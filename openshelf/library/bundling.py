"""Models to other machines and from them, each through the gate of the machine where it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.errors import NotFound
from openshelf.library.bundles import Bundle, BundledModel, read_bundle
from openshelf.library.exporting import Exported, ExportFacts, ExportReport, write_bundle
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.library.installer import Installer
from openshelf.library.offers import OfferParts
from openshelf.licenses.facts import load_licenses
from openshelf.tasks import CancelToken, Report


@dataclass(frozen=True)
class BundleOffer:
    """A model of a bundle as this machine's gate sees it."""

    offer: InstallOffer
    model: BundledModel


@dataclass(frozen=True)
class Bundles:
    """`settings` gives what is written beside the models."""

    parts: OfferParts
    installer: Installer
    settings: Callable[[], Mapping[str, Any]]

    def export(
        self, models: Sequence[InstalledModel], folder: Path, cancel: CancelToken, report: Report
    ) -> ExportReport:
        """Write a bundle. Raises what loading each of them would (a damaged, blocked or not
        accepted one does not leave), and what `write_bundle` raises."""
        library, log = self.parts.library, self.parts.acceptances
        records = {str(record.get("record_id")): record for record in log.records()}
        entries = []
        for model in models:
            if model.missing and not model.away:
                raise NotFound("file", model.first_file.location)
            clearance = self.installer.clear_installed(model)
            license = library.effective_license(model.id)
            decision = self.parts.gate.decide(license)
            entries.append(Exported(model, decision, records.get(str(clearance.record_id))))
        facts = ExportFacts(load_licenses(), log.texts.read, self.settings())
        return write_bundle(entries, folder, facts, cancel, report)

    def read(
        self, folder: Path, cancel: CancelToken, report: Report
    ) -> tuple[Bundle, tuple[BundleOffer, ...]]:
        """Verify a bundle and offer what is in it; asks nobody.

        Raises what `read_bundle` does, CorruptModel, UnsupportedArchitecture.
        """
        bundle = read_bundle(folder, cancel, report)
        return bundle, tuple(
            BundleOffer(self.installer.offer_bundled(model), model) for model in bundle.models
        )

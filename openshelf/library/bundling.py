"""Models to other machines and from them, each through the gate of the machine where it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openshelf.errors import NotFound
from openshelf.gguf.claims import read_license_claims
from openshelf.gguf.header import Header
from openshelf.gguf.split import read_model
from openshelf.library.bundles import Bundle, BundledModel, read_bundle
from openshelf.library.exporting import Exported, ExportFacts, ExportReport, write_bundle
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.library.installer import Installer
from openshelf.library.offers import OfferParts
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.index import shipped_index
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE
from openshelf.licenses.lineage import RepoClaims, resolve
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
        return bundle, tuple(self._offer(model) for model in bundle.models)

    def _offer(self, model: BundledModel) -> BundleOffer:
        header = read_model(model.paths[0])
        license = _known_here(model.license, header, model.files[0].path)
        return BundleOffer(self.installer.offer_bundled(model, license, header), model)


def _known_here(license: EffectiveLicense, header: Header, name: str) -> EffectiveLicense:
    """The license that a bundle states, never less than what the file says of itself.

    An id that this version does not know is an unknown license.
    """
    known = load_licenses()
    own = resolve(RepoClaims(name, gguf=read_license_claims(header)), lambda _: None)
    said = [id_ for id_ in own.effective if id_ not in (NO_LICENSE, UNKNOWN_LICENSE)]
    stated = [id_ if id_ in known else UNKNOWN_LICENSE for id_ in license.effective]
    ids = tuple(dict.fromkeys([*stated, *said])) or (UNKNOWN_LICENSE,)
    return replace(license, effective=ids, expression=shipped_index().spdx_expression(ids))

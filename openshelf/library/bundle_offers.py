"""A model of a verified bundle as this machine's gate sees it; asks nobody."""

from __future__ import annotations

from dataclasses import replace

from openshelf.gguf.claims import read_license_claims
from openshelf.gguf.header import Header
from openshelf.gguf.split import read_model
from openshelf.library.bundles import BundledModel
from openshelf.library.install import InstallOffer
from openshelf.library.offers import Offers
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.index import shipped_index
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE
from openshelf.licenses.lineage import RepoClaims, resolve


def offer_bundled(offers: Offers, model: BundledModel) -> InstallOffer:
    """Raises CorruptModel, UnsupportedArchitecture."""
    header = read_model(model.paths[0])
    license = _known_here(model.license, header, model.files[0].path)
    return offers.of_bundle(model, license, header)


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

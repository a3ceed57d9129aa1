"""Models of a bundle in words."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from openshelf.library.bundling import BundleOffer
from openshelf.ui.models.license_names import license_names
from openshelf.units import format_bytes


def offer_words(found: BundleOffer) -> str:
    """Size, license, and who accepted it where it was exported."""
    effective = found.offer.decision.license
    license = license_names(effective.effective, effective.expression)
    parts = [format_bytes(found.model.size_bytes), license]
    name = (found.model.acceptance or {}).get("display_name")
    if isinstance(name, str) and name.strip():
        text = QCoreApplication.translate("BundleWords", "accepted there by {name}")
        parts.append(text.format(name=" ".join(name.split())[:60]))
    return " · ".join(part for part in parts if part)

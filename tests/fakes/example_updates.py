"""Terms that changed, and an update that brings them, for tests and pictures."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from openshelf.errors import LicenseNotAccepted
from openshelf.hub.entries import DownloadFile
from openshelf.library.install import InstallOffer
from openshelf.library.installed import InstalledModel
from openshelf.library.updates import UpdateReport, report_update
from openshelf.licenses.changes import TermsChange, compare_terms
from openshelf.licenses.clearance import Clearance
from openshelf.licenses.effective import EffectiveLicense, LicenseText
from tests.fakes.example_data import example_offer

OLD = """Llama 3.2 Community License Agreement
Release of September 2024

1. What you may do
1.1 You may use the model, and you may sell what you make with it.
1.2 Whoever takes the guardrails out has no rights any more.
2. Notice
The notice names Meta and the license.
"""
NEW = """Llama 3.2 Community License Agreement
Release of March 2026

1. What you may do
1.1 You may use the model, and you may sell what you make with it.
2. Notice
The notice names Meta, the license and the date.
2.1 The notice goes with every copy, on a page that a user can find.
"""
URL = "https://huggingface.co/meta-llama/Llama-3.2-3B-Instruct/blob/main/LICENSE"


def text_of(words: str, license: str = "llama3.2", kind: str = "license") -> LicenseText:
    raw = words.encode()
    return LicenseText(license, URL, hashlib.sha256(raw).hexdigest(), len(raw), words, kind=kind)


def license_of(words: str, license: str = "llama3.2", *more: str) -> EffectiveLicense:
    return EffectiveLicense((license, *more), license, (), (), (text_of(words, license),))


def example_change(old: str = OLD, new: str = NEW) -> TermsChange:
    """The same license under another text, accepted in October."""
    change = compare_terms(license_of(old), license_of(new), lambda _: None)
    return replace(change, accepted_on="2026-10-12", accepted_in="r1")


def example_update(
    model: InstalledModel, old: str = OLD, new: str = NEW, *, has_other_files: bool = True
) -> UpdateReport:
    """What a repository has now; the gate asks wherever the terms are others."""
    shown = example_offer()
    now = replace(shown.decision, license=license_of(new))
    file = model.first_file
    path = DownloadFile(model.repo, "b" * 40, file.path, file.size_bytes, file.sha256)
    if has_other_files:
        path = replace(path, sha256="e" * 64, size_bytes=file.size_bytes + 1)
    commit = "b" * 40 if has_other_files else model.commit
    offer = replace(shown, repo=model.repo, commit=commit, files=(path,), decision=now)

    def clear(offer: InstallOffer) -> Clearance:
        raise LicenseNotAccepted(offer.target)

    return report_update(model, license_of(old), offer, lambda _: None, clear)

"""The license texts that belong to a result: what was read, and where the rest can be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from openshelf.licenses.claims import RepoClaims
from openshelf.licenses.effective import EffectiveLicense, LicenseText
from openshelf.licenses.index import LicenseIndex, shipped_index
from openshelf.licenses.license import UNKNOWN_LICENSE, License
from openshelf.paths import apache_license_text

APACHE = "apache-2.0"
_HUB = "https://huggingface.co"


def texts_for(
    license: EffectiveLicense, claims: Sequence[RepoClaims], index: LicenseIndex | None = None
) -> tuple[LicenseText, ...]:
    """One entry per license and per use policy that is part of one.

    A text from a repository counts for the license that it is; that of Apache-2.0 is always at
    hand, from our own LICENSE file. `sha256` is empty for a text that was not read.
    """
    index = shipped_index() if index is None else index
    texts: list[LicenseText] = []
    for id_ in license.effective:
        entry = index.licenses[id_]
        texts.append(_from_repositories(id_, claims, index) or _without_repository(entry))
        if entry.use_policy and entry.use_policy.url.startswith("http"):
            texts.append(LicenseText(id_, entry.use_policy.url, "", 0, kind="use_policy"))
    return tuple(texts)


def _from_repositories(
    license_id: str, claims: Sequence[RepoClaims], index: LicenseIndex
) -> LicenseText | None:
    for node in reversed(claims):  # the licensor's own copy first
        if not node.license_text or node.license_text_is_head:
            continue
        if license_id in (index.by_text(node.license_text) or (UNKNOWN_LICENSE,)):
            place = f"{_HUB}/{node.id}/blob/{node.commit or 'main'}/{node.license_path}"
            return _read(license_id, place, node.license_text, node.commit)
    return None


def _without_repository(entry: License) -> LicenseText:
    url = entry.sources[0].url if entry.sources and entry.ids.link_patterns else ""
    if entry.id == APACHE:
        text = apache_license_text().read_bytes().decode("utf-8")
        return _read(entry.id, url, text, None)
    return LicenseText(entry.id, url, "", 0)


def _read(license_id: str, url: str, text: str, commit: str | None) -> LicenseText:
    raw = text.encode("utf-8", "replace")
    return LicenseText(license_id, url, hashlib.sha256(raw).hexdigest(), len(raw), text, commit)

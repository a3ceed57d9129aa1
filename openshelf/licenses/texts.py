"""The texts that belong to a result: what was read, and where the rest can be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from openshelf.licenses.claims import NOTICE_TEXT, USE_POLICY, RepoClaims, RepoText
from openshelf.licenses.effective import EffectiveLicense, LicenseText
from openshelf.licenses.index import LicenseIndex, shipped_index
from openshelf.licenses.license import UNKNOWN_LICENSE, License
from openshelf.paths import apache_license_text

APACHE = "apache-2.0"
LICENSE = "license"
_HUB = "https://huggingface.co"


def texts_for(
    license: EffectiveLicense, claims: Sequence[RepoClaims], index: LicenseIndex | None = None
) -> tuple[LicenseText, ...]:
    """One entry per license and per use policy that is part of one, then the publishers' NOTICEs.

    A text from a repository counts for the license that it is; that of Apache-2.0 is always at
    hand, from our own LICENSE file. `sha256` is empty for a text that was not read.
    """
    index = shipped_index() if index is None else index
    policies = _Policies(license, claims, index)
    texts: list[LicenseText] = []
    for id_ in license.effective:
        entry = index.licenses[id_]
        policy = policies.of(entry)
        if entry.ids.overlay_on:
            texts.append(policy or _without_repository(entry))
            continue
        texts.append(_from_repositories(id_, claims, index) or _without_repository(entry))
        if policy is not None:
            texts.append(policy)
        elif entry.use_policy and entry.use_policy.url.startswith("http"):
            texts.append(LicenseText(id_, entry.use_policy.url, "", 0, kind=USE_POLICY))
    return (*texts, *policies.left(), *_notices(license, claims))


def _from_repositories(
    license_id: str, claims: Sequence[RepoClaims], index: LicenseIndex
) -> LicenseText | None:
    for node in reversed(claims):  # the licensor's own copy first
        if not node.license_text or node.license_text_is_head:
            continue
        if license_id in (index.by_text(node.license_text) or (UNKNOWN_LICENSE,)):
            return _of_node(license_id, LICENSE, node, node.license_path, node.license_text)
    return None


class _Policies:
    """Which license each use policy in a repository belongs to; the licensor's own copy first."""

    def __init__(
        self, license: EffectiveLicense, claims: Sequence[RepoClaims], index: LicenseIndex
    ) -> None:
        self._index = index
        self._first = license.effective[0]
        self._own = {
            node.repo.casefold(): [i for i in node.license.split(" AND ") if i in index.licenses]
            for node in license.lineage
        }
        self._found = [(node, text) for node, text in _texts_in(claims) if text.kind == USE_POLICY]
        self._taken: set[str] = set()

    def of(self, entry: License) -> LicenseText | None:
        """The policy of the repository that the license is on; else of one that has no other."""
        if entry.use_policy is None and not entry.ids.overlay_on:
            return None
        is_overlay = bool(entry.ids.overlay_on)
        near = [(n, t) for n, t in self._found if self._is_on(entry, n)]
        loose = [(n, t) for n, t in self._found if not self._has_policy(n)]
        chosen = near if near or is_overlay else loose
        if not chosen:
            return None
        node, text = chosen[0]
        self._taken.add(text.text)
        return _of_node(entry.id, LICENSE if is_overlay else USE_POLICY, node, text.path, text.text)

    def left(self) -> Iterator[LicenseText]:
        """All others, each once: whoever wrote one wants it kept, whatever the license says."""
        for node, text in self._found:
            if text.text not in self._taken:
                self._taken.add(text.text)
                own = self._own.get(node.id.casefold()) or [self._first]
                yield _of_node(own[0], USE_POLICY, node, text.path, text.text)

    def _is_on(self, entry: License, node: RepoClaims) -> bool:
        if entry.ids.overlay_on:
            return any(node.id.casefold().startswith(p.casefold()) for p in entry.ids.overlay_on)
        return entry.id in self._own.get(node.id.casefold(), ())

    def _has_policy(self, node: RepoClaims) -> bool:
        own = self._own.get(node.id.casefold(), ())
        licenses = self._index.licenses
        overlays = [entry for entry in licenses.values() if entry.ids.overlay_on]
        return any(licenses[id_].use_policy for id_ in own) or any(
            self._is_on(entry, node) for entry in overlays
        )


def _notices(license: EffectiveLicense, claims: Sequence[RepoClaims]) -> Iterator[LicenseText]:
    """Each NOTICE once, however many packagers copied it."""
    own = {node.repo.casefold(): node.license for node in license.lineage}
    seen: set[str] = set()
    for node, text in _texts_in(claims):
        if text.kind == NOTICE_TEXT and text.text not in seen:
            seen.add(text.text)
            first = own.get(node.id.casefold(), "").split(" AND ")[0]
            id_ = first if first in license.effective else license.effective[0]
            yield _of_node(id_, NOTICE_TEXT, node, text.path, text.text)


def _texts_in(claims: Sequence[RepoClaims]) -> Iterator[tuple[RepoClaims, RepoText]]:
    return ((node, text) for node in reversed(claims) for text in node.other_texts)


def _without_repository(entry: License) -> LicenseText:
    url = entry.sources[0].url if entry.sources and entry.ids.link_patterns else ""
    if entry.id == APACHE:
        raw = apache_license_text().read_bytes()
        text = raw.decode("utf-8")
        return LicenseText(entry.id, url, hashlib.sha256(raw).hexdigest(), len(raw), text)
    return LicenseText(entry.id, url, "", 0)


def _of_node(license_id: str, kind: str, node: RepoClaims, path: str, text: str) -> LicenseText:
    raw = text.encode("utf-8", "replace")
    return LicenseText(
        license=license_id,
        url=f"{_HUB}/{node.id}/blob/{node.commit or 'main'}/{path}",
        sha256=hashlib.sha256(raw).hexdigest(),
        bytes=len(raw),
        text=text,
        commit=node.commit,
        kind=kind,
        repo=node.id,
    )

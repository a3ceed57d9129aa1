"""From what the Hub and a file say to the licenses that apply, along the chain of base models.

Pure functions over plain data; `hub/` and `gguf/` fetch what they work on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from openshelf.licenses.ancestry import (
    BASE,
    Ancestor,
    Ancestry,
    Fetch,
    Overrides,
    header_base_names,
    shipped_overrides,
    walk,
)
from openshelf.licenses.claims import RepoClaims, is_multimodal
from openshelf.licenses.effective import (
    EffectiveLicense,
    LicenseText,
    LineageNode,
    effective_from_json,
)
from openshelf.licenses.index import LicenseIndex, shipped_index
from openshelf.licenses.judgment import Judged, Judgment, unique
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE
from openshelf.licenses.texts import texts_for

__all__ = [
    "EffectiveLicense",
    "Fetch",
    "LicenseText",
    "LineageNode",
    "RepoClaims",
    "effective_from_json",
    "mark_changed",
    "resolve",
]


def resolve(
    target: RepoClaims,
    fetch: Fetch,
    overrides: Overrides | None = None,
    index: LicenseIndex | None = None,
) -> EffectiveLicense:
    """The licenses that apply to whoever installs `target`: the union along its lineage.

    `fetch` answers for the base models (at most 64 calls, 8 levels up). Faults of the chain are
    flags of the result (wording/licenses.py has them all); nothing raises.
    """
    return _Resolver(
        walk(target, fetch, shipped_overrides() if overrides is None else overrides),
        shipped_index() if index is None else index,
    ).result()


def mark_changed(
    license: EffectiveLicense, earlier_ids: Iterable[str], earlier_texts: Iterable[str] = ()
) -> EffectiveLicense:
    """`license` with the flag license_changed where another one was accepted for the repository.

    `earlier_texts` are the sha256 of the texts that were accepted; only texts that were read on
    both occasions are compared.
    """
    texts = {text.sha256 for text in license.texts if text.sha256 and text.kind == "license"}
    before = {sha256 for sha256 in earlier_texts if sha256}
    other_text = bool(before and texts and not texts <= before)
    if set(earlier_ids) == set(license.effective) and not other_text:
        return license
    return replace(license, flags=unique([*license.flags, "license_changed"]))


class _Resolver:
    def __init__(self, ancestry: Ancestry, index: LicenseIndex) -> None:
        self._ancestry = ancestry
        self._index = index
        self._judgment = Judgment(ancestry, index)

    def result(self) -> EffectiveLicense:
        nodes = list(self._ancestry.nodes.values())
        judged = [self._judgment.of(node) for node in nodes]
        found = [self._judgment.identified(node) for node in nodes]
        claims = [node.claims for node in nodes if node.claims is not None]
        flags = [*self._ancestry.flags, *(flag for entry in judged for flag in entry.flags)]
        flags.extend(self._flags_of_the_chain(nodes))
        effective, more_flags = self._union(nodes, judged)
        disputed = unique(id_ for entry in judged for id_ in entry.disputed)
        certain = tuple(id_ for id_ in effective if id_ not in disputed)
        vendor_regions, unknown_vendors = self._vendors(nodes, certain)
        result = EffectiveLicense(
            effective=effective,
            expression=self._index.spdx_expression(effective),
            flags=unique([*flags, *more_flags]),
            lineage=tuple(self._line(node) for node in nodes),
            disputed=disputed,
            declared_names=unique(name for f in found if f for name in f.declared_names),
            multimodal=any(is_multimodal(node) for node in claims),
            vendor_regions=vendor_regions,
            unknown_vendors=unknown_vendors,
        )
        return replace(result, texts=texts_for(result, claims, self._index))

    def _union(
        self, nodes: list[Ancestor], judged: list[Judged]
    ) -> tuple[tuple[str, ...], list[str]]:
        """All licenses of the chain, use policies that come with certain repositories included."""
        effective = unique(id_ for entry in judged for id_ in entry.own)
        overlays = [
            entry.id
            for entry in self._index.licenses.values()
            for prefix in entry.ids.overlay_on
            if any(node.repo.casefold().startswith(prefix.casefold()) for node in nodes)
        ]
        flags = ["overlay_policy"] if overlays else []
        effective = unique([*effective, *overlays])
        if not effective:
            # What could not be read may hold a license: "nobody declared one" cannot be said.
            unread = "unresolved_base" in self._ancestry.flags
            effective = (UNKNOWN_LICENSE if unread else NO_LICENSE,)
        if effective == (NO_LICENSE,):
            flags.append("no_license_on_chain")
        if self._names_collide(effective):
            flags.append("name_rule_conflict")
        return effective, flags

    def _flags_of_the_chain(self, nodes: list[Ancestor]) -> list[str]:
        flags = []
        if any(node.claims and node.claims.gated for node in nodes[1:]):
            flags.append("base_gated")
        if any(self._breaks_name_rule(node) for node in nodes):
            flags.append("upstream_breach_suspected")
        target = nodes[0]
        if not target.parents and self._name_hints_elsewhere(target):
            flags.append("name_hint")
        return flags

    def _breaks_name_rule(self, node: Ancestor) -> bool:
        """Whether a derived model's name lacks the prefix that a license above asks for."""
        if node.relation in (BASE, "quantized"):
            return False
        name = node.repo.rsplit("/", 1)[-1].casefold()
        return any(
            not name.startswith(rule.prefix.casefold().split()[0])
            for above in self._ancestry.ancestors_of(node)
            for id_ in self._judgment.of(above).own
            if (rule := self._index.licenses[id_].naming_rule) is not None
        )

    def _name_hints_elsewhere(self, node: Ancestor) -> bool:
        named = header_base_names(node.claims) if node.claims is not None else ()
        name = " ".join((node.repo, *named)).casefold()
        own = self._judgment.of(node).own
        hinted = [
            entry.id
            for entry in self._index.licenses.values()
            if any(hint in name for hint in entry.ids.name_hints)
        ]
        return bool(hinted) and not set(hinted) & set(own)

    def _names_collide(self, effective: tuple[str, ...]) -> bool:
        prefixes = [
            rule.prefix.casefold()
            for id_ in effective
            if (rule := self._index.licenses[id_].naming_rule) is not None
        ]
        return any(
            not (one.startswith(other) or other.startswith(one))
            for one in prefixes
            for other in prefixes
        )

    def _vendors(
        self, nodes: list[Ancestor], effective: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Home regions of everyone but packagers, and the repositories without a known one.

        Who is at home in several regions counts in each of them.
        The licensors of `effective` count too; those of a disputed license do not.
        """
        authors = [node for node in nodes if node.relation != "quantized"]
        homes = [self._index.licenses[id_].licensor_region for id_ in effective]
        regions = [
            region for node in authors for region in (self._region_of(node) or "").split("/")
        ]
        unknown = tuple(node.repo for node in authors if not self._region_of(node))
        return unique(region for region in [*regions, *homes] if region), unknown

    def _region_of(self, node: Ancestor) -> str | None:
        stated = node.claims.region if node.claims else None
        return stated or self._index.region_of(node.repo.split("/")[0])

    def _line(self, node: Ancestor) -> LineageNode:
        found = self._judgment.identified(node)
        own = self._judgment.of(node).own
        is_read = node.claims is not None and node.claims.is_card_read
        silent = NO_LICENSE if is_read else UNKNOWN_LICENSE
        return LineageNode(
            repo=node.repo,
            commit=node.claims.commit if node.claims else None,
            relation=node.relation,
            license=" AND ".join(own) or silent,
            region=self._region_of(node),
            evidence=tuple(claim.as_evidence() for claim in found.claims) if found else (),
        )

"""What each node of a lineage adds: its own licenses, and where its label does not hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openshelf.licenses.ancestry import Ancestor, Ancestry
from openshelf.licenses.homes import settle
from openshelf.licenses.identify import Identified, identify
from openshelf.licenses.index import LicenseIndex
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE

CONSORTIUM = "INT"
"""Region of licensors who wrote a license for everybody to use."""


def unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


@dataclass(frozen=True)
class Judged:
    """What one node adds: its own licenses, those that its ancestors do not support, the flags."""

    own: tuple[str, ...]
    disputed: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Judgment:
    """Judges every node of an ancestry, from the base models down to the target."""

    def __init__(self, ancestry: Ancestry, index: LicenseIndex) -> None:
        self.ancestry = ancestry
        self.index = index
        self._identified = {
            key: identify(node.claims, index)
            for key, node in ancestry.nodes.items()
            if node.claims is not None
        }
        self._judged: dict[str, Judged] = {}
        self.judge_all()

    def judge_all(self) -> None:
        for node in self.ancestry.nodes.values():
            self._judge(node, frozenset())

    def of(self, node: Ancestor) -> Judged:
        return self._judged[node.repo.casefold()]

    def identified(self, node: Ancestor) -> Identified | None:
        return self._identified.get(node.repo.casefold())

    def _judge(self, node: Ancestor, path: frozenset[str]) -> None:
        """Parents first; `path` keeps a cycle from going round."""
        key = node.repo.casefold()
        if key in self._judged:
            return
        for parent in self.ancestry.parents_of(node):
            if parent.repo.casefold() not in path:
                self._judge(parent, path | {key})
        inherited = unique(
            id_
            for above in self.ancestry.ancestors_of(node)
            if above.repo.casefold() in self._judged
            for id_ in self.of(above).own
        )
        found = self.identified(node)
        self._judged[key] = Judged(()) if found is None else self._weigh(node, found, inherited)

    def _weigh(self, node: Ancestor, found: Identified, inherited: tuple[str, ...]) -> Judged:
        flags = list(found.flags)
        own = unique(self._variant(id_, inherited) for id_ in found.licenses)
        if found.candidates:
            own = unique(
                [*own, *self._settled_by_parents(node, found, found.candidates, inherited)]
            )
        elif found.is_silent:
            return self._silent(node, found, inherited, flags)
        witness = found.witness
        if meanings := found.witness_meanings:
            witness = (*witness, *self._settled_by_parents(node, found, meanings, inherited))
        from_header = tuple(id_ for id_ in witness if id_ not in own)
        conflict, disputed, over = self._compare(node, found, own, inherited, from_header)
        flags += ["label_conflict"] if conflict else []
        flags += ["over_restrictive_label"] if over else []
        return Judged(unique([*own, *from_header]), disputed, tuple(flags))

    def _variant(self, license_id: str, inherited: tuple[str, ...]) -> str:
        """A common label below a base with a variant of that license means the variant."""
        own = [id_ for id_ in self.index.variants_of(license_id) if id_ in inherited]
        return own[0] if own else license_id

    def _silent(
        self, node: Ancestor, found: Identified, inherited: tuple[str, ...], flags: list[str]
    ) -> Judged:
        """A packager adds no terms of its own; an author who grants nothing keeps all rights."""
        is_read = node.claims is None or node.claims.is_card_read
        if node.relation == "quantized" or found.inherits or self._misses_parent(node):
            if is_read and node.parents and set(inherited) - {NO_LICENSE}:
                flags.append("missing_license_inherited")
            own = (UNKNOWN_LICENSE,) if found.inherits and not node.parents else ()
            return Judged(own, flags=tuple(flags))
        return Judged((NO_LICENSE if is_read else UNKNOWN_LICENSE,), flags=tuple(flags))

    def _misses_parent(self, node: Ancestor) -> bool:
        return any(parent.claims is None for parent in self.ancestry.parents_of(node))

    def _settled_by_parents(
        self,
        node: Ancestor,
        found: Identified,
        candidates: tuple[str, ...],
        inherited: tuple[str, ...],
    ) -> tuple[str, ...]:
        """An ambiguous name means what it means on the base model that bears the same name."""
        shared = tuple(id_ for id_ in candidates if id_ in inherited)
        if shared:
            return shared
        if at_home := self._settled_by_homes(node, candidates):
            return at_home
        names = {name.casefold() for name in found.declared_names}
        for parent in self.ancestry.parents_of(node):
            above = self._identified.get(parent.repo.casefold())
            if above and names & {name.casefold() for name in above.declared_names}:
                return ()
        return (UNKNOWN_LICENSE,)

    def _settled_by_homes(self, node: Ancestor, candidates: tuple[str, ...]) -> tuple[str, ...]:
        """The candidate whose licensor owns a base model, also one that nobody could read."""
        for above in self.ancestry.ancestors_of(node):
            meant = settle(above.repo, [candidates], self.index)
            if len(meant) == 1:
                return meant
        return ()

    def _compare(
        self,
        node: Ancestor,
        found: Identified,
        own: tuple[str, ...],
        inherited: tuple[str, ...],
        witness: tuple[str, ...],
    ) -> tuple[bool, tuple[str, ...], bool]:
        """(label conflict, disputed ids, label stricter than the base) of a node's own label."""
        strict = self.index.strictness
        others = unique([*inherited, *witness])
        own_rank = max((strict(id_) for id_ in own), default=0)
        conflict = bool(own) and any(strict(i) > own_rank for i in others if i not in own)
        extra = tuple(id_ for id_ in own if id_ not in inherited and strict(id_) > 0)
        if not inherited or not extra:
            return conflict, (), False
        if node.relation != "quantized" and not self._is_foreign_label(
            node, found, extra, inherited
        ):
            return conflict, (), False
        top = max(strict(id_) for id_ in inherited)
        stricter = any(strict(id_) > top for id_ in extra)
        return conflict or not stricter, extra, stricter

    def _is_foreign_label(
        self, node: Ancestor, found: Identified, extra: tuple[str, ...], inherited: tuple[str, ...]
    ) -> bool:
        """Whether an author uses another company's own license that no ancestor is under.

        An author may add terms, and a list of licenses says that several sources went in.
        """
        if len(found.licenses) != 1 or set(found.licenses) & set(inherited):
            return False
        entry = self.index.licenses[extra[0]]
        if not entry.ids.organizations or entry.licensor_region == CONSORTIUM:
            return False
        return bool(node.claims) and not self.index.is_home(entry.id, node.repo.split("/")[0])

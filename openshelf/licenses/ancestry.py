"""Walks from a repository up to the models it was made from."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from openshelf.licenses.claims import RepoClaims, repo_id_of, strings_of
from openshelf.licenses.facts import licenses_folder

MAX_DEPTH = 8
MAX_NODES = 64
_MAX_PARENTS = 16
RELATIONS = ("quantized", "finetune", "adapter", "merge")
BASE = "base"

Fetch = Callable[[str], RepoClaims | None]
"""Claims of a repository by id; None where it is missing or nobody may read it."""
FetchAll = Callable[[Sequence[str]], Sequence[RepoClaims | None]]
"""The same for several, in their order."""
Overrides = Mapping[str, tuple[str, ...]]
"""Repository (lower case) → its base models, where the card is silent."""


@dataclass
class Ancestor:
    """One node of the walk. `claims` is None for a parent that could not be read."""

    repo: str
    claims: RepoClaims | None
    relation: str = BASE
    parents: tuple[str, ...] = ()


@dataclass
class Ancestry:
    """The nodes in the order in which they were met (breadth first), keyed by lower-case id."""

    target: str
    nodes: dict[str, Ancestor] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)

    def parents_of(self, node: Ancestor) -> Iterator[Ancestor]:
        for parent in node.parents:
            if (found := self.nodes.get(parent.casefold())) is not None:
                yield found

    def ancestors_of(self, node: Ancestor) -> Iterator[Ancestor]:
        """All nodes above, each once; safe on cycles."""
        seen = {node.repo.casefold()}
        waiting = list(self.parents_of(node))
        while waiting:
            parent = waiting.pop(0)
            if parent.repo.casefold() not in seen:
                seen.add(parent.repo.casefold())
                yield parent
                waiting.extend(self.parents_of(parent))


def walk(
    target: RepoClaims, fetch: Fetch, overrides: Overrides, fetch_all: FetchAll | None = None
) -> Ancestry:
    """Breadth first from `target`; faults of the chain are flags, never errors.

    With `fetch_all` each generation is asked for at once.
    """
    ancestry = Ancestry(target.id)
    level: list[tuple[str, RepoClaims | None]] = [(target.id, target)]
    for depth in range(MAX_DEPTH + 1):
        following: list[str] = []
        for repo, claims in level:
            node = Ancestor(repo, claims)
            ancestry.nodes[repo.casefold()] = node
            if claims is None:
                _flag(ancestry, "unresolved_base")
                continue
            node.parents = _parents(claims, overrides, ancestry)
            node.relation = _relation(claims, node.parents)
            following.extend(node.parents)
        wanted = [repo for repo in _unique(following) if repo.casefold() not in ancestry.nodes]
        room = MAX_NODES - len(ancestry.nodes)
        if not wanted:
            break
        if depth == MAX_DEPTH or room < len(wanted):
            _flag(ancestry, "unresolved_base")
            wanted = [] if depth == MAX_DEPTH else wanted[:room]
        found = fetch_all(wanted) if fetch_all is not None else [fetch(repo) for repo in wanted]
        level = list(zip(wanted, found, strict=True))
    if _has_cycle(ancestry):
        _flag(ancestry, "cycle")
    return ancestry


def _parents(claims: RepoClaims, overrides: Overrides, ancestry: Ancestry) -> tuple[str, ...]:
    """From the card, else the Hub's own reckoning, else the header, else the overrides."""
    named = strings_of(claims.card.get("base_model"))
    named = named or tuple(repo for _, repo in claims.base_models)
    if not named and (named := header_parents(claims)):
        _flag(ancestry, "base_from_gguf")
    if not named and (named := overrides.get(claims.id.casefold(), ())):
        _flag(ancestry, "lineage_override")
    repos = [repo_id_of(name) for name in named]
    if None in repos or len(repos) > _MAX_PARENTS:
        _flag(ancestry, "unresolved_base")
    return _unique([repo for repo in repos if repo])[:_MAX_PARENTS]


def header_parents(claims: RepoClaims) -> tuple[str, ...]:
    """The base models that the header of its file names, as ids or addresses."""
    return _of_header_bases(claims, "repo_url")


def header_base_names(claims: RepoClaims) -> tuple[str, ...]:
    """What the header calls its base models; a name decides nothing, it only hints."""
    return _of_header_bases(claims, "name")


def _of_header_bases(claims: RepoClaims, key: str) -> tuple[str, ...]:
    count = claims.gguf.get("general.base_model.count")
    if isinstance(count, bool) or not isinstance(count, int):
        return ()
    values = (
        claims.gguf.get(f"general.base_model.{number}.{key}")
        for number in range(min(count, _MAX_PARENTS))
    )
    return tuple(text for value in values for text in strings_of(value))


def _relation(claims: RepoClaims, parents: tuple[str, ...]) -> str:
    """How a repository was made from its parents."""
    if not parents:
        return BASE
    stated = (
        *strings_of(claims.card.get("base_model_relation")),
        *(r for r, _ in claims.base_models),
    )
    for relation in stated:
        if relation in RELATIONS:
            return relation
    name = claims.id.casefold()
    if claims.gguf or "gguf" in name or any(f.casefold().endswith(".gguf") for f in claims.files):
        return "quantized"
    return "merge" if len(parents) > 1 else "finetune"


def _has_cycle(ancestry: Ancestry) -> bool:
    """Depth-first with three colors; a diamond (two ways to one base) is no cycle."""
    done: set[str] = set()

    def leads_back(key: str, path: frozenset[str]) -> bool:
        if key in path:
            return True
        if key in done or key not in ancestry.nodes:
            return False
        found = any(leads_back(p.casefold(), path | {key}) for p in ancestry.nodes[key].parents)
        done.add(key)
        return found

    return leads_back(ancestry.target.casefold(), frozenset())


def _flag(ancestry: Ancestry, flag: str) -> None:
    if flag not in ancestry.flags:
        ancestry.flags.append(flag)


def _unique(repos: list[str]) -> tuple[str, ...]:
    """Without repetitions; ids of the Hub differ by more than case."""
    first = {repo.casefold(): repo for repo in reversed(repos)}
    return tuple(dict.fromkeys(first[repo.casefold()] for repo in repos))


def read_overrides(path: Path) -> Overrides:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {entry["repo"].casefold(): tuple(entry["base_models"]) for entry in table["override"]}


@cache
def shipped_overrides() -> Overrides:
    return read_overrides(licenses_folder() / "lineage" / "overrides.toml")

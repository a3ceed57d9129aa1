"""Asks the Hub for the repositories of one model: the tree of packagers, files of known ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from openshelf.catalog.entries import Catalog, CatalogModel, Family
from openshelf.errors import GatedModel, NetworkFailure, NotFound, Offline
from openshelf.hub.entries import Repo, SearchHit
from openshelf.hub.names import is_repo_id
from openshelf.hub.variants import list_variants
from openshelf.reasons import Reason
from openshelf.shelf.build_sources import expected_sizes, unopened_builds
from openshelf.shelf.builds import Build
from openshelf.shelf.tree import Tree, agrees, is_model_of, rank_of, tree_of, weights_told
from openshelf.tasks import CancelToken, Progress, Report

RESOLVING = "resolving"
_MOST_OPENED = 4
"""Repositories of the tree, besides the known ones, whose files are asked for."""
_MOST_LISTED = 8
"""Repositories of the tree that are shown without being asked for."""
INFORMATIVE = ("models_more_packagers", "models_other_names")
"""Codes of notes that tell of no failure."""
_SILENT = ("models_hub_offline", "models_hub_network", "models_hub_rate_limited")


class AnswersForModels(Protocol):
    """What is needed of HubClient."""

    def repo(self, repo_id: str, revision: str | None = None) -> Repo: ...
    def quantized(self, base: str) -> tuple[SearchHit, ...]: ...


@dataclass(frozen=True)
class Wanted:
    """What a text names: a row of the catalog, or a repository of its own.

    `base` is the model's own repository, from which packagers' are quantized; empty until known.
    """

    name: str
    repos: tuple[str, ...]
    family: Family | None = None
    model: CatalogModel | None = None
    revision: str | None = None
    base: str = ""

    @classmethod
    def of_model(cls, family: Family, model: CatalogModel, first: str = "") -> Wanted:
        """All known repositories of a model; `first`, where it is one, before the others."""
        others = [repo for repo in model.gguf_repos if repo.casefold() != first.casefold()]
        is_own = first.casefold() in ("", model.hub_repo.casefold())
        repos = (*(() if is_own else (first,)), *others)
        return cls(model.name, repos, family, model, base=model.hub_repo)


@dataclass
class Answers:
    """What the Hub said: repositories, those it was not or could not be asked for, and why."""

    tree: Tree = field(default_factory=Tree)
    repos: list[Repo] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    notes: list[Reason] = field(default_factory=list)

    @property
    def is_silent(self) -> bool:
        return any(note.code in _SILENT for note in self.notes)

    @property
    def has_variants(self) -> bool:
        return any(list_variants(repo.files) for repo in self.repos)


def open_stranger(
    client: AnswersForModels, wanted: Wanted, catalog: Catalog, answers: Answers
) -> Wanted:
    """A repository that is in no catalog, asked for itself; it may be a packager's of a model that
    is. Raises what `HubClient.repo` does."""
    repo = client.repo(wanted.repos[0], wanted.revision)
    answers.repos.append(repo)
    if not answers.has_variants:
        return replace(wanted, base=repo.id)
    base = next((base for relation, base in repo.base_models if relation == "quantized"), "")
    if not is_repo_id(base) or not is_model_of(repo.id, base):
        return wanted
    known = catalog.find_model(base)
    if known is None or not agrees(weights_told(repo), known[1].file_weights):
        return replace(wanted, base=base)
    return Wanted.of_model(*known, repo.id)


def ask(
    client: AnswersForModels,
    wanted: Wanted,
    answers: Answers,
    cancel: CancelToken,
    report: Report,
) -> None:
    """One request for the tree and one per repository, none for those whose commit is known
    already; a Hub that is silent once is not waited for again."""
    report(Progress(0, None, RESOLVING))
    if wanted.base:
        with _noting(answers):
            hits = client.quantized(wanted.base)
            answers.tree = tree_of(hits, wanted.base, _weights_of(wanted, answers))
    repos = _to_open(wanted, answers)
    for done, repo_id in enumerate(repos):
        cancel.raise_if_cancelled()
        report(Progress(done, len(repos), RESOLVING))
        if not answers.is_silent:
            _open(client, repo_id, answers)
        if answers.is_silent:
            answers.unasked.append(repo_id)


def unopened(wanted: Wanted, answers: Answers, known: Sequence[Build]) -> list[Build]:
    """Builds of the packagers in the tree that were not opened, with expected sizes; of the many
    that a popular model has, those that most people take. Notes how many more there are."""
    named = {*wanted.repos, *answers.unasked, *(repo.id for repo in answers.repos)}
    opened = {repo.casefold() for repo in named}
    left = [repo for repo in answers.tree.repos if repo.id.casefold() not in opened]
    expected = expected_sizes(wanted.model, _weights_of(wanted, answers), known)
    if len(left) > _MOST_LISTED:
        count = {"count": len(left) - _MOST_LISTED}
        answers.notes.append(Reason("models_more_packagers", count))
    if answers.tree.left_out:
        count = {"count": answers.tree.left_out}
        answers.notes.append(Reason("models_other_names", count))
    return [
        build
        for repo in left[:_MOST_LISTED]
        for build in unopened_builds(wanted.model, repo, expected)
    ]


def _to_open(wanted: Wanted, answers: Answers) -> list[str]:
    """The known repositories; then, of a model of which not one repository was opened by itself,
    the publisher's and known packagers' that only the tree has."""
    asked = {repo.id.casefold() for repo in answers.repos}
    repos = [repo for repo in wanted.repos if repo.casefold() not in asked]
    if wanted.model is None and answers.has_variants:
        return repos
    named = {repo.casefold() for repo in wanted.repos}
    found = [repo.id for repo in answers.tree.repos if rank_of(repo.id, wanted.base)]
    return [*repos, *[repo for repo in found if repo.casefold() not in named][:_MOST_OPENED]]


def _open(client: AnswersForModels, repo_id: str, answers: Answers) -> None:
    listed = answers.tree.find(repo_id)
    revision = listed.commit if listed is not None else ""
    try:
        with _noting(answers):
            answers.repos.append(client.repo(repo_id, revision or None))
    except (NotFound, GatedModel) as error:
        answers.notes.append(Reason(f"models_repo_{error.code}", {"repo": repo_id}))


@contextlib.contextmanager
def _noting(answers: Answers) -> Iterator[None]:
    """Notes that the Hub could not be asked, and goes on behind the block."""
    try:
        yield
    except (Offline, NetworkFailure) as error:
        answers.notes.append(Reason(f"models_hub_{error.code}"))


def _weights_of(wanted: Wanted, answers: Answers) -> int | None:
    if wanted.model is not None:
        return wanted.model.file_weights
    return next(filter(None, map(weights_told, answers.repos)), None)

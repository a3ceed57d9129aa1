"""What a repository on the Hub says about its license, as the resolver wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from openshelf.errors import GatedModel, NetworkFailure, NotFound, Offline, UnsafeName
from openshelf.hub.entries import Repo
from openshelf.licenses.ancestry import Fetch, Overrides, walk
from openshelf.licenses.claims import LICENSE_FILES, RepoClaims

_MAX_LICENSE_BYTES = 1 << 20
_SIDE_BY_SIDE = 8


class ReadsHub(Protocol):
    """What is needed of HubClient."""

    def repo(self, repo_id: str, revision: str | None = None) -> Repo: ...
    def read_text(self, repo_id: str, commit: str, path: str, max_bytes: int) -> str: ...


@dataclass(frozen=True)
class LineageReader:
    """Reads what a repository and all its ancestors say: a generation of cards at a time, side by
    side, then every LICENSE file at once. At most two requests per repository.

    `check` is called before each request and may raise. A `tolerant` reader takes a Hub that does
    not answer for a repository that cannot be read; else that goes through: a base that could not
    be asked for is not a base that does not exist.
    """

    client: ReadsHub
    overrides: Overrides
    check: Callable[[], None]
    tolerant: bool = False

    def read_repo(self, repo: Repo) -> tuple[RepoClaims, Fetch]:
        """Claims of a repository whose listing is at hand, and the resolver's look-up above it.

        Raises Offline, NetworkFailure and what `check` raises.
        """
        return self._read(_card_of(repo), repo)

    def read_above(self, target: RepoClaims) -> tuple[RepoClaims, Fetch]:
        """The same for something that is no repository, such as a file on disk."""
        return self._read(target, None)

    def _read(self, target: RepoClaims, own: Repo | None) -> tuple[RepoClaims, Fetch]:
        repos: dict[str, Repo] = {}
        if own is not None:
            repos[target.id.casefold()] = own
        # Not a with-block: what still waits in line when something fails is dropped.
        pool = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="lineage")
        try:

            def fetch_all(ids: Sequence[str]) -> list[RepoClaims | None]:
                for id_, found in zip(ids, pool.map(self._listing, ids), strict=True):
                    if found is not None:
                        repos[id_.casefold()] = found
                listed = (repos.get(id_.casefold()) for id_ in ids)
                return [None if repo is None else _card_of(repo) for repo in listed]

            walk(target, lambda _: None, self.overrides, fetch_all)
            read = dict(zip(repos, pool.map(self._with_text, repos.values()), strict=True))
        finally:
            pool.shutdown(cancel_futures=True)
        return read.get(target.id.casefold(), target), lambda id_: read.get(id_.casefold())

    def _listing(self, repo_id: str) -> Repo | None:
        self.check()
        try:
            return self.client.repo(repo_id)
        except (NotFound, GatedModel, UnsafeName):
            return None
        except (Offline, NetworkFailure):
            if self.tolerant:
                return None
            raise

    def _with_text(self, repo: Repo) -> RepoClaims:
        """With the LICENSE file where there is one that may be read."""
        claims, path = _card_of(repo), _license_path(repo)
        if path is None:
            return claims
        self.check()
        try:
            text = self.client.read_text(repo.id, repo.commit, path, _MAX_LICENSE_BYTES)
        except (NotFound, GatedModel, UnsafeName):
            # Files of a gated repository are closed without access; its card is not.
            return claims
        except (Offline, NetworkFailure):
            if self.tolerant:
                return claims
            raise
        return replace(claims, license_text=text, license_path=path)


def _card_of(repo: Repo) -> RepoClaims:
    return RepoClaims(
        id=repo.id,
        commit=repo.commit,
        card=repo.card,
        files=tuple(file.path for file in repo.files),
        gated=repo.gated,
        base_models=repo.base_models,
    )


def _license_path(repo: Repo) -> str | None:
    """The file in the root that holds the license, by the order of LICENSE_FILES."""
    by_name = {
        file.path.casefold(): file.path
        for file in reversed(repo.files)
        if file.size_bytes <= _MAX_LICENSE_BYTES
    }
    return next((by_name[name] for name in LICENSE_FILES if name in by_name), None)

"""What a repository on the Hub says about its license, as the resolver wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from openshelf.errors import GatedModel, NetworkFailure, NotFound, Offline, UnsafeName
from openshelf.hub.entries import Repo
from openshelf.licenses.ancestry import Fetch, Overrides, walk
from openshelf.licenses.claims import (
    LICENSE_FILES,
    NOTICE_FILES,
    NOTICE_TEXT,
    POLICY_FILES,
    USE_POLICY,
    RepoClaims,
    RepoText,
)

_MAX_LICENSE_BYTES = 1 << 20
_SIDE_BY_SIDE = 8
_LICENSE = "license"
_NAMES = {_LICENSE: LICENSE_FILES, USE_POLICY: POLICY_FILES, NOTICE_TEXT: NOTICE_FILES}


class ReadsHub(Protocol):
    """What is needed of HubClient."""

    def repo(self, repo_id: str, revision: str | None = None) -> Repo: ...
    def read_text(self, repo_id: str, commit: str, path: str, max_bytes: int) -> str: ...


@dataclass(frozen=True)
class LineageReader:
    """Reads what a repository and all its ancestors say: a generation of cards at a time, side by
    side, then every LICENSE, use policy and NOTICE at once: one request for each that is there.

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
            wanted = [(repo, *file) for repo in repos.values() for file in _text_files(repo)]
            texts: dict[str, list[RepoText]] = {}
            for (repo, _, _), text in zip(wanted, pool.map(self._text, wanted), strict=True):
                if text is not None:
                    texts.setdefault(repo.id, []).append(text)
            read = {key: _with_texts(repo, texts.get(repo.id, [])) for key, repo in repos.items()}
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

    def _text(self, wanted: tuple[Repo, str, str]) -> RepoText | None:
        """A file of a repository, None where it may not be read."""
        repo, kind, path = wanted
        self.check()
        try:
            text = self.client.read_text(repo.id, repo.commit, path, _MAX_LICENSE_BYTES)
        except (NotFound, GatedModel, UnsafeName):
            # Files of a gated repository are closed without access; its card is not.
            return None
        except (Offline, NetworkFailure):
            if self.tolerant:
                return None
            raise
        return RepoText(kind, path, text)


def _with_texts(repo: Repo, texts: Sequence[RepoText]) -> RepoClaims:
    claims = _card_of(repo)
    license = next((text for text in texts if text.kind == _LICENSE), None)
    if license is not None:
        claims = replace(claims, license_text=license.text, license_path=license.path)
    return replace(claims, other_texts=tuple(t for t in texts if t is not license and t.text))


def _card_of(repo: Repo) -> RepoClaims:
    return RepoClaims(
        id=repo.id,
        commit=repo.commit,
        card=repo.card,
        files=tuple(file.path for file in repo.files),
        gated=repo.gated,
        base_models=repo.base_models,
    )


def _text_files(repo: Repo) -> list[tuple[str, str]]:
    """(kind, path) of the files in the root that hold terms, by the order of their names."""
    by_name = {
        file.path.casefold(): file.path
        for file in reversed(repo.files)
        if file.size_bytes <= _MAX_LICENSE_BYTES
    }
    return [
        (kind, by_name[found[0]])
        for kind, names in _NAMES.items()
        if (found := [name for name in names if name in by_name])
    ]

"""What a repository on the Hub says about its license, as the resolver wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from openshelf.errors import GatedModel, NotFound, UnsafeName
from openshelf.hub.entries import Repo
from openshelf.licenses.claims import LICENSE_FILES, RepoClaims

_MAX_LICENSE_BYTES = 1 << 20


class ReadsHub(Protocol):
    """What is needed of HubClient."""

    def repo(self, repo_id: str, revision: str | None = None) -> Repo: ...
    def read_text(self, repo_id: str, commit: str, path: str, max_bytes: int) -> str: ...


def claims_of(client: ReadsHub, repo: Repo) -> RepoClaims:
    """The claims of a repository whose listing is at hand; reads its LICENSE file where it has
    one (at most one request)."""
    path = _license_path(repo)
    text = None
    if path is not None:
        try:
            text = client.read_text(repo.id, repo.commit, path, _MAX_LICENSE_BYTES)
        except (NotFound, GatedModel, UnsafeName):
            # Files of a gated repository are closed without access; its card is not.
            path = None
    return RepoClaims(
        id=repo.id,
        commit=repo.commit,
        card=repo.card,
        files=tuple(file.path for file in repo.files),
        license_text=text,
        gated=repo.gated,
        base_models=repo.base_models,
        license_path=path or "LICENSE",
    )


def fetch_claims(client: ReadsHub) -> Callable[[str], RepoClaims | None]:
    """The resolver's look-up: None for a repository that is missing or closed.

    Offline and failures of the network go through: a base that could not be asked for is not a
    base that does not exist.
    """

    def fetch(repo_id: str) -> RepoClaims | None:
        try:
            return claims_of(client, client.repo(repo_id))
        except (NotFound, GatedModel, UnsafeName):
            return None

    return fetch


def _license_path(repo: Repo) -> str | None:
    """The file in the root that holds the license, by the order of LICENSE_FILES."""
    by_name = {
        file.path.casefold(): file.path
        for file in reversed(repo.files)
        if file.size_bytes <= _MAX_LICENSE_BYTES
    }
    return next((by_name[name] for name in LICENSE_FILES if name in by_name), None)

"""The Hub's API through huggingface_hub: search, one repository at one commit, small texts, and
where a file's bytes are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from openshelf import __version__
from openshelf.durable import replace_file
from openshelf.errors import NetworkFailure, UnsafeName
from openshelf.hub.answers import hits_of, repo_from_json, repo_of
from openshelf.hub.api import Api
from openshelf.hub.entries import DownloadFile, Repo, SearchHit
from openshelf.hub.library_calls import Route, call_library
from openshelf.hub.names import check_commit, check_path, check_repo_id
from openshelf.hub.newest import ListedRepo, listed_repos
from openshelf.network import EgressLog, NetworkOptions

_MAX_HITS = 100


@dataclass(frozen=True)
class FileLocation:
    """Where a file's bytes are right now; `url` may be signed and is never shown or logged."""

    url: str = dataclasses.field(repr=False)
    size_bytes: int | None = None
    etag: str | None = None
    commit: str | None = None


class HubClient:
    """One Hub with one set of options. Blocking; every call ends in time. Thread-safe.

    All methods raise Offline, NetworkFailure, RateLimited and UsageError (a bad endpoint or CA).
    """

    def __init__(
        self,
        options: NetworkOptions,
        cache_folder: Path | None = None,
        egress: EgressLog | None = None,
    ) -> None:
        self.options = options
        self._cache = cache_folder
        self.egress = egress
        self._route = Route(options, egress)
        self._api = Api(options)

    def close(self) -> None:
        self._route.close()

    def shut(self) -> None:
        """The switch went to offline: calls that run send no further request."""
        self._route.is_shut = True

    def require_open(self, host: str) -> None:
        """Raises Offline."""
        self._route.require_open(host)

    def search(self, text: str, limit: int = 20) -> tuple[SearchHit, ...]:
        """Repositories with GGUF files whose id contains `text`, most downloaded first."""
        return self._list("search", ["gguf"], limit, search=text)

    def quantized(self, base: str, limit: int = _MAX_HITS) -> tuple[SearchHit, ...]:
        """Repositories with GGUF files that say to be quantized from `base` (OWNER/REPO), most
        downloaded first; whether they are is for the reader to judge. One request."""
        check_repo_id(base)
        return self._list("model list", [f"base_model:quantized:{base}", "gguf"], limit)

    def _list(
        self, purpose: str, tags: Sequence[str], limit: int, search: str | None = None
    ) -> tuple[SearchHit, ...]:
        limit = max(1, min(limit, _MAX_HITS))

        def ask() -> tuple[SearchHit, ...]:
            found = self._api.models(
                limit,
                search=search,
                filter=tags,
                sort="downloads",
                expand=[
                    "cardData", "downloads", "gated", "gguf", "lastModified", "likes",
                    "pipeline_tag", "sha", "siblings", "tags",
                ],
            )  # fmt: skip
            return hits_of(found)

        return call_library(self._route, purpose, ask)

    def newest_of(self, account: str, limit: int = _MAX_HITS) -> tuple[ListedRepo, ...]:
        """The repositories with GGUF files of one account, the latest first. One request."""

        def ask() -> tuple[ListedRepo, ...]:
            found = self._api.models(
                limit,
                author=account,
                filter="gguf",
                sort="createdAt",
                expand=["createdAt", "gguf", "tags"],
            )
            return listed_repos(found)

        return call_library(self._route, "new models", ask)

    def repo(self, repo_id: str, revision: str | None = None) -> Repo:
        """One repository with all its files: one request, none where the commit is known already.

        Raises NotFound (also where it is private), GatedModel.
        """
        check_repo_id(repo_id)
        known = self._cached(repo_id, revision)
        if known is not None:
            return known

        def ask() -> Repo:
            return repo_of(self._api.model(repo_id, revision))

        repo = call_library(self._route, "model details", ask, repo=repo_id)
        self._remember(repo_id, repo)
        return repo

    def read_text(
        self,
        repo_id: str,
        commit: str,
        path: str,
        max_bytes: int,
        *,
        purpose: str = "license text",
    ) -> str:
        """The first `max_bytes` of a small file; `purpose` is for the log of what went out.

        Raises NotFound, GatedModel.
        """
        check_repo_id(repo_id)
        check_path(path)

        def ask() -> str:
            from huggingface_hub.utils._http import get_session, hf_raise_for_status

            url = (
                f"{self.options.endpoint}/{repo_id}/resolve/{quote(commit, safe='')}/{quote(path)}"
            )
            answer = get_session().get(url, headers=self._api.headers)
            hf_raise_for_status(answer)
            self._require_text(answer.status_code, answer.headers.get("content-type", ""))
            return answer.content.decode("utf-8", "replace")

        return call_library(self._route, purpose, ask, repo=repo_id, path=path, max_bytes=max_bytes)

    def locate(self, file: DownloadFile) -> FileLocation:
        """Where the bytes of `file` are: a HEAD request, redirects off the Hub not followed.

        Raises NotFound, GatedModel.
        """
        check_path(file.path)

        def ask() -> FileLocation:
            from huggingface_hub.file_download import get_hf_file_metadata

            url = (
                f"{self.options.endpoint}/{check_repo_id(file.repo)}/resolve/"
                f"{check_commit(file.commit)}/{quote(file.path)}"
            )
            found = get_hf_file_metadata(
                url,
                token=self.options.token or False,
                timeout=self.options.read_timeout_seconds,
                library_name="openshelf",
                library_version=__version__,
                endpoint=self.options.endpoint,
            )
            if found.commit_hash is None or found.etag is None:
                raise NetworkFailure(self.options.host, "not_a_hub", "no X-Repo-Commit")
            return FileLocation(found.location, found.size, found.etag, found.commit_hash)

        return call_library(self._route, "download", ask, repo=file.repo, path=file.path)

    def _require_text(self, status: int, content_type: str) -> None:
        """A sign-in page must not be taken for the terms of a license."""
        if status != 200:
            raise NetworkFailure(self.options.host, f"http_{status}")
        if content_type.lower().startswith("text/html"):
            raise NetworkFailure(self.options.host, "not_a_hub", "text/html")

    def _cache_file(self, repo_id: str, commit: str) -> Path | None:
        if self._cache is None:
            return None
        # Another endpoint's commit of the same name is another repository.
        hub = self.options.host.replace(":", "_")
        return self._cache / "hub" / hub / f"{repo_id.replace('/', '--')}@{commit}.json"

    def _cached(self, repo_id: str, revision: str | None) -> Repo | None:
        if revision is None or len(revision) != 40:
            return None
        path = self._cache_file(repo_id, check_commit(revision))
        if path is None:
            return None
        try:
            return repo_from_json(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, UnsafeName):
            return None

    def _remember(self, repo_id: str, repo: Repo) -> None:
        path = self._cache_file(repo_id, repo.commit)
        if path is not None:
            # A cache that cannot be written is no reason to fail.
            with contextlib.suppress(OSError, TypeError, ValueError):
                replace_file(path, json.dumps(dataclasses.asdict(repo)).encode())

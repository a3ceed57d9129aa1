"""Repositories and files as the Hub describes them, freed of the library's own types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RepoFile:
    """`sha256` is the LFS oid; None for small files that live in git itself."""

    path: str
    size_bytes: int
    sha256: str | None


@dataclass(frozen=True)
class Repo:
    """One repository at one commit (40 hex)."""

    id: str
    commit: str
    files: tuple[RepoFile, ...]
    card: Mapping[str, Any] = field(default_factory=dict)
    base_models: tuple[tuple[str, str], ...] = ()
    """(relation, repository) as the Hub works them out."""
    gated: bool = False
    downloads: int | None = None
    last_modified: str | None = None
    gguf: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class SearchHit:
    """A repository as a list of the Hub shows it: `details` has all its files, but their sizes
    are 0, because a list does not tell them; its commit is empty where the Hub left it out."""

    details: Repo
    likes: int | None
    license: str | None

    @property
    def repo(self) -> str:
        return self.details.id

    @property
    def downloads(self) -> int | None:
        return self.details.downloads

    @property
    def gated(self) -> bool:
        return self.details.gated


@dataclass(frozen=True)
class DownloadFile:
    """One file to fetch, pinned; the LFS sha256 is what it must have in the end."""

    repo: str
    commit: str
    path: str
    size_bytes: int
    sha256: str

"""Repositories of the loopback Hub: folders or bytes, with commits made of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

INDEX = "index.json"
LFS_FROM_BYTES = 1_000_000


@cache
def _sha256_of(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class FakeFile:
    """One file: its bytes, or where they lie on disk."""

    path: str
    content: bytes | Path
    stated_sha256: str = ""
    """In place of the real one, for files too large to hash in a test."""

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @property
    def sha256(self) -> str:
        if self.stated_sha256:
            return self.stated_sha256
        if isinstance(self.content, bytes):
            return hashlib.sha256(self.content).hexdigest()
        facts = self.content.stat()
        return _sha256_of(self.content, facts.st_size, facts.st_mtime_ns)

    @property
    def git_oid(self) -> str:
        return hashlib.sha1(f"{self.path}{self.sha256}".encode()).hexdigest()

    @property
    def is_lfs(self) -> bool:
        return self.size > LFS_FROM_BYTES or self.path.lower().endswith(".gguf")

    def read(self, offset: int, count: int) -> bytes:
        if isinstance(self.content, bytes):
            return self.content[offset : offset + count]
        with self.content.open("rb") as file:
            file.seek(offset)
            return file.read(count)


@dataclass
class FakeRepo:
    """One repository. `access` are the tokens that may read it where it is gated or private."""

    id: str
    card: dict[str, Any] = field(default_factory=dict)
    gated: str | bool = False
    private: bool = False
    disabled: bool = False
    access: set[str] = field(default_factory=set)
    downloads: int = 0
    likes: int = 0
    gguf: dict[str, Any] = field(default_factory=dict)
    """What the Hub read in one of the files: total, architecture, context_length."""
    more_tags: list[str] = field(default_factory=list)
    last_modified: str = "2026-11-01T10:00:00.000Z"
    fixed_commit: str | None = None
    """A commit id to use instead of the one that follows from the files."""
    commits: dict[str, dict[str, FakeFile]] = field(default_factory=dict)
    head: str = ""

    def commit(self, files: Iterable[FakeFile]) -> str:
        """A new state of the branch main; old ones stay readable."""
        listing = {file.path: file for file in files}
        text = "".join(f"{path}\0{file.sha256}\n" for path, file in sorted(listing.items()))
        commit = self.fixed_commit or hashlib.sha1(f"{self.id}\n{text}".encode()).hexdigest()
        self.commits[commit] = listing
        self.head = commit
        return commit

    def resolve(self, revision: str) -> str | None:
        if revision in ("main", self.head):
            return self.head
        return revision if revision in self.commits else None

    def tags(self) -> list[str]:
        tags = ["gguf"] if any(path.endswith(".gguf") for path in self.commits[self.head]) else []
        if isinstance(license := self.card.get("license"), str):
            tags.append(f"license:{license}")
        bases = self.card.get("base_model") or []
        relation = self.card.get("base_model_relation", "quantized" if "gguf" in tags else None)
        for base in [bases] if isinstance(bases, str) else bases:
            tags.append(f"base_model:{base}")
            if relation:
                tags.append(f"base_model:{relation}:{base}")
        return [*tags, *self.more_tags]

    def as_json(self, commit: str, *, blobs: bool) -> dict[str, Any]:
        return {
            "_id": "x",
            "id": self.id,
            "modelId": self.id,
            "author": self.id.split("/")[0],
            "sha": commit,
            "lastModified": self.last_modified,
            "createdAt": "2026-10-01T10:00:00.000Z",
            "private": self.private,
            "gated": self.gated,
            "disabled": self.disabled,
            "downloads": self.downloads,
            "likes": self.likes,
            "tags": self.tags(),
            "cardData": self.card,
            **({"gguf": self.gguf} if self.gguf else {}),
            "siblings": [
                sibling(file, blobs=blobs) for _, file in sorted(self.commits[commit].items())
            ],
        }


def sibling(file: FakeFile, *, blobs: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"rfilename": file.path}
    if blobs:
        entry |= {"size": file.size, "blobId": file.git_oid}
        if file.is_lfs:
            entry["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 135}
    return entry


def tree_entry(file: FakeFile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "path": file.path,
        "oid": file.git_oid,
        "size": file.size,
    }
    if file.is_lfs:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 135}
    return entry


def repo_of_folder(folder: Path, repo_id: str) -> FakeRepo:
    """A repository from a folder; `index.json` in it may set the fields of FakeRepo."""
    index = folder / INDEX
    facts: Mapping[str, Any] = json.loads(index.read_text("utf-8")) if index.is_file() else {}
    repo = FakeRepo(repo_id, **{**facts, "access": set(facts.get("access", ()))})
    repo.commit(
        FakeFile(path.relative_to(folder).as_posix(), path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != index
    )
    return repo

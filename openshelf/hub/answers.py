"""What the Hub's JSON says, as our own entries: nothing in it is trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from openshelf.errors import UnsafeName
from openshelf.hub.api import Answer
from openshelf.hub.entries import Repo, RepoFile, SearchHit
from openshelf.hub.names import check_commit, check_repo_id, is_repo_id

_RELATIONS = ("adapter", "merge", "quantized", "finetune")
_MOST_LISTED_FILES = 2000
"""Of one repository in a list; the largest known have some hundred."""
_MOST_BYTES = 1 << 62
"""No file system holds a larger file."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def repo_from_json(data: dict[str, Any]) -> Repo:
    """The inverse of `dataclasses.asdict`. Raises KeyError, TypeError, ValueError, UnsafeName."""
    files = tuple(RepoFile(f["path"], f["size_bytes"], f["sha256"]) for f in data["files"])
    for file in files:
        if not _is_file(file.path, file.size_bytes, file.sha256):
            raise TypeError("file")
    bases = tuple((str(relation), str(repo)) for relation, repo in data["base_models"])
    tags = tuple(str(tag) for tag in data.get("tags", ()))
    if not isinstance(data["card"], dict) or not isinstance(data["gguf"], dict):
        raise TypeError("card")
    check_repo_id(str(data["id"]))
    check_commit(str(data["commit"]))
    return Repo(**{**data, "files": files, "base_models": bases, "tags": tags})


def _is_file(path: object, size: object, sha256: object) -> bool:
    known = sha256 is None or isinstance(sha256, str)
    return isinstance(path, str) and type(size) is int and known


def repo_of(answer: Answer) -> Repo:
    """One repository with its files.

    Raises UnsafeName for an id or a commit that is none, ValueError where there is no commit.
    """
    commit = answer.get("sha")
    if not isinstance(commit, str) or not commit:
        raise ValueError("no commit")
    return _repo(answer, check_commit(commit), tuple(_files(answer)))


def hits_of(found: Iterable[Answer]) -> tuple[SearchHit, ...]:
    """The entries of a list; what cannot be used is left out, and takes no other along."""
    return tuple(_hits(found))


def _hits(found: Iterable[Answer]) -> Iterator[SearchHit]:
    for entry in found:
        if not is_repo_id(str(entry.get("id"))):
            continue
        try:
            yield _hit(entry)
        except (ValueError, TypeError, RecursionError):
            continue


def _hit(answer: Answer) -> SearchHit:
    try:
        commit = check_commit(str(answer.get("sha") or ""))
    except UnsafeName:
        commit = ""
    paths = [sibling.get("rfilename") for sibling in _siblings(answer)[:_MOST_LISTED_FILES]]
    files = tuple(RepoFile(path, 0, None) for path in paths if isinstance(path, str))
    licenses = [tag.removeprefix("license:") for tag in _tags(answer) if tag.startswith("license:")]
    repo = _repo(answer, commit, files)
    return SearchHit(repo, _count(answer.get("likes")), licenses[0] if licenses else None)


def _repo(answer: Answer, commit: str, files: tuple[RepoFile, ...]) -> Repo:
    stated = answer.get("cardData")
    card = {k: v for k, v in stated.items() if v is not None} if isinstance(stated, dict) else {}
    if isinstance(task := answer.get("pipeline_tag"), str) and task:
        card.setdefault("pipeline_tag", task)
    gguf = answer.get("gguf")
    return Repo(
        id=check_repo_id(str(answer.get("id"))),
        commit=commit,
        files=files,
        card=json.loads(json.dumps(card, default=str)),
        base_models=_base_models(answer),
        gated=bool(answer.get("gated")),
        downloads=_count(answer.get("downloads")),
        last_modified=_time(answer.get("lastModified")),
        gguf=gguf if isinstance(gguf, dict) else {},
        tags=tuple(_tags(answer)),
    )


def _siblings(answer: Answer) -> list[dict[str, Any]]:
    found = answer.get("siblings")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _files(answer: Answer) -> Iterator[RepoFile]:
    """Those with a name and a size; a hash that is none is no hash."""
    for sibling in _siblings(answer):
        path, stated = sibling.get("rfilename"), sibling.get("lfs")
        lfs = stated if isinstance(stated, dict) else {}
        size = lfs.get("size") if lfs else sibling.get("size")
        if isinstance(path, str) and type(size) is int and 0 <= size < _MOST_BYTES:
            sha256 = str(lfs.get("sha256")).lower()
            yield RepoFile(path, size, sha256 if _SHA256.fullmatch(sha256) else None)


def _base_models(answer: Answer) -> tuple[tuple[str, str], ...]:
    """From the field of that name, else from the tags `base_model:RELATION:OWNER/NAME`."""
    stated = answer.get("baseModels")
    if isinstance(stated, dict) and isinstance(stated.get("models"), list):
        relation = str(stated.get("relation") or "")
        models = [entry for entry in stated["models"] if isinstance(entry, dict)]
        return tuple((relation, str(entry["id"])) for entry in models if "id" in entry)
    found = []
    for tag in _tags(answer):
        words = tag.split(":")
        if len(words) == 3 and words[0] == "base_model" and words[1] in _RELATIONS:
            found.append((words[1], words[2]))
    return tuple(dict.fromkeys(found))


def _tags(answer: Answer) -> list[str]:
    tags = answer.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST_BYTES else None


def _time(value: object) -> str | None:
    """A time in ISO 8601, None for anything else."""
    try:
        return datetime.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None

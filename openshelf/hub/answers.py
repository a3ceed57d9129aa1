"""What the library's objects say, as our own entries: nothing in them is trusted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from openshelf.errors import UnsafeName
from openshelf.hub.entries import Repo, RepoFile, SearchHit
from openshelf.hub.names import check_commit, check_repo_id, is_repo_id

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

_RELATIONS = ("adapter", "merge", "quantized", "finetune")
_MOST_LISTED_FILES = 2000
"""Of one repository in a list; the largest known have some hundred."""


def repo_from_json(data: dict[str, Any]) -> Repo:
    """The inverse of `dataclasses.asdict`. Raises KeyError, TypeError, ValueError."""
    files = tuple(RepoFile(f["path"], f["size_bytes"], f["sha256"]) for f in data["files"])
    bases = tuple((str(relation), str(repo)) for relation, repo in data["base_models"])
    tags = tuple(str(tag) for tag in data.get("tags", ()))
    return Repo(**{**data, "files": files, "base_models": bases, "tags": tags})


def repo_of(info: ModelInfo) -> Repo:
    """One repository with its files. Raises UnsafeName for an id or a commit that is none."""
    return _repo(info, check_commit(info.sha or ""), tuple(_files(info)))


def hits_of(found: Iterable[ModelInfo]) -> tuple[SearchHit, ...]:
    """The entries of a list; those whose names cannot be used are left out."""
    return tuple(_hit(info) for info in found if is_repo_id(info.id))


def _hit(info: ModelInfo) -> SearchHit:
    try:
        commit = check_commit(info.sha or "")
    except UnsafeName:
        commit = ""
    siblings: Any = info.siblings or ()
    paths = [sibling.rfilename for sibling in siblings[:_MOST_LISTED_FILES]]
    files = tuple(RepoFile(path, 0, None) for path in paths if isinstance(path, str))
    licenses = [tag.removeprefix("license:") for tag in _tags(info) if tag.startswith("license:")]
    return SearchHit(_repo(info, commit, files), info.likes, licenses[0] if licenses else None)


def _repo(info: ModelInfo, commit: str, files: tuple[RepoFile, ...]) -> Repo:
    card_data: Any = info.card_data
    card = dict(card_data.to_dict()) if card_data is not None else {}
    if info.pipeline_tag:
        card.setdefault("pipeline_tag", info.pipeline_tag)
    return Repo(
        id=check_repo_id(info.id),
        commit=commit,
        files=files,
        card=json.loads(json.dumps(card, default=str)),
        base_models=_base_models(info),
        gated=bool(info.gated),
        downloads=info.downloads,
        last_modified=info.last_modified.isoformat() if info.last_modified else None,
        gguf=info.gguf if isinstance(info.gguf, dict) else {},
        tags=tuple(_tags(info)),
    )


def _files(info: ModelInfo) -> Iterable[RepoFile]:
    for sibling in info.siblings or ():
        path: Any = sibling.rfilename
        size: Any = sibling.lfs.size if sibling.lfs else sibling.size
        if isinstance(path, str) and isinstance(size, int) and size >= 0:
            sha256 = str(sibling.lfs.sha256).lower() if sibling.lfs else None
            yield RepoFile(path, size, sha256)


def _base_models(info: ModelInfo) -> tuple[tuple[str, str], ...]:
    """From the field of that name, else from the tags `base_model:RELATION:OWNER/NAME`."""
    stated: Any = info.base_models
    if isinstance(stated, dict) and isinstance(stated.get("models"), list):
        relation = str(stated.get("relation") or "")
        models = [entry for entry in stated["models"] if isinstance(entry, dict)]
        return tuple((relation, str(entry["id"])) for entry in models if "id" in entry)
    found = []
    for tag in _tags(info):
        words = tag.split(":")
        if len(words) == 3 and words[0] == "base_model" and words[1] in _RELATIONS:
            found.append((words[1], words[2]))
    return tuple(dict.fromkeys(found))


def _tags(info: ModelInfo) -> list[str]:
    tags: Any = info.tags
    return [str(tag) for tag in tags] if isinstance(tags, list) else []

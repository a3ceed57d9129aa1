"""What one account put on the Hub most recently: a list of repositories, not looked into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from openshelf.hub.api import Answer
from openshelf.hub.names import is_repo_id

_QUANTIZED = "base_model:quantized:"


@dataclass(frozen=True)
class ListedRepo:
    """A repository with GGUF files. `base` is what it says to be quantized from; `architecture` is
    what the Hub read in the header; `created` is a day (ISO). None where the Hub does not tell."""

    repo: str
    base: str | None
    architecture: str | None
    created: str | None


def listed_repos(found: Iterable[Answer]) -> tuple[ListedRepo, ...]:
    """Those with a usable name; everything else is what strangers wrote and may be missing."""
    return tuple(_listed(entry) for entry in found if is_repo_id(str(entry.get("id"))))


def _listed(answer: Answer) -> ListedRepo:
    tags, gguf, created = answer.get("tags"), answer.get("gguf"), answer.get("createdAt")
    stated = [str(tag) for tag in tags] if isinstance(tags, list) else []
    bases = [tag.removeprefix(_QUANTIZED) for tag in stated if tag.startswith(_QUANTIZED)]
    bases = [base for base in bases if is_repo_id(base)]
    architecture = gguf.get("architecture") if isinstance(gguf, dict) else None
    return ListedRepo(
        repo=str(answer["id"]),
        base=bases[0] if bases else None,
        architecture=architecture if isinstance(architecture, str) and architecture else None,
        created=_day(created),
    )


def _day(value: object) -> str | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if found is None else found.date().isoformat()
    except ValueError:
        return None

"""What one account put on the Hub most recently: a list of repositories, not looked into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openshelf.hub.names import is_repo_id

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

_QUANTIZED = "base_model:quantized:"


@dataclass(frozen=True)
class ListedRepo:
    """A repository with GGUF files. `base` is what it says to be quantized from; `architecture` is
    what the Hub read in the header; `created` is a day (ISO). None where the Hub does not tell."""

    repo: str
    base: str | None
    architecture: str | None
    created: str | None


def listed_repos(found: Iterable[ModelInfo]) -> tuple[ListedRepo, ...]:
    """Those with a usable name; everything else is what strangers wrote and may be missing."""
    return tuple(_listed(info) for info in found if is_repo_id(info.id))


def _listed(info: ModelInfo) -> ListedRepo:
    tags: Any = info.tags
    stated = [str(tag) for tag in tags] if isinstance(tags, list) else []
    bases = [tag.removeprefix(_QUANTIZED) for tag in stated if tag.startswith(_QUANTIZED)]
    bases = [base for base in bases if is_repo_id(base)]
    gguf: Any = info.gguf
    architecture = gguf.get("architecture") if isinstance(gguf, dict) else None
    return ListedRepo(
        repo=info.id,
        base=bases[0] if bases else None,
        architecture=architecture if isinstance(architecture, str) and architecture else None,
        created=info.created_at.date().isoformat() if info.created_at else None,
    )

"""Model cards: the README of a repository at one commit, kept by repository and commit."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.durable import replace_file
from openshelf.errors import NetworkFailure, NotFound, Offline
from openshelf.hub.client import HubClient
from openshelf.hub.entries import Repo, RepoFile
from openshelf.hub.names import check_commit, check_repo_id
from openshelf.licenses.claims import printable, strings_of
from openshelf.tasks import CancelToken

MOST_BYTES = 1 << 20
"""Of a README; the rest of a longer one is left out."""
MOST_KEPT = 200
_FORMAT = 1
_MOST_FACTS = 24
_MOST_VALUES = 12
_LONGEST_VALUE = 240
_HEAD = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n")
_HEAD_END = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$", re.MULTILINE)
_FIRST = (
    "license", "license_name", "license_link", "base_model", "base_model_relation", "language",
    "pipeline_tag", "library_name", "datasets", "quantized_by", "tags",
)  # fmt: skip


@dataclass(frozen=True)
class ModelCard:
    """`text` is Markdown from a stranger without its YAML head; `facts` are that head's fields.

    `total_bytes` is the README's size, of which at most MOST_BYTES were read (`is_cut`). `page` is
    the repository's address. `is_kept` means that the Hub could not be asked and this is what was
    read before, maybe of an older commit.
    """

    repo: str
    commit: str
    text: str
    facts: tuple[tuple[str, str], ...]
    total_bytes: int
    is_cut: bool
    page: str
    is_kept: bool = False


@dataclass(frozen=True)
class Cards:
    """Reads cards with the client of the options in force; `folder` is where they are kept."""

    client: Callable[[], HubClient]
    folder: Path | None = None

    def card(self, repo_id: str, commit: str, cancel: CancelToken) -> ModelCard:
        """The card at `commit`, or where main stands ("" for `commit`).

        Without a network what was read before. Raises NotFound (no such repository, or it has no
        card), GatedModel, UnsafeName; and Offline, NetworkFailure, RateLimited where nothing is
        kept.
        """
        client = self.client()
        check_repo_id(repo_id)
        known = self._read(self._place(client, repo_id, check_commit(commit))) if commit else None
        if known is not None:
            return known
        try:
            repo = client.repo(repo_id, commit or None)
            known = self._read(self._place(client, repo.id, repo.commit))
            if known is not None:
                return known
            cancel.raise_if_cancelled()
            card = _fetch(client, repo)
        except (Offline, NetworkFailure):
            kept = self._newest(client, repo_id)
            if kept is None:
                raise
            return dataclasses.replace(kept, is_kept=True)
        self._keep(self._place(client, card.repo, card.commit), card)
        return card

    def _place(self, client: HubClient, repo_id: str, commit: str) -> Path | None:
        if self.folder is None:
            return None
        return self.folder / f"{_prefix(client, repo_id)}@{commit}.json"

    def _read(self, path: Path | None) -> ModelCard | None:
        """None where it was not kept, or is of no use."""
        if path is None:
            return None
        try:
            data = json.loads(path.read_bytes())
            if data.pop("format") != _FORMAT:
                return None
            facts = tuple((str(name), str(value)) for name, value in data["facts"])
            return ModelCard(**{**data, "facts": facts})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def _newest(self, client: HubClient, repo_id: str) -> ModelCard | None:
        if self.folder is None:
            return None
        start = f"{_prefix(client, repo_id)}@"
        kept = [path for path in self.folder.glob("*.json") if path.name.startswith(start)]
        cards = (self._read(path) for path in _newest_first(kept))
        return next((card for card in cards if card is not None), None)

    def _keep(self, path: Path | None, card: ModelCard) -> None:
        if path is None:
            return
        data = {"format": _FORMAT, **dataclasses.asdict(card)}
        # A cache that cannot be written is no reason to fail.
        with contextlib.suppress(OSError):
            replace_file(path, json.dumps(data).encode())
            for old in _newest_first(path.parent.glob("*.json"))[MOST_KEPT:]:
                old.unlink(missing_ok=True)


def _prefix(client: HubClient, repo_id: str) -> str:
    # Another endpoint's repository of the same name is another repository. Names are compared as
    # the Hub does, whatever the case.
    host = client.options.host.replace(":", "_")
    return f"{host}--{repo_id.casefold().replace('/', '--')}"


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _fetch(client: HubClient, repo: Repo) -> ModelCard:
    file = _readme(repo)
    if file is None:
        raise NotFound("card", repo.id)
    text = client.read_text(repo.id, repo.commit, file.path, MOST_BYTES, purpose="model card")
    return ModelCard(
        repo=repo.id,
        commit=repo.commit,
        text=without_head(text),
        facts=card_facts(repo.card),
        total_bytes=max(file.size_bytes, len(text)),
        is_cut=file.size_bytes > MOST_BYTES or len(text.encode()) >= MOST_BYTES,
        page=f"{client.options.endpoint}/{repo.id}",
    )


def _readme(repo: Repo) -> RepoFile | None:
    return next((file for file in repo.files if file.path.casefold() == "readme.md"), None)


def without_head(text: str) -> str:
    """A README without the YAML between its first two lines of dashes, where it has some."""
    head = _HEAD.match(text)
    end = _HEAD_END.search(text, head.end()) if head else None
    return text[end.end() :].lstrip("\r\n") if end else text


def card_facts(card: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The plain fields of a card's head as words, what is asked for most first; tables are left
    out. Names and values are short and without control marks."""
    names = [
        *(name for name in _FIRST if name in card),
        *sorted(card.keys() - set(_FIRST), key=str),
    ]
    facts = []
    for name in names:
        values = strings_of(card[name])
        if values:
            shown = ", ".join(values[:_MOST_VALUES])[:_LONGEST_VALUE]
            more = len(values) > _MOST_VALUES or len(shown) == _LONGEST_VALUE
            facts.append((printable(str(name)), f"{shown} …" if more else shown))
    return tuple(facts[:_MOST_FACTS])

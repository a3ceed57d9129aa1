"""Finds what is recommended for an installed model: in its file, and at the Hub when asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from openshelf.chat.advice import (
    MOST_CONFIG_BYTES,
    Advice,
    AdviceSource,
    advice_from_header,
    repositories,
    values_from_config,
)
from openshelf.database import Database
from openshelf.errors import GatedModel, NotFound
from openshelf.gguf.header import Header, read_header
from openshelf.library.installed import InstalledModel
from openshelf.tasks import CancelToken

CONFIG_FILE = "generation_config.json"

ReadConfig = Callable[[str, str], str]
"""(repository, file) → its text at the newest commit; raises as hub/client.py does."""


class FindsModels(Protocol):
    def find(self, model_id: str) -> InstalledModel: ...


class AdvisesLike(Protocol):
    """What the window and the command line use of Advisor."""

    def advice(self, model_id: str) -> Advice:
        """What is known here. Raises NotFound, CorruptModel."""
        ...

    def ask_publisher(self, model_id: str, cancel: CancelToken) -> Advice:
        """Look at the Hub, and keep what is found. Raises NotFound (nobody recommends anything),
        Offline, NetworkFailure, RateLimited."""
        ...


class Advisor:
    """See AdvisesLike. What the Hub said is kept with the conversations."""

    def __init__(self, library: FindsModels, read_config: ReadConfig, database: Database) -> None:
        self._library = library
        self._read_config = read_config
        self._database = database
        self._headers: dict[str, Header] = {}

    def advice(self, model_id: str) -> Advice:
        model = self._library.find(model_id)
        advice = advice_from_header(self._header(model).metadata)
        advice = replace(advice, can_see=model.projector is not None)
        rows = self._database.read("SELECT body FROM recommendations WHERE model_id = ?", model.id)
        if not rows:
            return advice
        kept = json.loads(rows[0][0])
        return advice.with_values(
            values_from_config(kept["config"]), AdviceSource.HUB, str(kept["repo"])
        )

    def ask_publisher(self, model_id: str, cancel: CancelToken) -> Advice:
        model = self._library.find(model_id)
        for repo in repositories(model.repo, self._header(model).metadata):
            cancel.raise_if_cancelled()
            try:
                text = self._read_config(repo, CONFIG_FILE)[:MOST_CONFIG_BYTES]
            except (NotFound, GatedModel):
                continue
            if values_from_config(text):
                self._keep(model.id, repo, text)
                return self.advice(model.id)
        raise NotFound("recommendation", model.name)

    def _keep(self, model_id: str, repo: str, text: str) -> None:
        body = json.dumps({"repo": repo, "config": text})
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO recommendations (model_id, body) VALUES (?, ?)",
                (model_id, body),
            )

    def _header(self, model: InstalledModel) -> Header:
        sha256 = model.first_file.sha256
        if sha256 not in self._headers:
            self._headers = {sha256: read_header(Path(model.first_file.location))}
        return self._headers[sha256]

"""Settings and prompts with a name, kept in the file of the conversations."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import Protocol

from openshelf.chat.titles import one_line, storable
from openshelf.database import Database
from openshelf.engine.asking import Sampling
from openshelf.engine.wire import ProtocolError, plain_fields, read_dataclass
from openshelf.errors import BadWords, NotFound

MOST_NAME = 80
MOST_PROMPT = 100_000


class PresetKind(enum.StrEnum):
    SAMPLING = "sampling"
    PROMPT = "prompt"


@dataclass(frozen=True)
class Preset:
    """A system prompt, or how answers are drawn; names are unique within a kind."""

    kind: PresetKind
    name: str
    prompt: str = ""
    sampling: Sampling | None = None


class PresetsLike(Protocol):
    """What the window and the command line use of PresetStore."""

    def all(self) -> tuple[Preset, ...]:
        """By name."""
        ...

    def find(self, kind: PresetKind, name: str) -> Preset:
        """Whatever the case of the name. Raises NotFound."""
        ...

    def keep(self, preset: Preset) -> Preset:
        """Under its name, in place of one that has it. Raises UsageError without a name."""
        ...

    def delete(self, kind: PresetKind, name: str) -> None:
        """Raises NotFound."""
        ...


class PresetStore:
    """See PresetsLike."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Preset, ...]:
        rows = self._database.read("SELECT kind, name, body FROM presets ORDER BY name, kind")
        found = (_preset(*row) for row in rows)
        return tuple(preset for preset in found if preset is not None)

    def find(self, kind: PresetKind, name: str) -> Preset:
        wanted = one_line(name).casefold()
        for preset in self.all():
            if preset.kind is kind and preset.name.casefold() == wanted:
                return preset
        raise NotFound("preset", name)

    def keep(self, preset: Preset) -> Preset:
        name = one_line(preset.name)[:MOST_NAME].strip()
        if not name:
            raise BadWords(why="preset_name")
        prompt = storable(preset.prompt)[:MOST_PROMPT]
        kept = Preset(preset.kind, name, prompt, preset.sampling)
        if preset.kind is PresetKind.SAMPLING:
            body = sampling_as_json(preset.sampling or Sampling())
        else:
            body = json.dumps(prompt)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO presets (kind, name, body) VALUES (?, ?, ?)",
                (preset.kind, name, body),
            )
        return kept

    def delete(self, kind: PresetKind, name: str) -> None:
        with self._database.writing() as connection:
            gone = connection.execute(
                "DELETE FROM presets WHERE kind = ? AND name = ?", (kind, name)
            )
            if not gone.rowcount:
                raise NotFound("preset", name)


def _preset(kind: str, name: str, body: str) -> Preset | None:
    """None for what a later version may have kept."""
    if kind == PresetKind.PROMPT:
        return Preset(PresetKind.PROMPT, name, prompt=str(json.loads(body)))
    sampling = sampling_from_json(body) if kind == PresetKind.SAMPLING else None
    return None if sampling is None else Preset(PresetKind.SAMPLING, name, sampling=sampling)


def sampling_as_json(sampling: Sampling) -> str:
    return json.dumps(plain_fields(sampling))


def sampling_from_json(text: str | None) -> Sampling | None:
    """None where there is none, or where it is none of this version."""
    if text is None:
        return None
    try:
        sampling: Sampling = read_dataclass(Sampling, json.loads(text))
    except (ProtocolError, ValueError):
        return None
    return sampling

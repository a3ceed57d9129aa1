"""What a model's publisher recommends for its answers, and what can be told to its template.

Read from the model's own file (`general.sampling.*`), and on demand from `generation_config.json`
at the Hub. What neither names is ours, and said to be.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openshelf.engine.asking import Sampling

# Ours → the key in a GGUF file, the key at the Hub, least, most.
_VALUES: dict[str, tuple[str, str, float, float]] = {
    "temperature": ("temp", "temperature", 0, 5),
    "top_p": ("top_p", "top_p", 0.01, 1),
    "top_k": ("top_k", "top_k", 0, 100_000),
    "min_p": ("min_p", "min_p", 0, 1),
    "repeat_penalty": ("penalty_repeat", "repetition_penalty", 0.5, 2),
}
_WHOLE = {"top_k"}
_FILE_KEY = "general.sampling."
_TEMPLATE_KEY = "tokenizer.chat_template"
_EFFORTS = ("low", "medium", "high")
_OPENS, _CLOSES = re.compile(r"\{[%{]"), re.compile(r"[%}]\}")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_BASE = re.compile(r"^https://huggingface\.co/([\w.-]{1,96}/[\w.-]{1,96})/?$")
MOST_CONFIG_BYTES = 64 << 10


class AdviceSource(enum.StrEnum):
    """Where the recommended values come from; NONE: the publisher names none that is known here."""

    NONE = "none"
    FILE = "file"
    HUB = "hub"


@dataclass(frozen=True)
class Advice:
    """`names` are the fields of `sampling` that the publisher names, the others are ours; `repo`
    is whose generation_config.json they come from. The rest is what the template can be told."""

    sampling: Sampling = field(default_factory=Sampling)
    source: AdviceSource = AdviceSource.NONE
    names: tuple[str, ...] = ()
    repo: str = ""
    can_switch_thinking: bool = False
    efforts: tuple[str, ...] = ()
    takes_tools: bool = False
    can_see: bool = False
    """It came with a projector for pictures."""

    def with_values(self, found: Mapping[str, float], source: AdviceSource, repo: str) -> Advice:
        """The same with what else the publisher names; the later word counts."""
        if not found:
            return self
        names = tuple(name for name in _VALUES if name in found or name in self.names)
        sampling = replace(self.sampling, **{n: _as_field(n, v) for n, v in found.items()})
        return replace(self, sampling=sampling, source=source, names=names, repo=repo)


def _as_field(name: str, value: float) -> Any:
    return round(value) if name in _WHOLE else value


def advice_from_header(metadata: Mapping[str, Any]) -> Advice:
    """What a model's file says. Values out of bounds are no recommendation."""
    found = {}
    for name, (key, _, least, most) in _VALUES.items():
        value = _number(metadata.get(_FILE_KEY + key), least, most)
        if value is not None:
            found[name] = value
    words = _names_in(str(metadata.get(_TEMPLATE_KEY) or ""))
    advice = Advice(
        can_switch_thinking=bool(words & {"enable_thinking", "thinking"}),
        efforts=_EFFORTS if "reasoning_effort" in words else (),
        takes_tools="tools" in words,
    )
    return advice.with_values(found, AdviceSource.FILE, "")


def _names_in(template: str) -> set[str]:
    """Plain names inside of the template's tags; it is only searched here, never run."""
    words: set[str] = set()
    for tag in _tags_in(template):
        words.update(re.findall(r"(?<![\w.])[a-z_]\w*", _QUOTED.sub("", tag)))
    return words


def _tags_in(template: str) -> Iterator[str]:
    """Where one does not end, no later one does: one pattern for both would look each time."""
    at = 0
    while (start := _OPENS.search(template, at)) and (end := _CLOSES.search(template, start.end())):
        yield template[start.end() : end.start()]
        at = end.end()


def values_from_config(text: str) -> dict[str, float]:
    """The fields of Sampling in a generation_config.json; {} where it is of no use, or says that
    nothing is drawn (`do_sample: false`, a plain default of the library that wrote it)."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict) or document.get("do_sample") is not True:
        return {}
    found = {}
    for name, (_, key, least, most) in _VALUES.items():
        value = _number(document.get(key), least, most)
        if value is not None:
            found[name] = value
    return found


def _number(value: object, least: float, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not least <= value <= most:  # NaN is not, and an integer of any length can be compared
        return None
    # Files hold 32 bits: 0.949999988 was written as 0.95.
    return round(float(value), 4)


def repositories(repo: str, metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a generation_config.json may be: the repository itself, then what it was made from."""
    found = [repo]
    for number in range(4):
        address = str(metadata.get(f"general.base_model.{number}.repo_url") or "")
        if (match := _BASE.match(address)) and match[1] not in found:
            found.append(match[1])
    return tuple(found)

"""Machines for "what if": whole ones, graphics cards in a usual PC, and Macs."""

from __future__ import annotations

import difflib
import re
import tomllib
from functools import cache
from pathlib import Path

from openshelf import paths
from openshelf.errors import CorruptCatalog, NotFound, UsageError
from openshelf.hardware.cards import MOST_CARDS, CardProfile, load_cards
from openshelf.hardware.facts import Machine
from openshelf.hardware.machine_json import machine_from_json as machine_from_json
from openshelf.hardware.machine_json import machine_from_toml
from openshelf.hardware.macs import load_chips

_EMPTY_WORDS = frozenset(
    ("nvidia", "geforce", "amd", "radeon", "instinct", "intel", "apple", "gpu", "graphics",
     "generation")
)  # fmt: skip
_COUNT = re.compile(r"^(\d+)\s*[x×]\s*")
_RAM = re.compile(r"\s*\+\s*(\d+)\s*(?:gb|gib)?(?:\s+ram)?$")
_MEMORY = re.compile(r"\s+\d+ gb\b.*$")
_MOST_RAM_GIB = 8192
_MOST_CANDIDATES = 12
_FEW = 5
"""So many are named where nothing comes near."""


@cache
def load_profiles(file: Path | None = None) -> tuple[Machine, ...]:
    """The shipped machines: whole ones, then each card with its usual RAM, then the Macs.

    With a file, only those in it. Raises CorruptCatalog.
    """
    whole = _whole_machines(file or paths.resources() / "hardware" / "machines.toml")
    if file is not None:
        return whole
    others = [card.machine() for card in load_cards()]
    others += [chip.machine(size) for chip in load_chips() for size in chip.ram_gib]
    named = {machine.name for machine in whole}
    return whole + tuple(machine for machine in others if machine.name not in named)


def _whole_machines(file: Path) -> tuple[Machine, ...]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        return tuple(machine_from_toml(row) for row in data["machines"])
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        raise CorruptCatalog(path=file.name, detail=str(error)) from error


def find_machine(name: str) -> Machine:
    """The machine called `name`: a profile, or a card as in `2× RTX 3090 + 128 GB`.

    An equal name comes first, then the only one that holds the words. Raises NotFound with those
    that come near.
    """
    wanted = plain_name(name)
    known = {plain_name(machine.name): machine for machine in load_profiles()}
    if wanted in known:
        return known[wanted]
    card_words, ram_gib, count = _parts(wanted)
    cards = _named_cards(card_words)
    if len(cards) == 1 and count and ram_gib != 0:
        machine = cards[0].machine(ram_gib, count)
        return known.get(plain_name(machine.name), machine)
    matches = [machine.name for key, machine in known.items() if wanted and wanted in key]
    if len(matches) == 1:
        return known[plain_name(matches[0])]
    raise NotFound("machine", name, _candidates(wanted, card_words, matches))


def plain_name(name: str) -> str:
    """The name as it is compared: small letters, no maker, `8GB` as `8 gb`."""
    text = re.sub(r"(\d)\s*(gb|gib)\b", r"\1 gb", name.casefold())
    words = re.sub(r"\b(rtx|gtx|rx|arc)(?=\d)", r"\1 ", text).split()
    return " ".join([word for word in words if word not in _EMPTY_WORDS] or words)


def _parts(wanted: str) -> tuple[str, int | None, int]:
    """(the card, its RAM in GiB or None, how many); 0 stands for a number that cannot be."""
    ram, times = _RAM.search(wanted), _COUNT.match(wanted)
    ram_gib = int(ram[1]) if ram and len(ram[1]) < 6 else (0 if ram else None)
    count = int(times[1]) if times and len(times[1]) < 3 else (0 if times else 1)
    card = wanted[times.end() if times else 0 : ram.start() if ram else None]
    if ram_gib is not None and not 4 <= ram_gib <= _MOST_RAM_GIB:
        ram_gib = 0
    return card.strip(), ram_gib, count if 1 <= count <= MOST_CARDS else 0


def _named_cards(words: str) -> list[CardProfile]:
    """The card of exactly this name, or every one that holds the words."""
    if not words:
        return []
    named = [(card, plain_name(card.name), plain_name(card.title)) for card in load_cards()]
    exact = [card for card, name, title in named if words in (name, title)]
    return exact or [card for card, _, title in named if words in title]


def _candidates(wanted: str, card_words: str, matches: list[str]) -> tuple[str, ...]:
    if not matches and wanted:
        matches = [card.machine().name for card in _named_cards(card_words)]
    if not matches:
        keys: dict[str, str] = {}
        for machine in load_profiles():
            name = plain_name(machine.name)
            keys.setdefault(_MEMORY.sub("", name), machine.name)  # as most people write it
            keys[name] = machine.name
        near = difflib.get_close_matches(wanted, keys, n=_MOST_CANDIDATES, cutoff=0.7)
        matches = list(dict.fromkeys(keys[key] for key in near))
    first = [machine.name for machine in load_profiles()[:_FEW]]
    return tuple((matches or first)[:_MOST_CANDIDATES])

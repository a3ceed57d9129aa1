"""Words at which an answer stops, as one line that a person writes: `END | \\n\\n | a\\|b`."""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "|"
_PIECE = re.compile(r"\\.|[^\\]|\\$", re.DOTALL)
_MEANT = {r"\n": "\n", r"\t": "\t", r"\|": MARK, r"\\": "\\", r"\s": " "}
_WRITTEN = {meant: written for written, meant in _MEANT.items() if meant != " "}


def stops_in(line: str) -> tuple[str, ...]:
    """Parted by `|`, without the spaces around each. What cannot be written as it is: `\\n`,
    `\\t`, `\\s` (a space), `\\|` and `\\\\`."""
    stops: list[list[str]] = [[]]
    for piece in _PIECE.findall(line):
        if piece == MARK:
            stops.append([])
        else:
            stops[-1].append(piece)
    found = ("".join(_MEANT.get(piece, piece) for piece in _bare(stop)) for stop in stops)
    return tuple(stop for stop in found if stop)


def _bare(pieces: list[str]) -> list[str]:
    """Without the spaces at both ends that nobody escaped."""
    start, end = 0, len(pieces)
    while start < end and pieces[start] == " ":
        start += 1
    while end > start and pieces[end - 1] == " ":
        end -= 1
    return pieces[start:end]


def line_of(stops: Iterable[str]) -> str:
    return f" {MARK} ".join(_written(stop) for stop in stops)


def _written(stop: str) -> str:
    inner = stop.strip(" ")
    before = len(stop) - len(stop.lstrip(" "))
    after = len(stop) - before - len(inner)
    middle = "".join(_WRITTEN.get(letter, letter) for letter in inner)
    return r"\s" * before + middle + r"\s" * (after if inner else 0)

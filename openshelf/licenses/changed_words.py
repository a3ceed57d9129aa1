"""Which words of a passage are not the same before and after."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby

OpCode = tuple[str, int, int, int, int]
_TOKEN = re.compile(r"\s+|[^\W_]+(?:[.,'’-][^\W_]+)*|.", re.DOTALL)
_MOST_TOKENS = 4000
"""Of both sides together: a longer passage counts as another one, word for word."""
_LEAST_ALIKE = 0.5
"""Share of the shorter side's words in common below which two passages are two texts and not one
that changed."""
OLD_MARKS, NEW_MARKS = ("[-", "-]"), ("{+", "+}")
"""Around changed words where there are no colors; as `git diff --word-diff` has them."""


@dataclass(frozen=True)
class Piece:
    """A run of text; `is_changed` where the other side has it not or has something else."""

    text: str
    is_changed: bool


@dataclass(frozen=True)
class MarkedWords:
    """Both sides of a passage in pieces; their texts joined are the sides as they were given."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]

    @property
    def removed(self) -> tuple[str, ...]:
        return _changed(self.before)

    @property
    def added(self) -> tuple[str, ...]:
        return _changed(self.after)


def mark_words(before: str, after: str) -> MarkedWords:
    """Compare two sides of a passage word by word. White space alone is no change."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    if not old or not new or len(old) + len(new) > _MOST_TOKENS:
        return _all_changed(before, after)
    matcher = SequenceMatcher(None, *_numbered(old, new), autojunk=False)
    codes = matcher.get_opcodes()
    if _alike(old, new, codes) < _LEAST_ALIKE:
        return _all_changed(before, after)
    is_old, is_new = [False] * len(old), [False] * len(new)
    for tag, a, b, c, d in codes:
        if tag != "equal":
            is_old[a:b] = [True] * (b - a)
            is_new[c:d] = [True] * (d - c)
    return MarkedWords(_pieces(old, is_old), _pieces(new, is_new))


def written(pieces: Iterable[Piece], marks: tuple[str, str]) -> str:
    """The text with `marks` around what changed."""
    first, last = marks
    return "".join(f"{first}{p.text}{last}" if p.is_changed else p.text for p in pieces)


def marked_diff(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a unified diff, with the changed words marked where one took another's place."""
    for sign, group in groupby(enumerate(lines), key=lambda entry: _sign(*entry)):
        block = [line for _, line in group]
        if sign != "±":
            yield from block
            continue
        old = [line[1:] for line in block if line.startswith("-")]
        new = [line[1:] for line in block if line.startswith("+")]
        if not old or not new:
            yield from block
            continue
        both = mark_words("\n".join(old), "\n".join(new))
        if _is_all(both.before) and _is_all(both.after):
            yield from block
            continue
        yield from _signed("-", both.before, OLD_MARKS)
        yield from _signed("+", both.after, NEW_MARKS)


def _sign(number: int, line: str) -> str:
    """The two heads of a unified diff are no lines of the texts."""
    return "±" if line[:1] in ("-", "+") and number > 1 else " "


def _signed(sign: str, pieces: Iterable[Piece], marks: tuple[str, str]) -> Iterator[str]:
    """One line after the other; of a line that is all new its sign says enough."""
    for line in _lines(pieces):
        text = "".join(piece.text for piece in line)
        yield sign + (text if _is_all(line) else written(line, marks))


def _lines(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Marks end with their line and begin again on the next one."""
    line: list[Piece] = []
    for piece in pieces:
        for number, part in enumerate(piece.text.split("\n")):
            if number:
                yield line
                line = []
            if part:
                line.append(replace(piece, text=part))
    yield line


def _numbered(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """Any white space is like any other: a line that is broken elsewhere did not change."""
    return ([" " if t.isspace() else t for t in old], [" " if t.isspace() else t for t in new])


def _alike(old: Sequence[str], new: Sequence[str], codes: Iterable[OpCode]) -> float:
    """Share of the shorter side's words (signs and spaces left out) that the other has too."""
    same = sum(_is_word(token) for tag, a, b, _, _ in codes if tag == "equal" for token in old[a:b])
    words = min(sum(map(_is_word, old)), sum(map(_is_word, new)))
    return same / words if words else 1.0


def _is_word(token: str) -> bool:
    return token[0].isalnum()


def _pieces(tokens: Sequence[str], changed: list[bool]) -> tuple[Piece, ...]:
    for at, token in enumerate(tokens):  # a space belongs to a change only between changed words
        if token.isspace():
            changed[at] = 0 < at < len(tokens) - 1 and changed[at - 1] and changed[at + 1]
    runs = groupby(zip(tokens, changed, strict=True), key=lambda pair: pair[1])
    return tuple(Piece("".join(token for token, _ in run), is_on) for is_on, run in runs)


def _all_changed(before: str, after: str) -> MarkedWords:
    def whole(text: str) -> tuple[Piece, ...]:
        return (Piece(text, is_changed=True),) if text else ()

    return MarkedWords(whole(before), whole(after))


def _is_all(pieces: Sequence[Piece]) -> bool:
    return all(piece.is_changed for piece in pieces)


def _changed(pieces: Iterable[Piece]) -> tuple[str, ...]:
    return tuple(p.text.strip() for p in pieces if p.is_changed and p.text.strip())

"""Finds formulas in Markdown, and puts one character of private use in the place of each. Qt-free.

`$…$`, `$$…$$`, `\\(…\\)` and `\\[…\\]`; not inside of code, and amounts of money are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_FORMULAS = 400
"""In one block of text; what follows stays text."""
MOST_CHARACTERS = 2_000
_FIRST_MARK = 0xF500
_SIGN = re.compile(r"[$`\\]")
_WORD = re.compile(r"[^\W\d_]{3,}")
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})?")
_TEX_SIGNS = frozenset("\\^_={}+<>|/*")


@dataclass(frozen=True)
class FormulaMark:
    """`source` is as it was written, with its delimiters; `is_open` where its end is missing."""

    tex: str
    source: str
    is_display: bool
    is_open: bool = False


@dataclass(frozen=True)
class MarkedText:
    """`text` with marks; what each stands for."""

    text: str
    formulas: dict[str, FormulaMark]


class _Finder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._parts: list[str] = []
        self._formulas: dict[str, FormulaMark] = {}
        self._places: dict[str, int] = {}
        self._free = (c for n in range(0x400) if (c := chr(_FIRST_MARK + n)) not in text)

    def find(self) -> MarkedText:
        text, at, copied = self._text, 0, 0
        while (at := self._next_sign(at)) >= 0 and len(self._formulas) < MOST_FORMULAS:
            if text[at] == "`":
                at = self._behind_code(at)
                continue
            found = self._formula(at)
            mark = next(self._free, None) if found is not None else None
            if found is None or mark is None:
                # A backslash takes the sign behind it along.
                at += 2 if text[at] == "\\" or text.startswith("$$", at) else 1
                continue
            self._parts += [text[copied:at], mark]
            self._formulas[mark] = found
            at = copied = at + len(found.source)
        self._parts.append(text[copied:])
        return MarkedText("".join(self._parts), self._formulas)

    def _next_sign(self, at: int) -> int:
        found = _SIGN.search(self._text, at)
        return found.start() if found is not None else -1

    def _behind_code(self, at: int) -> int:
        end = at
        while self._text.startswith("`", end):
            end += 1
        ticks = self._text[at:end]
        close = self._find(ticks, end)
        return end if close < 0 else close + len(ticks)

    def _find(self, sign: str, at: int) -> int:
        """As str.find, for places that only grow: what was found further on, or nowhere, is not
        looked for again, so that a hundred thousand openings take one look."""
        place = self._places.get(sign, 0)
        if 0 <= place < at or sign not in self._places:
            place = self._places[sign] = self._text.find(sign, at)
        return place

    def _formula(self, at: int) -> FormulaMark | None:
        text = self._text
        for opening, closing in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)")):
            if text.startswith(opening, at):
                is_display = opening != "\\("
                return self._delimited(at, opening, closing, is_display=is_display)
        if text[at] == "$":
            return self._between_dollars(at)
        return None

    def _delimited(
        self, at: int, opening: str, closing: str, *, is_display: bool
    ) -> FormulaMark | None:
        text = self._text
        start = at + len(opening)
        end = self._find(closing, start)
        if end < 0:
            is_open = is_display and 2 < len(text) - at < MOST_CHARACTERS
            return FormulaMark("", text[at:], is_display, is_open=True) if is_open else None
        tex = text[start : min(end, start + MOST_CHARACTERS + 1)]
        if not tex.strip() or len(tex) > MOST_CHARACTERS:
            return None
        return FormulaMark(tex.strip(), text[at : end + len(closing)], is_display)

    def _between_dollars(self, at: int) -> FormulaMark | None:
        """As Pandoc has it: no space inside of the dollars, no digit behind the second one."""
        text = self._text
        if text[at + 1 : at + 2].isspace():
            return None
        end = self._find("$", at + 1)
        while 0 < end <= at + MOST_CHARACTERS and text[end - 1] == "\\":
            end = text.find("$", end + 1)
        if end > at + 1 + MOST_CHARACTERS:
            return None
        tex = text[at + 1 : end] if end > 0 else ""
        if not tex or tex[-1].isspace() or text[end + 1 : end + 2].isdigit():
            return None
        if not _looks_like_tex(tex):
            return None
        return FormulaMark(tex, text[at : end + 1], is_display=False)


def _looks_like_tex(tex: str) -> bool:
    """Words between two dollars are words: `$HOME and $PATH`, `from $5 a day to 9$`."""
    if tex.count("\n") > 1:
        return False
    return not _WORD.search(_COMMAND.sub("", tex)) or bool(
        _TEX_SIGNS.intersection(tex) - {"_", "/"}
    )


def mark_formulas(text: str) -> MarkedText:
    """`text` with a mark for each formula; where there is none it stays as it is."""
    if "$" not in text and "\\(" not in text and "\\[" not in text:
        return MarkedText(text, {})
    return _Finder(text).find()

"""Titles that are made here, without asking any model, and text as it can be stored."""

from __future__ import annotations

TITLE_CHARACTERS = 48
_GIVEN_CHARACTERS = 200
_LOOKED_AT = 4_000
"""Characters of a text that may be a whole book."""


def storable(text: str) -> str:
    """`text` without lone surrogates, which neither SQLite nor the wire can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def one_line(text: str) -> str:
    """Printable, on one line, single spaces."""
    return storable(" ".join("".join(c if c.isprintable() else " " for c in text).split()))


def title_from(question: str) -> str:
    """The question's first line, cut at a word."""
    begun = question.lstrip()[:_LOOKED_AT].splitlines()
    words = one_line(begun[0] if begun else "")
    if len(words) <= TITLE_CHARACTERS:
        return words
    cut = words[: TITLE_CHARACTERS - 1]
    at = cut.rfind(" ")
    return f"{cut[:at] if at > TITLE_CHARACTERS // 2 else cut}…"


def given_title(text: str) -> str:
    """What a person called it, as a title; empty where it says nothing."""
    return one_line(text.lstrip()[:_LOOKED_AT])[:_GIVEN_CHARACTERS].strip()

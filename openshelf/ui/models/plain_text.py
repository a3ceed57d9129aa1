"""Texts of strangers as they can be shown: nothing hidden, nothing that turns the reading."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator

_LONGEST_LINE = 2000
"""A longer one takes a text view seconds to lay out."""
_MOST = 1 << 20


def readable(text: str) -> str:
    """`text` with a mark in place of each control or direction character; endless lines broken."""
    shown = "".join(mark if _is_shown(mark) else "\ufffd" for mark in text[:_MOST])
    lines = (piece for line in shown.split("\n") for piece in _pieces(line))
    return "\n".join(lines) + (" …" if len(text) > _MOST else "")


def plain_tooltip(text: str) -> str:
    """Qt takes what looks like HTML for HTML in a tooltip, whoever wrote it, and reads the files
    that it names."""
    if "<" not in text and "&" not in text:
        return text
    return "<qt>" + html.escape(text).replace("\n", "<br>") + "</qt>"


def _is_shown(mark: str) -> bool:
    if mark in "\n\t\r\f":
        return True
    category = unicodedata.category(mark)
    return category[0] != "C" and category not in ("Zl", "Zp")


def _pieces(line: str) -> Iterator[str]:
    for at in range(0, len(line) or 1, _LONGEST_LINE):
        yield line[at : at + _LONGEST_LINE]

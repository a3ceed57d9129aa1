"""Colors for code blocks, by kind of word, a stretch at a time as they are written.

The text itself stays as it is. A stretch ends where a line without indentation follows an empty
one, outside of strings and comments: what is colored stays so, whatever comes behind it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QTextCharFormat, QTextDocument, QTextLayout

from openshelf.ui.theme import color
from openshelf.ui.widgets.lexers import LEXERS

if TYPE_CHECKING:
    from pygments.token import _TokenType  # type: ignore[import-untyped]

    from openshelf.ui.widgets.markdown_document import CodeSection

LEAST_STRETCH = 300
"""Characters; less is not looked at while more is coming."""
MOST_STRETCH = 4_000
"""Without a good place to end by then, a stretch ends with the last whole line."""
LONGEST_LINE = 2_000
"""Where a line is longer, nothing more is colored: no person reads it, and it would be felt."""

_PLACE_TO_END = re.compile(r"\n\n+(?=[^\s)}\]])")
_TOKENS = (
    ("Comment", "faint"),
    ("Keyword", "compute_buffer"),
    ("Literal.String", "good"),
    ("Literal.Number", "kv_cache"),
    ("Name.Function", "accent"),
    ("Name.Class", "accent"),
    ("Name.Decorator", "warning"),
    ("Name.Tag", "compute_buffer"),
    ("Name.Attribute", "kv_cache"),
)
_GOES_ON = ("Literal.String", "Comment.Multiline")


def _tint(kind: _TokenType) -> str | None:
    name = ".".join(kind)
    return next((tint for prefix, tint in _TOKENS if name.startswith(prefix)), None)


class CodeColors:
    """Lays colors over the lines of one block. Nothing happens where its language is unknown."""

    def __init__(self, document: QTextDocument, section: CodeSection) -> None:
        self._document, self.section = document, section
        self._colored, self._line = 0, section.first_block
        self._looked_at = 0
        self.is_over = not section.language

    def go_on(self, *, to_the_end: bool) -> bool:
        """Color one stretch that has become final since; False where there was none, or where its
        language is still being prepared. `is_over` says that nothing will come."""
        lexer = None if self.is_over else LEXERS.get(self.section.language)
        if lexer is LEXERS.NOT_YET:
            return False
        if lexer is None:
            self.is_over = True
            return False
        waiting = len(self.section.text) - self._colored
        if not to_the_end and waiting <= MOST_STRETCH:
            if len(self.section.text) - self._looked_at < LEAST_STRETCH:
                return False
            self._looked_at = len(self.section.text)
        return self._color_next(lexer, to_the_end=to_the_end)

    def _color_next(self, lexer: Any, *, to_the_end: bool) -> bool:
        ahead = self.section.text[self._colored : self._colored + MOST_STRETCH]
        is_last = to_the_end and self._colored + len(ahead) == len(self.section.text)
        stretch, tokens = (ahead, None) if is_last else _final_part(lexer, ahead)
        if not is_last and not stretch:
            # Nothing yet; or, in so many characters, no line has come to its end.
            self.is_over = len(ahead) == MOST_STRETCH
            return False
        if max(map(len, stretch.split("\n"))) > LONGEST_LINE:
            self.is_over = True
            return False
        self._lay(tokens if tokens is not None else list(lexer.get_tokens(stretch)), stretch)
        self.is_over = is_last
        return True

    def _lay(self, tokens: list[tuple[_TokenType, str]], stretch: str) -> None:
        first = block = self._document.findBlockByNumber(self._line)
        ranges: list[QTextLayout.FormatRange] = []
        column = 0
        for kind, value in tokens:
            tint = _tint(kind)
            for index, piece in enumerate(value.split("\n")):
                if index:
                    block.layout().setFormats(ranges)
                    block, ranges, column = block.next(), [], 0
                length = len(piece.encode("utf-16-le")) // 2
                if tint is not None and length:
                    ranges.append(_range(column, length, tint))
                column += length
        if ranges:
            block.layout().setFormats(ranges)
        size = block.position() + column - first.position()
        self._document.markContentsDirty(first.position(), size)
        self._colored += len(stretch)
        self._line += stretch.count("\n")


def _final_part(lexer: Any, ahead: str) -> tuple[str, list[tuple[_TokenType, str]] | None]:
    """What of `ahead` can be colored without what comes behind it, with its tokens if known."""
    ends = [found.end() for found in _PLACE_TO_END.finditer(ahead)]
    for end in reversed(ends[-2:]):
        tokens = list(lexer.get_tokens(ahead[:end]))
        if not _goes_on(tokens):
            return ahead[:end], tokens
    return ahead[: ahead.rfind("\n") + 1] if len(ahead) == MOST_STRETCH else "", None


def _goes_on(tokens: list[tuple[_TokenType, str]]) -> bool:
    """The text ends inside of a string or a comment."""
    return bool(tokens) and ".".join(tokens[-1][0]).startswith(_GOES_ON)


def _range(start: int, length: int, tint: str) -> QTextLayout.FormatRange:
    style = QTextCharFormat()
    style.setForeground(color(tint))
    result = QTextLayout.FormatRange()
    result.start, result.length, result.format = start, length, style
    return result

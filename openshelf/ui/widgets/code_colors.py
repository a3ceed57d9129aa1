"""Colors for finished code blocks, by kind of word; the text itself stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QTextCharFormat, QTextDocument, QTextLayout

from openshelf.ui.theme import color

if TYPE_CHECKING:
    from pygments.token import _TokenType  # type: ignore[import-untyped]

    from openshelf.ui.widgets.markdown_document import CodeSection

MAX_CHARACTERS = 20_000
"""Longer blocks stay plain: coloring them would be felt."""

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


def _tint(kind: _TokenType) -> str | None:
    name = ".".join(kind)
    return next((tint for prefix, tint in _TOKENS if name.startswith(prefix)), None)


def color_code(document: QTextDocument, section: CodeSection) -> None:
    """Lay colors over the blocks of `section` where its language is a known one."""
    if not section.language or len(section.text) > MAX_CHARACTERS:
        return
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        lexer = get_lexer_by_name(section.language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return
    block = document.findBlockByNumber(section.first_block)
    ranges: list[QTextLayout.FormatRange] = []
    column = 0
    for kind, value in lexer.get_tokens(section.text):
        tint = _tint(kind)
        for index, piece in enumerate(value.split("\n")):
            if index:
                block.layout().setFormats(ranges)
                block, ranges, column = block.next(), [], 0
            length = len(piece.encode("utf-16-le")) // 2
            if tint is not None and length:
                ranges.append(_range(column, length, tint))
            column += length
    block.layout().setFormats(ranges)
    first = document.findBlockByNumber(section.first_block).position()
    document.markContentsDirty(first, len(section.text))


def _range(start: int, length: int, tint: str) -> QTextLayout.FormatRange:
    style = QTextCharFormat()
    style.setForeground(color(tint))
    result = QTextLayout.FormatRange()
    result.start, result.length, result.format = start, length, style
    return result

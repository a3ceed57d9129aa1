"""What can be added to a paragraph in the making without reading its Markdown anew. Qt-free.

Words that follow words mean nothing else in Markdown, whatever stands before them; everything that
might is left to the parser. A block is parsed as a whole once it is finished in any case.
"""

from __future__ import annotations

import re

from openshelf.ui.widgets.markdown_blocks import BlockKind, MarkdownBlock

_PLAIN_WORDS = re.compile(r"(?:[^\W_]|[,;.?()'’\"“”%–—]| (?! ))*")
_ENDS_PLAINLY = re.compile(r" (?:[^\W_]|[,;.?()'’\"“”%–—])+ ?\Z")
_BEGINS_A_LINE = re.compile(r" {0,3}\S")
_LEAST_WORDS = 3
_OPENERS = frozenset("|$\\")
"""A table takes any line as a row; a formula is what stands up to its end."""


def plain_tail(shown: MarkdownBlock, wanted: MarkdownBlock) -> str | None:
    """The words by which the paragraph `wanted` goes on from `shown`; None where it must be parsed.

    Spaces at the end of `shown` are taken as not shown, those at the end of `wanted` left out.
    """
    if shown.kind is not BlockKind.PROSE or wanted.kind is not BlockKind.PROSE:
        return None
    before, after = shown.text.rstrip(" "), wanted.text.rstrip(" ")
    if not wanted.text.startswith(shown.text) or _OPENERS.intersection(before):
        return None
    line = shown.text[shown.text.rfind("\n") + 1 :]
    words = len(line[:200].split())
    if words < _LEAST_WORDS or not _BEGINS_A_LINE.match(line):
        return None
    if _ENDS_PLAINLY.search(line[-80:]) is None or len(shown.text) - len(before) > 1:
        return None
    tail = after[len(before) :]
    return tail if _PLAIN_WORDS.fullmatch(tail) else None

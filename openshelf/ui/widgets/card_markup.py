"""Model cards are half HTML: what can be said in Markdown is, and the rest of the tags goes.

What comes out is as untrusted as what went in, and is still parsed without HTML. Qt-free; each
character is looked at a bounded number of times, whatever the card.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import quote

from openshelf.ui.widgets.markdown_blocks import BlockKind, MarkdownBlock

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "center",
        "code",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "font",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "iframe",
        "img",
        "kbd",
        "li",
        "link",
        "main",
        "meta",
        "nav",
        "ol",
        "p",
        "picture",
        "pre",
        "samp",
        "script",
        "section",
        "small",
        "source",
        "span",
        "strong",
        "style",
        "sub",
        "summary",
        "sup",
        "svg",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "video",
        "audio",
    ]
)
"""What is not among them stays as text: `<s>` and `<think>` are words of models."""
_TOKEN = re.compile(r"<!--|-->|<(/?)([A-Za-z][A-Za-z0-9]*)(?=[\s/>])([^<>]{0,4000})>")
_ATTRIBUTE = re.compile(r"""\b(href|alt)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.I)
_TICKS = re.compile(r"`+")
_COMMENT_END = "-->"
_UNREADABLE = ("script", "style", "svg", "iframe")
"""What stands between these tags is not for reading."""
_APART = (
    "p", "div", "center", "details", "summary", "section", "table", "ul", "ol", "figure", "pre",
)  # fmt: skip
_LONGEST_ADDRESS = 2_000
_TURNERS = frozenset(
    chr(code)
    for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
)
"""Marks that turn the direction of what follows, or that nobody sees."""


def without_tricks(text: str) -> str:
    """`text` without control marks, marks that turn the direction, and invisible letters."""
    return "".join(mark for mark in text if not _is_trick(mark))


def _is_trick(mark: str) -> bool:
    if mark.isascii():
        return mark not in "\n\t" and not mark.isprintable()
    is_invisible = mark in _TURNERS or 0xE0000 <= ord(mark) <= 0xE0FFF
    return is_invisible or unicodedata.category(mark) in ("Cc", "Cs", "Co")


class HtmlReducer:
    """Turns the tags of one card into Markdown, block by block; comments may span blocks."""

    def __init__(self) -> None:
        self._until = ""
        """What ends the part that is being left out: `-->`, or the name of a tag."""

    def reduce(self, block: MarkdownBlock) -> MarkdownBlock:
        if block.kind is BlockKind.CODE:
            return MarkdownBlock(BlockKind.PROSE, "") if self._until else block
        is_table = block.text.lstrip().startswith("|")
        text = "\n".join(_unindented(line) for line in block.text.split("\n"))
        links: list[str] = []
        parts: list[str] = []
        for part, is_code in _by_code(text):
            if not is_code:
                parts.extend(self._of_prose(part, links, is_table=is_table))
            elif not self._until:
                parts.append(part)
        parts.extend(_link_end(address) for address in reversed(links))
        reduced = re.sub(r"\n[ \t]*\n[\s]*\n", "\n\n", "".join(parts)).strip("\n")
        return MarkdownBlock(BlockKind.PROSE, reduced)

    def _of_prose(self, text: str, links: list[str], *, is_table: bool) -> Iterator[str]:
        at = 0
        for token in _TOKEN.finditer(text):
            name = (token[2] or "").lower()
            if self._until:
                is_end = token[0] == _COMMENT_END if not name else bool(token[1])
                if is_end and self._until in (token[0], name):
                    self._until = ""
                at = token.end()
                continue
            if name and name not in _TAGS:
                continue
            yield text[at : token.start()]
            at = token.end()
            if not name:
                self._until = _COMMENT_END if token[0] != _COMMENT_END else ""
            elif name in _UNREADABLE:
                self._until = "" if token[1] or token[3].endswith("/") else name
            else:
                said = _said(name, token[1] == "/", token[3], links)
                yield said.replace("\n", " ") if is_table else said
        if not self._until:
            yield text[at:]


def _said(name: str, is_end: bool, attributes: str, links: list[str]) -> str:  # noqa: FBT001
    """A tag in Markdown, as far as there is a way."""
    if name == "a":
        return _link(is_end, attributes, links)
    if name == "img":
        alt = re.sub(r"[\[\]()<>`!\n]", " ", _attribute(attributes, "alt"))[:200].strip()
        return f"![{alt or 'picture'}](picture)"
    if name == "br":
        return "  \n"
    if name == "hr":
        return "\n\n---\n\n"
    if name == "li":
        return "" if is_end else "\n- "
    if name in ("td", "th"):
        return " · " if is_end else ""
    if name == "tr":
        return "  \n" if is_end else ""
    if name[0] == "h" and name[1:].isdigit():
        return "\n\n" if is_end else f"\n\n{'#' * int(name[1:])} "
    return "\n\n" if name in _APART else ""


def _link(is_end: bool, attributes: str, links: list[str]) -> str:  # noqa: FBT001
    if is_end:
        return _link_end(links.pop()) if links else ""
    address = _attribute(attributes, "href")[:_LONGEST_ADDRESS]
    if not address or links:
        return ""
    links.append(address)
    return "["


def _link_end(address: str) -> str:
    # Only the marks that would end the address are written otherwise.
    return f"](<{quote(address, safe=_ADDRESS_MARKS)}>)"


_ADDRESS_MARKS = "%/:=&?~#+!$,;'@()*[]"


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found[1].lower() == name:
            return found[2] or found[3] or found[4] or ""
    return ""


def _unindented(line: str) -> str:
    """Indented HTML is no code block."""
    bare = line.lstrip()
    return bare if bare.startswith("<") and _TOKEN.match(bare) else line


def _by_code(text: str) -> Iterator[tuple[str, bool]]:
    """The text in stretches, with whether each is code between backticks."""
    runs = [(found.start(), found.end()) for found in _TICKS.finditer(text)]
    following: dict[int, int] = {}
    closers: list[int | None] = [None] * len(runs)
    for index in reversed(range(len(runs))):
        size = runs[index][1] - runs[index][0]
        closers[index] = following.get(size)
        following[size] = index
    at = index = 0
    while index < len(runs):
        closer = closers[index]
        if closer is None:
            index += 1
            continue
        start, end = runs[index][0], runs[closer][1]
        yield text[at:start], False
        yield text[start:end], True
        at, index = end, closer + 1
    yield text[at:], False

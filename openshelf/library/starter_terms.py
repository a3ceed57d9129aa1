"""The license text that comes in a starter's package, as a page of the licensor's site: its words
without the page around them.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from typing_extensions import override


def words_of_page(page: str, css_class: str) -> str:
    """The text in the first element of that class, one empty line between paragraphs; "" without
    such an element. Nothing of the markup stays, and scripts and styles are no words."""
    reader = _Words(css_class)
    reader.feed(page)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.found).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Words(HTMLParser):
    """Counts the depth below the element, by its own tag name only: what else a page forgets to
    close is none of our concern."""

    def __init__(self, css_class: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._css_class = css_class
        self._tag = ""
        self._depth = 0
        self._silent = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._depth:
            self._depth += tag == self._tag
            if tag in ("script", "style"):
                self._silent = tag
        elif not self._tag and self._css_class in (dict(attrs).get("class") or "").split():
            self._tag, self._depth = tag, 1

    @override
    def handle_endtag(self, tag: str) -> None:
        self._depth -= bool(self._depth) and tag == self._tag
        if tag == self._silent:
            self._silent = ""

    @override
    def handle_data(self, data: str) -> None:
        if self._depth and not self._silent:
            self.found.append(data)

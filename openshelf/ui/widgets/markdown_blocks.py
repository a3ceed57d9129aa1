"""Splits Markdown that is still being written into blocks that are finished and one that is open.

What is finished is decided by the text alone and never by how it arrived, so an answer that was
streamed looks exactly like the same answer opened later. Qt-free.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

MAX_PROSE_CHARACTERS = 4_000
"""A longer block is closed at a line or a space, so that drawing it again stays cheap."""
MAX_TABLE_CHARACTERS = 12_000

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})[ \t]*([^`]*)$")
_LIST_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,24}")


class BlockKind(enum.Enum):
    PROSE = "prose"
    CODE = "code"


@dataclass(frozen=True)
class MarkdownBlock:
    """A stretch of Markdown, or the text of one fenced code block without its fences."""

    kind: BlockKind
    text: str
    language: str = ""


@dataclass(frozen=True)
class _Fence:
    mark: str
    indent: int
    language: str

    def closes_with(self, line: str) -> bool:
        stripped = line.strip()
        return (
            len(stripped) >= len(self.mark)
            and stripped[0] == self.mark[0]
            and not stripped.strip(self.mark[0])
        )


def _dedent(line: str, count: int) -> str:
    leading = len(line) - len(line.lstrip(" "))
    return line[min(leading, count) :]


class BlockSplitter:
    """`feed` returns the blocks that became finished; `open_block` is what may still change."""

    def __init__(self) -> None:
        self._partial = ""
        self._lines: list[str] = []
        self._size = 0
        self._fence: _Fence | None = None
        self._blank_seen = False
        self._indent = 0

    @property
    def open_block(self) -> MarkdownBlock | None:
        if self._fence is not None:
            lines = self._lines
            # A fence on its way to be closed is not flashed up as code.
            if self._partial and not self._fence.mark.startswith(self._partial.strip()):
                lines = [*lines, _dedent(self._partial, self._fence.indent)]
            return MarkdownBlock(BlockKind.CODE, "\n".join(lines), self._fence.language)
        lines = [*self._lines, self._partial] if self._partial else self._lines
        text = "\n".join(lines)
        return MarkdownBlock(BlockKind.PROSE, text) if text.strip() else None

    def feed(self, text: str) -> list[MarkdownBlock]:
        finished: list[MarkdownBlock] = []
        lines = (self._partial + text.replace("\r", "").replace("\0", "")).split("\n")
        self._partial = lines.pop()
        for line in lines:
            while self._is_too_long(line):
                line = self._close_early(line, finished)
            self._take(line, finished)
        while self._is_too_long(self._partial):
            self._partial = self._close_early(self._partial, finished)
        return finished

    def finish(self) -> list[MarkdownBlock]:
        """Everything that was open; the splitter starts over."""
        finished: list[MarkdownBlock] = []
        if self._partial:
            self._take(self._partial, finished)
        if self._fence is not None:
            self._close_fence(finished)
        self._close_prose(finished)
        self._partial, self._indent = "", 0
        return finished

    def _is_too_long(self, line: str) -> bool:
        return self._fence is None and len(line) > MAX_PROSE_CHARACTERS

    def _close_early(self, line: str, finished: list[MarkdownBlock]) -> str:
        self._close_prose(finished)
        cut = line.rfind(" ", 1, MAX_PROSE_CHARACTERS) + 1 or MAX_PROSE_CHARACTERS
        finished.append(MarkdownBlock(BlockKind.PROSE, line[:cut].rstrip()))
        return line[cut:]

    def _take(self, line: str, finished: list[MarkdownBlock]) -> None:
        if self._fence is not None:
            if self._fence.closes_with(line):
                self._close_fence(finished)
            else:
                self._lines.append(_dedent(line, self._fence.indent))
            return
        opening = _FENCE.match(line)
        if opening is not None and (len(opening[1]) <= 3 or self._is_list()):
            self._close_prose(finished)
            language = _LANGUAGE.match(opening[3])
            self._fence = _Fence(opening[2], len(opening[1]), language[0] if language else "")
        elif not line.strip():
            self._take_blank(finished)
        else:
            self._take_text(line, finished)

    def _take_blank(self, finished: list[MarkdownBlock]) -> None:
        if self._is_list():
            self._blank_seen = True
            self._add("")
        else:
            self._close_prose(finished)

    def _take_text(self, line: str, finished: list[MarkdownBlock]) -> None:
        belongs = bool(_LIST_ITEM.match(line)) or line.startswith(("  ", "\t"))
        limit = MAX_TABLE_CHARACTERS if line.lstrip().startswith("|") else MAX_PROSE_CHARACTERS
        if (self._blank_seen and not belongs) or self._size + len(line) > limit:
            self._close_prose(finished)
        if not self._lines and self._indent:
            # What follows a code block inside of a list item keeps that item's indentation.
            line = _dedent(line, self._indent)
        self._add(line)

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line) + 1

    def _is_list(self) -> bool:
        return bool(self._lines) and bool(_LIST_ITEM.match(self._lines[0]))

    def _close_prose(self, finished: list[MarkdownBlock]) -> None:
        text = "\n".join(self._lines).rstrip("\n")
        if text.strip():
            finished.append(MarkdownBlock(BlockKind.PROSE, text))
            self._indent = 0
        self._lines, self._size, self._blank_seen = [], 0, False

    def _close_fence(self, finished: list[MarkdownBlock]) -> None:
        assert self._fence is not None  # noqa: S101
        text = "\n".join(self._lines)
        finished.append(MarkdownBlock(BlockKind.CODE, text, self._fence.language))
        self._indent = self._fence.indent
        self._lines, self._fence = [], None


def split_blocks(text: str) -> list[MarkdownBlock]:
    """All blocks of a finished text."""
    splitter = BlockSplitter()
    return splitter.feed(text) + splitter.finish()

"""One message as a QTextDocument: finished blocks stay, only the open one is written again.

Markdown from a model is hostile: it is parsed without HTML into a scratch document, and only text,
emphasis, links, lists and tables are copied over. Images become their alternative text, and no
resource is ever loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QUrl
from PySide6.QtGui import QTextBlockFormat, QTextCharFormat, QTextCursor, QTextDocument
from typing_extensions import override

from openshelf.ui.widgets.code_colors import CodeColors
from openshelf.ui.widgets.formula_marks import mark_formulas
from openshelf.ui.widgets.formula_object import (
    FORMULA_OBJECT,
    OBJECT_CHARACTER,
    FormulaObject,
    drawn_format,
    source_of,
)
from openshelf.ui.widgets.formulas import FAILED, FORMULAS, Key
from openshelf.ui.widgets.markdown_blocks import BlockKind, BlockSplitter, MarkdownBlock
from openshelf.ui.widgets.markdown_copy import BlockCopier
from openshelf.ui.widgets.markdown_formats import Formats, reading_font
from openshelf.ui.widgets.markdown_tail import plain_tail

_FEATURES = QTextDocument.MarkdownFeature
SAFE_MARKDOWN = _FEATURES.MarkdownNoHTML | _FEATURES.MarkdownDialectGitHub


class SafeDocument(QTextDocument):
    """A document that loads nothing, from no place."""

    def __init__(self) -> None:
        super().__init__()
        self.setUndoRedoEnabled(False)
        self.setDocumentMargin(0)

    @override
    def loadResource(self, type: int, name: QUrl | str) -> object:
        return None


@dataclass
class CodeSection:
    """A code block in the document: its first and last block number, and its text."""

    first_block: int
    last_block: int
    text: str
    language: str
    is_open: bool = field(default=False)


class MarkdownDocument(SafeDocument):
    """`set_text` with the whole text so far, `finish` when nothing more comes.

    As long as `generation` stays the same, finished blocks stay where they are. `bottom_room` is
    how many pixels below the last line belong to it.
    """

    def __init__(self, tone: str = "ink") -> None:
        super().__init__()
        self.setDefaultFont(reading_font())
        self._tone = tone
        self._text = ""
        self._is_finished = False
        self._formats = Formats(self._tone)
        self.documentLayout().registerHandler(FORMULA_OBJECT, FormulaObject(self))
        FORMULAS.drawn.connect(self._on_formula_drawn)
        self.generation = 0
        self.bottom_room = 0.0
        self._start_over()

    def _start_over(self) -> None:
        self.clear()
        self.generation += 1
        self._splitter = BlockSplitter()
        self._scratch = SafeDocument()
        self._closed_code: list[CodeSection] = []
        self._uncolored: list[CodeColors] = []
        self._open_code: CodeSection | None = None
        self._open_shown: MarkdownBlock | None = None
        self._open_start = 0
        self._is_patched = False
        self._copier = BlockCopier(self, self._formats)

    @property
    def source(self) -> str:
        return self._text

    @property
    def quotes(self) -> list[int]:
        """Numbers of the blocks that quote somebody."""
        return self._copier.quotes

    @property
    def code_sections(self) -> list[CodeSection]:
        return [*self._closed_code, *([self._open_code] if self._open_code else [])]

    def set_text(self, text: str) -> None:
        """Show `text`; what was shown already is kept where `text` only goes on from it."""
        if text == self._text and not self._is_finished:
            return
        if self._is_finished or not text.startswith(self._text):
            self._text, self._is_finished = "", False
            self._start_over()
        added, self._text = text[len(self._text) :], text
        self._show(self._splitter.feed(added))

    def finish(self) -> None:
        """Close the open block; the document ends with the last line of text."""
        if self._is_finished:
            return
        self._is_finished = True
        self._show(self._splitter.finish())
        self._copier.drop_last_empty_block()
        self._fit_edges()

    def restyle(self) -> None:
        """Write everything again in the colors that are on now."""
        text, was_finished = self._text, self._is_finished
        self._formats = Formats(self._tone)
        self._text, self._is_finished = "", False
        self._start_over()
        self.set_text(text)
        if was_finished:
            self.finish()

    def _show(self, finished: list[MarkdownBlock]) -> None:
        cursor = QTextCursor(self)
        cursor.beginEditBlock()
        for block in finished:
            self._close(block)
        self._show_open(self._splitter.open_block)
        cursor.endEditBlock()
        self._fit_edges()

    def _on_formula_drawn(self, key: Key) -> None:
        """Also where it could not be drawn: then its source takes its place."""
        places = [place for known, place in self._copier.waiting if known == key]
        if not places:
            return
        self._copier.waiting = [one for one in self._copier.waiting if one[0] != key]
        is_drawn = FORMULAS.get(key) is not FAILED
        for place in places:
            at = place.position()
            cursor = QTextCursor(self)
            cursor.setPosition(at)
            if self.characterAt(at) != OBJECT_CHARACTER:
                continue  # written anew meanwhile
            self.generation += 1
            cursor.setPosition(at + 1, QTextCursor.MoveMode.KeepAnchor)
            if is_drawn:
                cursor.setCharFormat(drawn_format(cursor.charFormat()))
                continue
            before = self.characterCount()
            self._copier.write_source(cursor, source_of(cursor.charFormat()))
            if at < self._open_start:
                self._open_start += self.characterCount() - before

    def color_code(self) -> bool:
        """Color one stretch of code that has become final; False where there is none."""
        for colors in tuple(self._uncolored):
            did = colors.go_on(to_the_end=colors.section is not self._open_code)
            if colors.is_over:
                self._uncolored.remove(colors)
            if did:
                return True
        return False

    @property
    def has_uncolored_code(self) -> bool:
        return bool(self._uncolored)

    def _fit_edges(self) -> None:
        """Room for the box of a code block that opens or ends the message.

        Qt ignores the top margin of a document's first block and the bottom margin of its last
        one. The frame has the first one; the second is left to whoever shows the document, since
        a change of the frame lays out everything anew.
        """
        sections = self.code_sections
        opens = bool(sections) and sections[0].first_block == 0
        ends = bool(sections) and sections[-1].last_block == self.blockCount() - 1
        self.bottom_room = self._formats.code_bottom if ends else 0.0
        top = self._formats.code_top if opens else 0.0
        style = self.rootFrame().frameFormat()
        if style.topMargin() != top:
            self.generation += 1
            style.setTopMargin(top)
            self.rootFrame().setFrameFormat(style)
            # Where the frame is empty, the change alone lays nothing out anew.
            self.markContentsDirty(0, self.characterCount())

    def _close(self, block: MarkdownBlock) -> None:
        if self._is_patched:
            self._remove_open()
        if block != self._open_shown:
            self._write_open(block)
        code, self._open_code, self._open_shown = self._open_code, None, None
        if code is not None:
            code.is_open = False
            self._closed_code.append(code)
        self._open_start = self._copier.begin_next()

    def _show_open(self, block: MarkdownBlock | None) -> None:
        if block is None:
            if self._open_shown is not None:
                self._remove_open()
        elif block != self._open_shown:
            self._write_open(block)

    def _write_open(self, block: MarkdownBlock) -> None:
        shown, code = self._open_shown, self._open_code
        if (
            shown is not None
            and code is not None
            and block.kind is BlockKind.CODE
            and block.text.startswith(shown.text)
            and block.language == shown.language
        ):
            code.last_block = self._copier.go_on_with_code(block.text[len(shown.text) :])
            code.text = block.text
        elif shown is not None and (tail := plain_tail(shown, block)) is not None:
            self._copier.go_on_with_text(tail)
            self._is_patched = True
        else:
            self._remove_open()
            if block.kind is BlockKind.CODE:
                first, last = self._copier.write_code(block.text)
                self._open_code = CodeSection(first, last, block.text, block.language, is_open=True)
                self._uncolored.append(CodeColors(self, self._open_code))
            else:
                # A leading line break keeps "---" from being read as front matter and dropped.
                marked = mark_formulas(block.text)
                self._scratch.setMarkdown("\n" + marked.text, SAFE_MARKDOWN)
                self._copier.copy(self._scratch, marked.formulas)
        self._open_shown = block

    def _remove_open(self) -> None:
        if self._open_shown is None:
            return
        self._uncolored = [one for one in self._uncolored if one.section is not self._open_code]
        cursor = QTextCursor(self)
        cursor.setPosition(self._open_start)
        self._copier.forget_from(cursor.blockNumber())
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        text_list = cursor.currentList()
        if text_list is not None:
            text_list.remove(cursor.block())
        cursor.setBlockFormat(QTextBlockFormat())
        cursor.setBlockCharFormat(QTextCharFormat())
        self._copier.is_fresh = True
        self._open_shown, self._open_code, self._is_patched = None, None, False

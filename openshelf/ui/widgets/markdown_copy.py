"""Copies parsed Markdown from a scratch document to the end of a message, in our own formats."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QFont,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFragment,
    QTextList,
    QTextListFormat,
    QTextTable,
)

from openshelf.ui.models.plain_text import plain_tooltip
from openshelf.ui.widgets.formula_marks import FormulaMark
from openshelf.ui.widgets.formula_object import OBJECT_CHARACTER, formula_format
from openshelf.ui.widgets.formulas import FAILED, FORMULAS, Key
from openshelf.ui.widgets.markdown_formats import Formats

_PROPERTY = QTextFormat.Property
_QUOTE_INDENT = 16.0


class BlockCopier:
    """Writes at the end of `target`. `is_fresh` says that its last block is empty and unused."""

    def __init__(self, target: QTextDocument, formats: Formats) -> None:
        self._target = target
        self._formats = formats
        self.is_fresh = True
        self.quotes: list[int] = []
        """Numbers of the blocks that quote somebody, in their order."""
        self._marks: Mapping[str, FormulaMark] = {}
        self.waiting: list[tuple[Key, QTextCursor]] = []
        """Formulas that are not drawn yet, and the places before them."""
        target.setIndentWidth(formats.indent_width())

    def begin_next(self) -> int:
        """The position at which what is written next begins."""
        cursor = self._end()
        if not self.is_fresh:
            cursor.insertBlock(QTextBlockFormat(), QTextCharFormat())
            text_list = cursor.currentList()
            if text_list is not None:
                text_list.remove(cursor.block())
            self.is_fresh = True
        return cursor.position()

    def forget_from(self, block_number: int) -> None:
        """What is there and below is taken away."""
        del self.quotes[bisect_left(self.quotes, block_number) :]

    def drop_last_empty_block(self) -> None:
        """Take away the empty line that waits for more."""
        cursor = self._end()
        before = cursor.block().previous()
        if self.is_fresh and before.isValid():
            kept = before.blockFormat()
            cursor.deletePreviousChar()
            cursor.setBlockFormat(kept)
            self.is_fresh = False

    def write_code(self, text: str) -> tuple[int, int]:
        """Numbers of the first and the last block."""
        style = self._formats.code_line(is_first=True, is_last=True)
        cursor = self._next_block(style, is_code=True)
        first = cursor.blockNumber()
        return first, self._write_code_lines(cursor, text)

    def go_on_with_code(self, text: str) -> int:
        """Number of the last block now."""
        return self._write_code_lines(self._end(), text)

    def go_on_with_text(self, text: str) -> None:
        """In the format of what stands before it."""
        cursor = self._end()
        cursor.insertText(text, cursor.charFormat())

    def _write_code_lines(self, cursor: QTextCursor, text: str) -> int:
        style = self._formats.code_text()
        first, *rest = text.split("\n")
        cursor.insertText(first, style)
        if rest:
            line = cursor.blockFormat()
            line.setBottomMargin(0)
            cursor.setBlockFormat(line)
            middle = self._formats.code_line(is_first=False, is_last=False)
            cursor.insertBlock(middle, style)
            # insertText turns each line break into a block with the format of the one before.
            cursor.insertText("\n".join(rest), style)
            cursor.setBlockFormat(self._formats.code_line(is_first=False, is_last=True))
        return cursor.blockNumber()

    def copy(self, scratch: QTextDocument, marks: Mapping[str, FormulaMark]) -> None:
        """Append everything in `scratch`, with the formulas that its `marks` stand for."""
        self._marks = marks
        lists: dict[int, QTextList] = {}
        block = scratch.begin()
        while block.isValid():
            table = QTextCursor(block).currentTable()
            if table is not None:
                self._copy_table(table)
                block = table.lastCursorPosition().block().next()
                continue
            if not self._is_stray(block):
                self._copy_block(block, lists)
            block = block.next()

    def _is_stray(self, block: QTextBlock) -> bool:
        if block.text() or block.textList() is not None:
            return False
        style = block.blockFormat()
        is_ruler = style.hasProperty(_PROPERTY.BlockTrailingHorizontalRulerWidth)
        return not is_ruler and not style.hasProperty(_PROPERTY.BlockCodeFence)

    def _copy_block(self, block: QTextBlock, lists: dict[int, QTextList]) -> None:
        source = block.blockFormat()
        level = source.headingLevel()
        base = self._formats.text()
        if level:
            style, base = self._formats.heading(level)
        else:
            style = self._formats.paragraph()
        is_code = source.hasProperty(_PROPERTY.BlockCodeFence) or source.nonBreakableLines()
        quote = int(source.property(_PROPERTY.BlockQuoteLevel) or 0)
        if quote:
            style.setLeftMargin(_QUOTE_INDENT * quote)
            style.setProperty(_PROPERTY.BlockQuoteLevel, quote)
            base.setForeground(self._formats.muted)
        if source.hasProperty(_PROPERTY.BlockTrailingHorizontalRulerWidth):
            style.setProperty(_PROPERTY.BlockTrailingHorizontalRulerWidth, 1)
            style.setBackground(self._formats.line)
        text_list = block.textList()
        if text_list is None:
            style.setIndent(source.indent())
        else:
            style.setTopMargin(3)
            style.setBottomMargin(3)
            style.setMarker(source.marker())
        alone = self._marks.get(block.text().strip())
        if alone is not None and alone.is_display and not alone.is_open:
            style.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        cursor = self._next_block(style)
        if quote:
            self.quotes.append(cursor.blockNumber())
        if text_list is not None:
            self._join_list(cursor, text_list, lists)
        self._copy_text(cursor, block, self._formats.inline_code() if is_code else base)

    def _join_list(
        self, cursor: QTextCursor, source: QTextList, lists: dict[int, QTextList]
    ) -> None:
        known = lists.get(source.objectIndex())
        if known is not None:
            known.add(cursor.block())
            return
        style = QTextListFormat()
        style.setStyle(source.format().style())
        style.setIndent(source.format().indent())
        style.setStart(source.format().start())
        style.setNumberSuffix(source.format().numberSuffix() or ".")
        lists[source.objectIndex()] = cursor.createList(style)

    def _copy_text(self, cursor: QTextCursor, block: QTextBlock, base: QTextCharFormat) -> None:
        parts = block.begin()
        while not parts.atEnd():
            fragment = parts.fragment()
            self._insert(cursor, *self._styled(fragment, base))
            parts += 1

    def _insert(self, cursor: QTextCursor, text: str, style: QTextCharFormat) -> None:
        start = 0
        for at, letter in enumerate(text) if self._marks else ():
            mark = self._marks.get(letter)
            if mark is not None:
                cursor.insertText(text[start:at], style)
                self._insert_formula(cursor, mark, style)
                start = at + 1
        cursor.insertText(text[start:], style)

    def _insert_formula(
        self, cursor: QTextCursor, mark: FormulaMark, style: QTextCharFormat
    ) -> None:
        key = (mark.tex, mark.is_display)
        formula = None if mark.is_open else FORMULAS.get(key)
        if mark.is_open or formula is FAILED:
            self.write_source(cursor, mark.source)
            return
        if formula is None:
            place = QTextCursor(self._target)
            place.setPosition(cursor.position())
            place.setKeepPositionOnInsert(True)
            self.waiting.append((key, place))
        cursor.insertText(OBJECT_CHARACTER, formula_format(style, mark))

    def write_source(self, cursor: QTextCursor, source: str) -> None:
        """A formula as it was written, where it cannot be drawn."""
        cursor.insertText(" ".join(source.split()), self._formats.inline_code())

    def _styled(
        self, fragment: QTextFragment, base: QTextCharFormat
    ) -> tuple[str, QTextCharFormat]:
        source = fragment.charFormat()
        if source.isImageFormat():
            label = str(source.property(_PROPERTY.ImageAltText) or source.toImageFormat().name())
            style = QTextCharFormat(base)
            style.setFontItalic(True)
            style.setForeground(self._formats.muted)
            return f"[image: {label}]", style
        style = self._formats.inline_code() if source.fontFixedPitch() else QTextCharFormat(base)
        if source.fontWeight() >= QFont.Weight.DemiBold.value:
            style.setFontWeight(QFont.Weight.Bold.value)
        if source.fontItalic():
            style.setFontItalic(True)
        if source.fontStrikeOut():
            style.setFontStrikeOut(True)
        if source.anchorHref():
            style.setAnchor(True)
            style.setAnchorHref(source.anchorHref())
            style.setToolTip(plain_tooltip(source.anchorHref()))
            style.setForeground(self._formats.accent)
            style.setFontUnderline(True)
        return fragment.text(), style

    def _copy_table(self, table: QTextTable) -> None:
        columns = table.columns()
        cursor = self._next_block(QTextBlockFormat())
        copy = cursor.insertTable(table.rows(), columns, self._formats.table(columns, 1))
        for row in range(table.rows()):
            for column in range(columns):
                source = table.cellAt(row, column).firstCursorPosition().block()
                cell = copy.cellAt(row, column).firstCursorPosition()
                style = QTextBlockFormat()
                style.setAlignment(source.blockFormat().alignment())
                cell.setBlockFormat(style)
                base = self._formats.text()
                if row == 0:
                    base.setFontWeight(QFont.Weight.Bold.value)
                self._copy_text(cell, source, base)
        # The block behind a table ignores its own top margin, so it stays empty and is skipped.
        self.is_fresh = False

    def _next_block(self, style: QTextBlockFormat, *, is_code: bool = False) -> QTextCursor:
        cursor = self._end()
        if self.is_fresh:
            cursor.setBlockFormat(style)
        else:
            cursor.insertBlock(style, QTextCharFormat())
            text_list = cursor.currentList()
            if text_list is not None:
                text_list.remove(cursor.block())
                cursor.setBlockFormat(style)
        self.is_fresh = False
        if cursor.blockNumber() == 0 and not is_code:
            style.setTopMargin(0)
            cursor.setBlockFormat(style)
        return cursor

    def _end(self) -> QTextCursor:
        cursor = QTextCursor(self._target)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        return cursor

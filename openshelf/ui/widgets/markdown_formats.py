"""How the parts of a message look: sizes, spaces and colors of text, code, lists and tables."""

from __future__ import annotations

from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QTextBlockFormat,
    QTextCharFormat,
    QTextFrameFormat,
    QTextLength,
    QTextTableFormat,
)

from openshelf.ui.theme import TextRole, color, font

READING_PIXELS = 14
CODE_HEADER_PIXELS = 27
"""Height of the strip above the first line of code, with its language and the copy button."""
CODE_PADDING = 11
CODE_GAP = 10
"""Pixels between a code box and the text around it."""
_HEADING_PIXELS = {1: 19, 2: 17, 3: 15}
_LINE_HEIGHT = QTextBlockFormat.LineHeightTypes.ProportionalHeight.value


def reading_font() -> QFont:
    """The text font in the size for longer reading."""
    result = QFont(font(TextRole.BODY))
    result.setPixelSize(READING_PIXELS)
    return result


class Formats:
    """Formats in the colors that are on when it is made; `tone` is that of the text."""

    def __init__(self, tone: str = "ink") -> None:
        self.ink = color(tone)
        self.muted = color("muted")
        self.accent = color("accent")
        self.sunken = color("sunken")
        self.line = color("line")
        self.code_ground = color("free")

    def paragraph(self, *, bottom: float = 8, top: float = 8, left: float = 0) -> QTextBlockFormat:
        result = QTextBlockFormat()
        result.setTopMargin(top)
        result.setBottomMargin(bottom)
        result.setLeftMargin(left)
        result.setLineHeight(130, _LINE_HEIGHT)
        return result

    def heading(self, level: int) -> tuple[QTextBlockFormat, QTextCharFormat]:
        block = self.paragraph(top=14, bottom=6)
        block.setHeadingLevel(level)
        text = self.text()
        pixels = _HEADING_PIXELS.get(level, READING_PIXELS)
        text.setProperty(QTextCharFormat.Property.FontPixelSize, pixels)
        text.setFontWeight(QFont.Weight.Bold.value)
        return block, text

    def text(self) -> QTextCharFormat:
        result = QTextCharFormat()
        result.setForeground(self.ink)
        return result

    def code_text(self) -> QTextCharFormat:
        result = self.text()
        code = font(TextRole.CODE)
        result.setFontFamilies(code.families())
        result.setFontFixedPitch(True)
        result.setProperty(QTextCharFormat.Property.FontPixelSize, code.pixelSize())
        return result

    def inline_code(self) -> QTextCharFormat:
        result = self.code_text()
        result.setBackground(self.code_ground)
        return result

    def code_line(self, *, is_first: bool, is_last: bool) -> QTextBlockFormat:
        result = QTextBlockFormat()
        result.setLeftMargin(CODE_PADDING)
        result.setRightMargin(CODE_PADDING)
        result.setLineHeight(125, _LINE_HEIGHT)
        above, below = CODE_GAP + CODE_HEADER_PIXELS + CODE_PADDING, CODE_PADDING + CODE_GAP
        result.setTopMargin(above if is_first else 0)
        result.setBottomMargin(below if is_last else 0)
        return result

    @property
    def code_top(self) -> float:
        """Pixels from the top edge of a code box to its first line."""
        return CODE_HEADER_PIXELS + CODE_PADDING

    @property
    def code_bottom(self) -> float:
        """Pixels from the last line of code to below the bottom edge of its box."""
        return CODE_PADDING + 2

    def table(self, columns: int, headers: int) -> QTextTableFormat:
        result = QTextTableFormat()
        result.setBorder(1)
        result.setBorderBrush(self.line)
        result.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        result.setBorderCollapse(True)
        result.setCellPadding(5)
        result.setCellSpacing(0)
        result.setTopMargin(2)
        result.setBottomMargin(10)
        result.setHeaderRowCount(headers)
        result.setColumnWidthConstraints([QTextLength()] * columns)
        return result

    def indent_width(self) -> float:
        return QFontMetricsF(reading_font()).horizontalAdvance("00.") + 10

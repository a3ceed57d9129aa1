"""A formula in a document: one character that is drawn as outlines, or as its TeX meanwhile."""

from __future__ import annotations

import collections

from PySide6.QtCore import QByteArray, QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QFontMetricsF,
    QImage,
    QPainter,
    QPyTextObject,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtSvg import QSvgRenderer
from typing_extensions import override

from openshelf.ui.models.plain_text import plain_tooltip
from openshelf.ui.theme import TextRole, color, font
from openshelf.ui.widgets.formula_marks import FormulaMark
from openshelf.ui.widgets.formulas import FAILED, FORMULAS, Formula, Key

FORMULA_OBJECT = QTextFormat.ObjectTypes.UserObject.value + 1
_TEX, _SOURCE, _IS_DISPLAY, _IS_DRAWN = (
    QTextFormat.Property.UserProperty.value + n for n in (1, 2, 3, 4)
)
OBJECT_CHARACTER = "\ufffc"
_MOST_PICTURES = 300
_LEAST_SCALE = 0.4
_WAITING_PIXELS = 240.0


def formula_format(base: QTextCharFormat, mark: FormulaMark) -> QTextCharFormat:
    """The format of the character that stands for it."""
    result = QTextCharFormat(base)
    result.setObjectType(FORMULA_OBJECT)
    result.setProperty(_TEX, mark.tex)
    result.setProperty(_SOURCE, mark.source)
    result.setProperty(_IS_DISPLAY, mark.is_display)
    result.setToolTip(plain_tooltip(mark.source))
    result.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignMiddle)
    return result


def drawn_format(style: QTextCharFormat) -> QTextCharFormat:
    """The same once its outlines are there: only where the format changes, Qt asks for its size
    anew."""
    result = QTextCharFormat(style)
    result.setProperty(_IS_DRAWN, True)
    return result


def source_of(style: QTextFormat) -> str:
    """What was written where the character stands; empty where it is no formula."""
    return str(style.property(_SOURCE) or "")


def key_of(style: QTextFormat) -> Key:
    return str(style.property(_TEX) or ""), bool(style.property(_IS_DISPLAY))


def marked_text(cursor: QTextCursor) -> str:
    """What `cursor` has marked, formulas as they were written."""
    text = cursor.selectedText()
    at = text.find(OBJECT_CHARACTER)
    if at >= 0:
        parts, start = [], 0
        looking = QTextCursor(cursor.document())
        while at >= 0:
            looking.setPosition(
                cursor.selectionStart() + len(text[:at].encode("utf-16-le")) // 2 + 1
            )
            parts += [text[start:at], source_of(looking.charFormat())]
            start, at = at + 1, text.find(OBJECT_CHARACTER, at + 1)
        text = "".join([*parts, text[start:]])
    return text.replace("\u2029", "\n").replace("\u2028", "\n").replace("\xa0", " ")


class FormulaObject(QPyTextObject):
    """Draws them. A document keeps one."""

    def __init__(self, parent: QTextDocument) -> None:
        super().__init__(parent)
        self._pictures: collections.OrderedDict[tuple[Key, str, float, float], QImage]
        self._pictures = collections.OrderedDict()

    @override
    def intrinsicSize(self, doc: QTextDocument, _place: int, style: QTextFormat) -> QSizeF:
        formula = FORMULAS.get(key_of(style))
        if formula is None or formula is FAILED:
            metrics = QFontMetricsF(font(TextRole.CODE))
            width = min(metrics.horizontalAdvance(source_of(style)), _WAITING_PIXELS)
            return QSizeF(width, metrics.height())
        scale = _scale(doc, formula)
        above, below = formula.ascent * scale, (formula.height - formula.ascent) * scale
        # Qt puts its middle above the baseline, by about a quarter up to a half of an x.
        shift = QFontMetricsF(style.toCharFormat().font()).xHeight()
        height = max(2 * above - shift / 2, 2 * below + shift * 1.2)
        return QSizeF(formula.width * scale, height)

    @override
    def drawObject(
        self,
        painter: QPainter,
        rect: QRectF | QRect,
        doc: QTextDocument,
        place: int,
        style: QTextFormat,
    ) -> None:
        rect, key = QRectF(rect), key_of(style)
        formula = FORMULAS.get(key)
        if formula is None or formula is FAILED:
            painter.setFont(font(TextRole.CODE))
            painter.setPen(color("muted"))
            text = painter.fontMetrics().elidedText(
                source_of(style).replace("\n", " "), Qt.TextElideMode.ElideRight, int(rect.width())
            )
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignVCenter), text)
            return
        scale = _scale(doc, formula)
        position = QPointF(rect.left(), _baseline(doc, place) - formula.ascent * scale)
        ink = style.foreground().color().name()
        painter.drawImage(position, self._picture(key, formula, ink, scale, _ratio(painter)))

    def _picture(self, key: Key, formula: Formula, ink: str, scale: float, ratio: float) -> QImage:
        known = self._pictures.get((key, ink, scale, ratio))
        if known is None:
            known = _paint(formula, ink, scale, ratio)
            self._pictures[key, ink, scale, ratio] = known
            while len(self._pictures) > _MOST_PICTURES:
                self._pictures.popitem(last=False)
        return known


def _ratio(painter: QPainter) -> float:
    return float(painter.device().devicePixelRatio())


def _baseline(doc: QTextDocument, place: int) -> float:
    """Of the line that the character stands in, from the top edge of the document."""
    block = doc.findBlock(place)
    line = block.layout().lineForTextPosition(place - block.position())
    top = doc.documentLayout().blockBoundingRect(block).top()
    return top + line.y() + line.ascent()


def _scale(doc: QTextDocument, formula: Formula) -> float:
    """A formula that is too wide is drawn smaller."""
    room = doc.textWidth()
    if room <= 0 or formula.width <= room - 4:
        return 1.0
    return max(_LEAST_SCALE, (room - 4) / formula.width)


def _paint(formula: Formula, ink: str, scale: float, ratio: float) -> QImage:
    width, height = formula.width * scale, formula.height * scale
    picture = QImage(
        max(1, round(width * ratio)), max(1, round(height * ratio)),
        QImage.Format.Format_ARGB32_Premultiplied,
    )  # fmt: skip
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    bounds = QRectF(0, 0, picture.width(), picture.height())
    QSvgRenderer(QByteArray(formula.svg)).render(painter, bounds)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(bounds, ink)
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture

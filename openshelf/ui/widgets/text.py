"""Labels that show text as it is: never as HTML, in one of the roles and tones of the theme."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFontMetrics, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget
from typing_extensions import override

from openshelf.ui.models.plain_text import plain_tooltip
from openshelf.ui.theme.fonts import TextRole, font


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet looks at, and have it looked at again."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


class TextLabel(QLabel):
    """Plain text. `tone` is ink, muted, faint, accent, good, warning or bad.

    `wrap` breaks lines, `selectable` lets the text be marked with mouse and keyboard.
    """

    def __init__(
        self,
        text: str = "",
        role: TextRole = TextRole.BODY,
        tone: str = "ink",
        *,
        wrap: bool = False,
        selectable: bool = False,
    ) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(font(role))
        self.setProperty("tone", tone)
        self.setText(text)
        if wrap:
            self.setWordWrap(True)
            self.setMinimumWidth(40)
        if selectable:
            self.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse
                | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )

    @override
    def setToolTip(self, text: str, /) -> None:
        super().setToolTip(plain_tooltip(text))

    def set_tone(self, tone: str) -> None:
        set_property(self, "tone", tone)

    def set_tabular(self, role: TextRole = TextRole.BODY) -> None:
        """Digits of one width, for figures below each other."""
        self.setFont(font(role, tabular=True))


class ElidedLabel(TextLabel):
    """One line that ends in … where there is no room; the whole text is its tooltip then."""

    def __init__(self, text: str = "", role: TextRole = TextRole.BODY, tone: str = "ink") -> None:
        super().__init__(text, role, tone)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(30)

    @property
    def is_elided(self) -> bool:
        return self.fontMetrics().horizontalAdvance(self.text()) > self.width()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        metrics = QFontMetrics(self.font())
        shown = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        self.setToolTip(self.text() if shown != self.text() else "")
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), int(self.alignment()), shown)


class TitleLink(TextLabel):
    """A title that can be clicked; the keyboard has a button beside it. `clicked` on release."""

    clicked = Signal()

    def __init__(self) -> None:
        super().__init__("", TextRole.CARD_TITLE, wrap=True)
        self._is_open = False

    def set_open(self, is_open: bool) -> None:  # noqa: FBT001  as Qt's setters
        """Whether it leads anywhere."""
        self._is_open = is_open
        shape = Qt.CursorShape.PointingHandCursor if is_open else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    @override
    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.set_tone("accent" if self._is_open else "ink")

    @override
    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.set_tone("ink")

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.setAccepted(self._is_open)

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        is_inside = self.rect().contains(event.position().toPoint())
        if self._is_open and is_inside and event.button() is Qt.MouseButton.LeftButton:
            self.clicked.emit()


class SectionLabel(TextLabel):
    """The small caption above a group: written in capitals, faint."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text.upper(), TextRole.SECTION, "faint")
        self.setAccessibleName(text)

"""What lies in a scroll area and grows downwards: scrolled by moving pixels, not by painting."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from openshelf.ui.theme import color


def keeps_its_pixels(widget: QWidget) -> None:
    """Where `widget` only gets higher, what it shows already is not painted again.

    It has to call `update` itself when its width changes.
    """
    widget.setAttribute(Qt.WidgetAttribute.WA_StaticContents)


class Scrolled(QWidget):
    """The content of a scroll area, on the page's own ground. Since it covers its area, Qt moves
    what is there when it is scrolled."""

    def __init__(self) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        keeps_its_pixels(self)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(event.rect(), color("background"))

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.update()


class Column(QWidget):
    """A part of it that other parts lie in."""

    def __init__(self) -> None:
        super().__init__()
        keeps_its_pixels(self)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.update()

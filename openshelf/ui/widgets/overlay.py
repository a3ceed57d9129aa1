"""A sheet over the page inside the window: no second window, no nested event loop."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QFrame, QWidget
from shiboken6 import isValid
from typing_extensions import override

from openshelf.ui.theme import scheme
from openshelf.ui.widgets.tab_order import as_they_stand, order_tabs

_EDGE = 28


class Overlay(QWidget):
    """Covers `host` and shows `panel` in its middle; Escape or `close_sheet` ends it.

    The keyboard stays inside while it is open and goes back to where it was. `closed` is emitted
    once; the widget then deletes itself.
    """

    closed = Signal()

    def __init__(self, host: QWidget, *, width: int, name: str) -> None:
        super().__init__(host)
        self._width = width
        self._host = host
        self._is_open = True
        self._came_from = QApplication.focusWidget()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.panel = QFrame(self)
        self.panel.setProperty("kind", "sheet")
        host.installEventFilter(self)
        self.setGeometry(host.rect())

    def open_sheet(self) -> None:
        self.raise_()
        self.show()
        self.fit_panel()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def close_sheet(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._host.removeEventFilter(self)
        self.hide()
        # What had the keyboard may have been deleted meanwhile: a row of a list made anew.
        came_from = self._came_from
        if came_from is not None and isValid(came_from) and came_from.isVisible():
            came_from.setFocus(Qt.FocusReason.OtherFocusReason)
        self.closed.emit()
        self.deleteLater()

    def fit_panel(self) -> None:
        """Give the panel its size; call it when what it holds has changed."""
        width = min(self._width, self.width() - 2 * _EDGE)
        wanted = self.wanted_height(width)
        height = max(200, min(wanted, self.height() - 2 * _EDGE))
        left, top = (self.width() - width) // 2, (self.height() - height) // 2
        area = QRect(left, top, width, height)
        if area != self.panel.geometry():
            self.panel.setGeometry(area)
            # The shadow lies outside of the panel: Qt knows only of the panel's own area.
            self.update()

    def wanted_height(self, width: int) -> int:
        """What the panel would like to have at this width."""
        layout = self.panel.layout()
        if layout is not None and layout.hasHeightForWidth():
            return layout.totalHeightForWidth(width)
        return self.panel.sizeHint().height()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Python may have taken the object apart before Qt is done with it.
        host: QWidget | None = getattr(self, "_host", None)
        if host is not None and watched is host and event.type() == QEvent.Type.Resize:
            self.setGeometry(host.rect())
            self.fit_panel()
        return super().eventFilter(watched, event)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_sheet()
        else:
            super().keyPressEvent(event)

    @override
    def focusNextPrevChild(self, next: bool) -> bool:
        order_tabs(self.panel)
        before = QApplication.focusWidget()
        moved = super().focusNextPrevChild(next)
        now = QApplication.focusWidget()
        if now is not None and not self.isAncestorOf(now) and now is not self:
            self._focus_edge(first=next, fallback=before)
        return moved

    def _focus_edge(self, *, first: bool, fallback: QWidget | None) -> None:
        order = as_they_stand(self.panel)
        usable = [w for w in order if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.isEnabled()]
        target = (usable[0] if first else usable[-1]) if usable else fallback
        if target is not None:
            target.setFocus(Qt.FocusReason.TabFocusReason)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shade = scheme.color("scrim")
        shade.setAlphaF(0.6 if scheme.current_tokens().is_dark else 0.24)
        painter.fillRect(self.rect(), shade)
        # A graphics effect would draw the whole sheet again for each change inside it.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        shade.setAlphaF(0.007)
        painter.setBrush(shade)
        for spread in range(1, 44, 2):
            area = self.panel.geometry().adjusted(-spread, 14 - spread, spread, 14 + spread)
            painter.drawRoundedRect(area, 10 + spread, 10 + spread)

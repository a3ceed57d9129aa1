"""A menu of speeds: no limit, the usual ones, and the one in force."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from openshelf.ui.models.bandwidth_words import limit_words, limits_offered


class LimitMenu(QMenu):
    """`chosen` carries bytes per second, None for no limit; `more_chosen` where `more` is named."""

    chosen = Signal(object)
    more_chosen = Signal()

    def __init__(self, title: str, parent: QWidget, more: str = "") -> None:
        super().__init__(title, parent)
        self._limit: int | None = None
        self._more = more
        self.triggered.connect(self._on_triggered)
        self._fill()

    def show_limit(self, limit: int | None) -> None:
        """The one in force is ticked; a menu that may be open changes only with it."""
        if limit != self._limit:
            self._limit = limit
            self._fill()

    def _fill(self) -> None:
        self.clear()
        for rate in limits_offered(self._limit):
            action = self.addAction(self.tr("No limit") if rate is None else limit_words(rate))
            action.setCheckable(True)
            action.setChecked(rate == self._limit)
            action.setData(rate)
        if self._more:
            self.addSeparator()
            self.addAction(self._more)

    def _on_triggered(self, action: QAction) -> None:
        if not action.isCheckable():
            self.more_chosen.emit()
            return
        action.setChecked(action.data() == self._limit)
        if action.data() != self._limit:
            self.chosen.emit(action.data())

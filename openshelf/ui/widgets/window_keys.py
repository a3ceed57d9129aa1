"""The keys of the whole window: to each place, the list of all keys, the end."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from openshelf.ui.places import RAIL_ORDER, Place
from openshelf.ui.widgets.overlay import Overlay
from openshelf.ui.widgets.shortcut_sheet import ShortcutSheet


class WindowKeys(QObject):
    """Emits `place_chosen(Place)`. While a sheet is open, nothing below it changes."""

    place_chosen = Signal(object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        places = {f"Ctrl+{number}": place for number, place in enumerate(RAIL_ORDER, start=1)}
        for keys, place in {**places, "Ctrl+,": Place.SETTINGS}.items():
            shortcut = QShortcut(QKeySequence(keys), window)
            shortcut.setProperty("place", place.value)
            shortcut.activated.connect(self._on_place)
        QShortcut(QKeySequence("F1"), window).activated.connect(self.show_list)
        # Windows has no standard key for it, and the list names this one.
        leave = QShortcut(QKeySequence("Ctrl+Q"), window)
        leave.activated.connect(window.close)

    def show_list(self) -> None:
        """All keys, on a sheet above the window."""
        if not self._is_covered():
            sheet = ShortcutSheet(self._window)
            sheet.open_sheet()
            sheet.close_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_place(self) -> None:
        if not self._is_covered():
            self.place_chosen.emit(Place(str(self.sender().property("place"))))

    def _is_covered(self) -> bool:
        return any(sheet.isVisible() for sheet in self._window.findChildren(Overlay))

"""The navigation rail on the left: brand, places, the machine, settings."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QVBoxLayout
from typing_extensions import override

from openshelf.ui.places import PARENTS, RAIL_ORDER, Place
from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets.buttons import EnterButton
from openshelf.ui.widgets.chip import Badge
from openshelf.ui.widgets.machine_card import MachineCard
from openshelf.ui.widgets.text import TextLabel

RAIL_WIDTH = 188
_ROW_HEIGHT = 34


class RailButton(EnterButton):
    """A place; strong while it is the open one, with a badge at its end where there is news."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setProperty("look", "nav")
        self.setCheckable(True)
        self.setAutoDefault(False)
        self.setFont(font(TextRole.BODY))
        self.setAccessibleName(text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.badge = Badge()
        self.badge.setParent(self)
        self.toggled.connect(self._on_toggled)

    @override
    def sizeHint(self) -> QSize:
        # With larger letters a line needs more than the design gives it.
        return QSize(RAIL_WIDTH - 20, max(_ROW_HEIGHT, super().sizeHint().height()))

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_badge()

    def show_badge(self, text: str, spoken: str) -> None:
        """`spoken` is added to the accessible name while there is a badge."""
        self.badge.show_text(text)
        self.badge.adjustSize()
        self._place_badge()
        self.setAccessibleName(f"{self.text()}, {spoken}" if text else self.text())

    def _place_badge(self) -> None:
        x = self.width() - self.badge.width() - 10
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            x = 10
        self.badge.move(x, (self.height() - self.badge.height()) // 2)

    @override
    def changeEvent(self, event: QEvent) -> None:
        """Another style sheet gives back the font of the first one."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._show_weight()

    def _on_toggled(self, _: bool) -> None:  # noqa: FBT001
        self._show_weight()

    def _show_weight(self) -> None:
        self.setFont(font(TextRole.STRONG if self.isChecked() else TextRole.BODY))


class NavigationRail(QFrame):
    """Emits `place_chosen(Place)`; `show_place` marks the open one."""

    place_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "rail")
        self.setFixedWidth(RAIL_WIDTH)
        self.setAccessibleName(self.tr("Places"))
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 14, 10, 14)
        column.setSpacing(2)
        brand = TextLabel("Openshelf", TextRole.CARD_TITLE)
        brand.setContentsMargins(10, 4, 10, 14)
        column.addWidget(brand)
        self._group = QButtonGroup(self)
        self._group.setExclusive(False)
        self._buttons: dict[Place, RailButton] = {}
        for place in RAIL_ORDER:
            column.addWidget(self._make_button(place))
        column.addStretch(1)
        self.machine_card = MachineCard()
        column.addWidget(self.machine_card)
        column.addSpacing(8)
        column.addWidget(self._make_button(Place.SETTINGS))

    @property
    def places(self) -> tuple[Place, ...]:
        """Those that have an entry."""
        return tuple(self._buttons)

    def button(self, place: Place) -> RailButton:
        return self._buttons[place]

    def show_place(self, place: Place) -> None:
        entry = PARENTS.get(place, place)
        for known, button in self._buttons.items():
            button.setChecked(known is entry)

    def show_active_downloads(self, count: int) -> None:
        text = f"{count} ↓" if count else ""
        spoken = self.tr("%n download(s) running", "", count)
        self._buttons[Place.LIBRARY].show_badge(text, spoken)

    def _make_button(self, place: Place) -> RailButton:
        titles = {
            Place.SHELF: self.tr("Shelf"),
            Place.LIBRARY: self.tr("Library"),
            Place.CHAT: self.tr("Chat"),
            Place.HARDWARE: self.tr("Hardware"),
            Place.POLICY: self.tr("Policy"),
            Place.SETTINGS: self.tr("Settings"),
        }
        button = RailButton(titles[place])
        if place in RAIL_ORDER:
            keys = f"Ctrl+{RAIL_ORDER.index(place) + 1}"
            button.setToolTip(keys)
        self._buttons[place] = button
        self._group.addButton(button, list(Place).index(place))
        button.clicked.connect(self._on_clicked)
        return button

    def _on_clicked(self) -> None:
        for place, button in self._buttons.items():
            if button is self.sender():
                self.place_chosen.emit(place)
                self.show_place(place)

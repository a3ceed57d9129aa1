"""Push buttons in the looks of the design, and the segmented control made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QFontMetrics, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QMenu, QPushButton, QSizePolicy
from typing_extensions import override

from openshelf.ui.models.plain_text import plain_tooltip
from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets.text import set_property

V = TypeVar("V")


class EnterButton(QPushButton):
    """Is pressed by Enter as by Space; Qt does so only inside of a QDialog, and there is none."""

    @override
    def setToolTip(self, text: str, /) -> None:
        super().setToolTip(plain_tooltip(text))

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if not is_enter or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            self.click()


class Button(EnterButton):
    """An ordinary button; `name` is what a screen reader says where the text is not enough."""

    look = "plain"

    def __init__(self, text: str = "", name: str = "") -> None:
        super().__init__(text)
        self.setProperty("look", self.look)
        self.setFont(font(TextRole.STRONG))
        self.setAutoDefault(False)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(name or text)


class PrimaryButton(Button):
    """The one thing most people came for; at most one to a card or sheet."""

    look = "primary"


class DangerButton(Button):
    """Takes something away."""

    look = "danger"


class LinkButton(Button):
    """Text that can be pressed. `muted` and `small` for actions of second rank."""

    look = "link"

    def __init__(
        self, text: str = "", name: str = "", *, muted: bool = False, small: bool = False
    ) -> None:
        super().__init__(text, name)
        if muted:
            self.setProperty("tone", "muted")
            self.setFont(font(TextRole.TINY if small else TextRole.SMALL))
        elif small:
            self.setFont(font(TextRole.CHIP))
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)


class FilterChip(Button, Generic[V]):
    """A filter with a menu of choices: "Origin: any ▾", accent while something is chosen.

    Choices are (value, label); the first is "any".
    """

    look = "filter"
    value_changed = Signal(object)

    def __init__(self, title: str, choices: Sequence[tuple[V, str]]) -> None:
        super().__init__(title)
        self.setFont(font(TextRole.CHIP))
        self._title = title
        self._choices: list[tuple[V, str]] = []
        self._index = 0
        menu = QMenu(self)
        menu.triggered.connect(self._on_triggered)
        self.setMenu(menu)
        self.set_choices(choices)

    @property
    def value(self) -> V:
        return self._choices[self._index][0]

    def set_choices(self, choices: Sequence[tuple[V, str]]) -> None:
        """New choices; what was chosen stays where it is still there."""
        kept = self._choices[self._index][0] if self._choices else None
        self._choices = list(choices)
        self._index = next((i for i, (v, _) in enumerate(self._choices) if v == kept), 0)
        menu = self.menu()
        menu.clear()
        for position, (_, label) in enumerate(self._choices):
            action = menu.addAction(label.replace("&", "&&"))
            action.setCheckable(True)
            action.setData(position)
        self._show()

    def choose(self, value: V) -> None:
        for position, (known, _) in enumerate(self._choices):
            if known == value:
                self._index = position
        self._show()

    def _on_triggered(self, action: QAction) -> None:
        index = int(action.data())
        changed = index != self._index
        self._index = index
        self._show()
        if changed:
            self.value_changed.emit(self.value)

    def _show(self) -> None:
        label = self._choices[self._index][1] if self._choices else ""
        text = f"{self._title}: {label}"
        self.setText(f"{text.replace('&', '&&')} ▾")
        self.setAccessibleName(text)
        set_property(self, "active", "true" if self._index else "false")
        for position, action in enumerate(self.menu().actions()):
            action.setChecked(position == self._index)


class SegmentedControl(QFrame, Generic[V]):
    """A few choices side by side, one of them on; arrow keys move, Tab passes by.

    `value_changed` carries the value chosen by the person, never one set by `choose`.
    """

    value_changed = Signal(object)

    def __init__(self, name: str, options: Sequence[tuple[V, str]], value: V) -> None:
        super().__init__()
        self.setProperty("kind", "segments")
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._values = [option for option, _ in options]
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(1, 1, 1, 1)
        row.setSpacing(0)
        for index, (_, label) in enumerate(options):
            row.addWidget(self._make_segment(name, label, index, len(options)))
        self.choose(value)
        self._group.idClicked.connect(self._on_clicked)

    def _make_segment(self, name: str, label: str, index: int, count: int) -> QPushButton:
        segment = EnterButton(label)
        segment.setProperty("look", "segment")
        place = "first" if index == 0 else "last" if index == count - 1 else "middle"
        segment.setProperty("place", place)
        segment.setCheckable(True)
        segment.setAutoDefault(False)
        # As wide as when it is chosen, so that choosing moves nothing.
        wide = QFontMetrics(font(TextRole.STRONG)).horizontalAdvance(label)
        segment.setMinimumWidth(wide + 20)
        segment.setFont(font(TextRole.BODY))
        segment.toggled.connect(self._on_toggled)
        segment.setAccessibleName(f"{name}: {label}")
        self._group.addButton(segment, index)
        return segment

    @property
    def value(self) -> V:
        return self._values[max(0, self._group.checkedId())]

    def choose(self, value: V) -> None:
        """Show `value` as chosen; a value that is no option changes nothing."""
        if value in self._values:
            self._group.button(self._values.index(value)).setChecked(True)

    def focus_chosen(self) -> None:
        """Put the keyboard on the choice that is on."""
        button = self._group.checkedButton()
        if button is not None:
            button.setFocus(Qt.FocusReason.OtherFocusReason)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        # A style sheet gives a widget back the font that it had when it was first polished.
        self._on_toggled()
        super().showEvent(event)

    def _on_toggled(self) -> None:
        is_any_on = self._group.checkedButton() is not None
        for segment in self._group.buttons():
            is_on = segment.isChecked()
            segment.setFont(font(TextRole.STRONG if is_on else TextRole.BODY))
            # Tab comes to the choice that is on; Qt sees to that only after a click.
            takes_tab = is_on or not is_any_on
            segment.setFocusPolicy(
                Qt.FocusPolicy.StrongFocus if takes_tab else Qt.FocusPolicy.ClickFocus
            )

    def _on_clicked(self, _: int) -> None:
        self.value_changed.emit(self.value)

"""One line of the Shelf: how old its data is, and a button that asks for what is new."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.shelf.rows import Shelf
from openshelf.ui.models.catching_up import age_words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import LinkButton, TextLabel


class AgeLine(QWidget):
    """Emits `refresh_pressed`."""

    refresh_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.text = TextLabel("", TextRole.TINY, "muted", wrap=True, selectable=True)
        spoken = self.tr("Ask the Hub for new models")
        self.button = LinkButton(self.tr("Refresh"), spoken, small=True)
        self.button.setToolTip(self.tr("Asks the Hub for new models, at most once a day"))
        self.button.clicked.connect(self.refresh_pressed)
        row.addWidget(self.text, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def show_shelf(self, shelf: Shelf) -> None:
        self.text.setText(age_words(shelf))
        self.show()

    def show_asking(self, *, is_asking: bool) -> None:
        self.button.setEnabled(not is_asking)
        self.button.setText(self.tr("Asking the Hub…") if is_asking else self.tr("Refresh"))

"""A setting on one line: its name, and the controls beside it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.text import TextLabel

NAME_WIDTH = 130


class SettingLine(QWidget):
    """Names are as wide in each line, so that the controls stand below each other."""

    def __init__(self, name: str, *controls: QWidget) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        label = TextLabel(name, TextRole.SMALL, "muted")
        label.setMinimumWidth(NAME_WIDTH)
        row.addWidget(label)
        for control in controls:
            row.addWidget(control)
        row.addStretch(1)

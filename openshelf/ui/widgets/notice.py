"""A message beside what it is about: what happened, what to do, one button, details folded."""

from __future__ import annotations

import enum

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets.buttons import Button, LinkButton
from openshelf.ui.widgets.text import TextLabel, set_property


class NoticeLevel(enum.StrEnum):
    INFO = "info"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class InlineNotice(QFrame):
    """Hidden until `show_message`; `acted` when its button is pressed."""

    acted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "notice")
        self.setProperty("level", NoticeLevel.INFO.value)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(6)
        row = QHBoxLayout()
        row.setSpacing(12)
        self.text = TextLabel("", TextRole.BODY, wrap=True, selectable=True)
        self.button = Button("")
        self.button.clicked.connect(self._on_clicked)
        row.addWidget(self.text, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
        column.addLayout(row)
        spoken = self.tr("Details of this message")
        self._fold = LinkButton(self.tr("Details"), spoken, small=True)
        self._fold.setCheckable(True)
        self._fold.toggled.connect(self._on_fold_toggled)
        self._details = TextLabel("", TextRole.CODE, "muted", wrap=True, selectable=True)
        column.addWidget(self._fold)
        column.addWidget(self._details)
        self.hide()

    def show_message(
        self,
        text: str,
        level: NoticeLevel = NoticeLevel.INFO,
        *,
        button: str = "",
        details: str = "",
    ) -> None:
        """Show `text`; no button or details where their text is empty."""
        set_property(self, "level", level.value)
        self.text.setText(text)
        self.setAccessibleName(text)
        self.button.setText(button)
        self.button.setAccessibleName(button)
        self.button.setVisible(bool(button))
        self._details.setText(details)
        self._fold.setVisible(bool(details))
        self._fold.setChecked(False)
        self._details.hide()
        self.show()

    def _on_clicked(self) -> None:
        self.acted.emit()

    def _on_fold_toggled(self, opened: bool) -> None:  # noqa: FBT001
        self._details.setVisible(opened)

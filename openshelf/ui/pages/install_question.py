"""The one question before the first install: for whom? It is asked once and never a form."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Button, LinkButton, TextLabel

MYSELF, ORGANIZATION = "myself", "organization"


class UseQuestion(QFrame):
    """Emits `answered` with MYSELF or ORGANIZATION, or `cancelled`."""

    answered = Signal(str)
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 22)
        column.setSpacing(12)
        column.addWidget(TextLabel(self.tr("Who will use the models?"), TextRole.HEADING))
        text = self.tr(
            "What a license asks depends on it. You are asked only once, and can change the "
            "answer in Settings."
        )
        column.addWidget(TextLabel(text, TextRole.BODY, "muted", wrap=True))
        choices = QHBoxLayout()
        choices.setSpacing(14)
        self.myself = self._add_choice(
            choices, MYSELF, self.tr("For myself"),
            self.tr("You see what each license asks before you install, and decide."),
        )  # fmt: skip
        self.organization = self._add_choice(
            choices, ORGANIZATION, self.tr("For an organization"),
            self.tr(
                "You can say what is known about it: country, size, what it does with models. "
                "Installing works without that too."
            ),
        )  # fmt: skip
        column.addLayout(choices)
        column.addStretch(1)
        last = QHBoxLayout()
        last.addStretch(1)
        self.cancel = LinkButton(self.tr("Cancel"), muted=True)
        self.cancel.clicked.connect(self.cancelled)
        last.addWidget(self.cancel)
        column.addLayout(last)

    def _add_choice(self, row: QHBoxLayout, answer: str, title: str, text: str) -> Button:
        column = QVBoxLayout()
        column.setSpacing(6)
        button = Button(title)
        button.setProperty("answer", answer)
        button.setMinimumHeight(44)
        button.setAccessibleDescription(text)
        button.clicked.connect(self._on_clicked)
        column.addWidget(button)
        column.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        column.addStretch(1)
        row.addLayout(column, 1)
        return button

    def focus_first(self) -> None:
        self.myself.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_clicked(self) -> None:
        self.answered.emit(str(self.sender().property("answer")))

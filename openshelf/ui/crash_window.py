"""The window that shows a report of an unexpected failure; the rest of the app goes on."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets import Button, PrimaryButton, TextLabel


class CrashWindow(QWidget):
    """Shows one report, to be read and copied."""

    def __init__(self, report: str) -> None:
        super().__init__()
        self._report = report
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Openshelf: something went wrong"))
        self.resize(760, 520)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(TextLabel(self.tr("Something went wrong"), TextRole.TITLE))
        text = self.tr(
            "This should not have happened. What you were doing may not be finished; everything "
            "else goes on. Nothing was sent anywhere: the report below stays on this machine, "
            "without your folder’s name and without tokens, unless you pass it on."
        )
        column.addWidget(TextLabel(text, TextRole.BODY, "muted", wrap=True))
        view = QPlainTextEdit()
        view.setProperty("kind", "text")
        view.setReadOnly(True)
        view.setTabChangesFocus(True)
        view.setFont(font(TextRole.CODE))
        view.setPlainText(report)
        view.setAccessibleName(self.tr("Report"))
        column.addWidget(view, 1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        self.copy = Button(self.tr("Copy report"))
        self.copy.clicked.connect(self._on_copy)
        self.dismiss = PrimaryButton(self.tr("Close"))
        self.dismiss.clicked.connect(self.close)
        buttons.addWidget(self.copy)
        buttons.addWidget(self.dismiss)
        column.addLayout(buttons)
        self.dismiss.setFocus()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._report)

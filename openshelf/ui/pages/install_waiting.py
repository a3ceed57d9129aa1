"""The install sheet before there is an offer: what is being looked up, or why that failed."""

from __future__ import annotations

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from openshelf.errors import GatedModel, OpenshelfError
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Button, InlineNotice, NoticeLevel, TextLabel


class WaitingPanel(QFrame):
    """The sheet while the offer is looked up, and when that failed."""

    cancelled = Signal()
    retried = Signal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(14)
        self.phase = TextLabel("", TextRole.BODY, "muted", wrap=True)
        self.notice = InlineNotice()
        self.notice.acted.connect(self.retried)
        column.addWidget(self.phase)
        column.addWidget(self.notice)
        column.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        self.open_page = Button(self.tr("Open the page"))
        self.open_page.clicked.connect(self._on_open_page)
        self.open_page.hide()
        self._page_url = ""
        self.cancel = Button(self.tr("Cancel"))
        self.cancel.clicked.connect(self.cancelled)
        buttons.addWidget(self.open_page)
        buttons.addWidget(self.cancel)
        column.addLayout(buttons)

    def show_phase(self, text: str) -> None:
        self.phase.setText(text)
        self.phase.show()
        self.notice.hide()
        self.open_page.hide()
        self.cancel.setText(self.tr("Cancel"))

    def show_error(self, error: BaseException) -> None:
        self.phase.hide()
        self.notice.show_message(
            error_text(error),
            NoticeLevel.WARNING if isinstance(error, OpenshelfError) else NoticeLevel.BAD,
            button=self.tr("Try again"),
            details=error_details(error),
        )
        self.cancel.setText(self.tr("Close"))
        # The form is the person's own to fill in: nothing is sent or accepted for them.
        self._page_url = error.url if isinstance(error, GatedModel) else ""
        self.open_page.setVisible(bool(self._page_url))
        self.open_page.setToolTip(self._page_url)

    def _on_open_page(self) -> None:
        QDesktopServices.openUrl(QUrl(self._page_url))

"""The download inside the install sheet: bytes, speed, time left, pause, resume, cancel."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.library.downloads import Download, DownloadState
from openshelf.ui.models.download_words import figures_words, state_words
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Button, LinkButton, Meter, SectionLabel, TextLabel


class DownloadPanel(QWidget):
    """Shows one Download; emits what was pressed."""

    paused = Signal()
    resumed = Signal()
    cancelled = Signal()
    sent_to_background = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._state = DownloadState.QUEUED
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(SectionLabel(self.tr("Installing")))
        self.meter = Meter(self.tr("Progress of the download"))
        self.figures = TextLabel("", TextRole.SMALL, wrap=True)
        self.state = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        for widget in (self.meter, self.figures, self.state):
            column.addWidget(widget)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        self.toggle = Button(self.tr("Pause"))
        self.cancel = Button(self.tr("Cancel"))
        buttons.addWidget(self.toggle)
        buttons.addWidget(self.cancel)
        buttons.addStretch(1)
        column.addLayout(buttons)
        self.background = LinkButton(self.tr("Continue in background"))
        column.addWidget(self.background)
        self.toggle.clicked.connect(self._on_toggle)
        self.cancel.clicked.connect(self.cancelled)
        self.background.clicked.connect(self.sent_to_background)

    def show_download(self, download: Download) -> None:
        self._state = download.state
        share = download.done_bytes / download.total_bytes if download.total_bytes else 0.0
        figures = figures_words(download)
        self.meter.set_fraction(share, figures)
        self.figures.setText(figures)
        words = state_words(download.state)
        if download.reason is not None:
            words = reason_sentence(download.reason)
        self.state.setText(words)
        has_failed = download.state is DownloadState.FAILED
        self.state.set_tone("bad" if has_failed else "muted")
        rests = has_failed or download.state is DownloadState.PAUSED
        text = self.tr("Resume") if rests else self.tr("Pause")
        self.toggle.setText(text)
        self.toggle.setAccessibleName(text)
        self.toggle.setEnabled(download.state is not DownloadState.VERIFYING)

    def _on_toggle(self) -> None:
        if self._state in (DownloadState.PAUSED, DownloadState.FAILED):
            self.resumed.emit()
        else:
            self.paused.emit()

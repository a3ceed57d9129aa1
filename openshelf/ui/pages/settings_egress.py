"""Settings: what went out to the network since the start, newest first."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QGridLayout
from typing_extensions import override

from openshelf.network import EgressEntry, EgressLog
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Card, TextLabel
from openshelf.units import format_bytes

_MOST_ROWS = 12
_LOOK_MILLISECONDS = 1000
_COLUMNS = 4


class EgressCard(Card):
    """Time, host, purpose and bytes of each request; looks again while it is on the screen."""

    def __init__(self, log: EgressLog) -> None:
        super().__init__()
        self._log = log
        self._shown: tuple[EgressEntry, ...] | None = None
        self.body.addWidget(TextLabel(self.tr("What went out to the network"), TextRole.HEADING))
        self.summary = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.body.addWidget(self.summary)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(2, 1)
        self._rows: list[list[TextLabel]] = []
        self.body.addLayout(self._grid)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MILLISECONDS)
        self._timer.timeout.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the log holds now; cheap where nothing came."""
        entries = self._log.entries()
        if entries == self._shown:
            return
        self._shown = entries
        self.summary.setText(self._summary(entries))
        newest = entries[: -_MOST_ROWS - 1 : -1]
        while len(self._rows) < len(newest):
            self._add_row()
        for labels, entry in zip(self._rows, newest, strict=False):
            clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
            texts = (clock, entry.host, entry.purpose, format_bytes(entry.received_bytes))
            for label, text in zip(labels, texts, strict=True):
                label.setText(text)

    def _summary(self, entries: tuple[EgressEntry, ...]) -> str:
        if not entries:
            return self.tr("Nothing since the start: no other machine was asked for anything.")
        words = self.tr(
            "Since the start: {count} requests, {size} received. Kept in memory only, without "
            "addresses of files and without access tokens. The newest:"
        )
        size = format_bytes(sum(entry.received_bytes for entry in entries))
        return words.format(count=len(entries), size=size)

    def _add_row(self) -> None:
        row = len(self._rows)
        labels = [TextLabel("", TextRole.SMALL, "muted") for _ in range(_COLUMNS)]
        labels[-1].setAlignment(Qt.AlignmentFlag.AlignRight)
        for column, label in enumerate(labels):
            self._grid.addWidget(label, row, column)
        self._rows.append(labels)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        self._timer.start()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

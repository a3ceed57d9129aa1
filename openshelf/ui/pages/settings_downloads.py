"""Settings: how fast downloads may be, and in which hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit

from openshelf.bandwidth import clock_words, parse_hours, parse_rate
from openshelf.settings import Settings
from openshelf.ui.models.bandwidth_words import limit_words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Card, NoticeLevel, SegmentedControl, TextLabel, TickBox
from openshelf.ui.widgets.notice import InlineNotice
from openshelf.ui.widgets.setting_line import SettingLine

_USUAL = ("22:00", "07:00")


class DownloadsCard(Card):
    """`changed` carries a function that makes the new settings from those in force."""

    changed = Signal(object)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.body.addWidget(TextLabel(self.tr("Downloads"), TextRole.HEADING))
        self.limit = _field(self.tr("At most, all together"), 110)
        self.limit.setPlaceholderText(self.tr("no limit"))
        self.body.addWidget(SettingLine(self.tr("At most"), self.limit))
        self.by_hours = TickBox(self.tr("Full speed in certain hours only"))
        self.body.addWidget(self.by_hours)
        self.start, self.end = _field(self.tr("From"), 64), _field(self.tr("To"), 64)
        to = TextLabel(self.tr("to"), TextRole.SMALL, "muted")
        self._hours = SettingLine(self.tr("From"), self.start, to, self.end)
        options = [(False, self.tr("The limit above")), (True, self.tr("Nothing is fetched"))]
        self.pauses: SegmentedControl[bool] = SegmentedControl(
            self.tr("Otherwise"), options, settings.download_pauses
        )
        self._otherwise = SettingLine(self.tr("Otherwise"), self.pauses)
        self.problem = InlineNotice()
        for part in (self._hours, self._otherwise, self.problem):
            self.body.addWidget(part)
        text = self.tr(
            "For all downloads together, also those that run. One alone is limited in its menu in "
            "the Library. The offline switch stands above all of this."
        )
        self.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        self.show_settings(settings)
        self.limit.editingFinished.connect(self._on_limit)
        self.by_hours.toggled.connect(self._on_hours)
        for field in (self.start, self.end):
            field.editingFinished.connect(self._on_hours)
        self.pauses.value_changed.connect(self._on_hours)

    def show_settings(self, settings: Settings) -> None:
        """What is in force; nothing is announced."""
        limit, hours = settings.download_limit, parse_hours(settings.download_hours)
        self.limit.setText("" if limit is None else limit_words(limit))
        self.by_hours.blockSignals(True)
        self.by_hours.setChecked(hours is not None)
        self.by_hours.blockSignals(False)
        if hours is not None:
            self.start.setText(clock_words(hours.start))
            self.end.setText(clock_words(hours.end))
        elif not self.start.text():
            self.start.setText(_USUAL[0])
            self.end.setText(_USUAL[1])
        self.pauses.choose(settings.download_pauses)
        self._hours.setVisible(hours is not None)
        self._otherwise.setVisible(hours is not None)
        self.problem.hide()

    def _on_limit(self) -> None:
        text = self.limit.text().strip()
        # A bare number is one of megabytes: that is what people know of their line.
        rate = parse_rate(text) or parse_rate(f"{text} MB/s")
        if text and rate is None:
            words = self.tr("{text} is no speed. Write 2 MB/s or 500 kB/s.").format(text=text)
            self.problem.show_message(words, NoticeLevel.BAD)
            return
        self._change(lambda settings: replace(settings, download_limit=rate))

    def _on_hours(self) -> None:
        if not self.by_hours.isChecked():
            self._change(
                lambda settings: replace(settings, download_hours="", download_pauses=False)
            )
            return
        text = f"{self.start.text().strip()}-{self.end.text().strip()}"
        hours = parse_hours(text)
        if hours is None:
            words = self.tr("{text} are no hours. Write 22:00 and 07:00.").format(text=text)
            self.problem.show_message(words, NoticeLevel.BAD)
            return
        pauses = self.pauses.value
        self._change(
            lambda settings: replace(settings, download_hours=str(hours), download_pauses=pauses)
        )

    def _change(self, change: Callable[[Settings], Settings]) -> None:
        self.problem.hide()
        self.changed.emit(change)


def _field(name: str, width: int) -> QLineEdit:
    field = QLineEdit()
    field.setAccessibleName(name)
    field.setFixedWidth(width)
    field.setMaxLength(20)
    return field

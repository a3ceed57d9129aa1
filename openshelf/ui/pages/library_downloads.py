"""The card of downloads in the library: its rows in the order of their turns, and one limit."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout

from openshelf.library.downloads import Download, DownloadState
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.tasks import Failed, Outcome
from openshelf.ui.models.bandwidth_words import bandwidth_words
from openshelf.ui.models.settings_keeping import keep_settings
from openshelf.ui.pages.library_download import DownloadRow
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.keyed_rows import KeyedRows
from openshelf.ui.widgets.limit_menu import LimitMenu
from openshelf.ui.widgets.text import TextLabel


class DownloadsCard(Card):
    """`failed` carries what kept a limit from being saved; `settings_pressed` asks for more."""

    failed = Signal(object)
    settings_pressed = Signal()

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__(margin=18, spacing=4)
        self._settings, self._bridge = services.settings, bridge
        self.rows: KeyedRows[DownloadRow] = KeyedRows()
        self.limit_button = LinkButton(muted=True)
        self.limit_menu = LimitMenu(self.tr("Limit"), self.limit_button, self.tr("Hours and more…"))
        self.limit_button.setMenu(self.limit_menu)
        head = QHBoxLayout()
        head.addWidget(TextLabel(self.tr("Downloads"), TextRole.HEADING), 1)
        head.addWidget(self.limit_button)
        self.body.addLayout(head)
        self.body.addWidget(self.rows)
        self.limit_menu.chosen.connect(self._on_limit)
        self.limit_menu.more_chosen.connect(self.settings_pressed)
        bridge.listen(services.settings.announcer, self._show_limit)
        self._show_limit(services.settings.current)

    def show_downloads(
        self, downloads: Iterable[Download], make: Callable[[Hashable], DownloadRow]
    ) -> None:
        """Those that were not cancelled; the card hides where there are none."""
        shown = [d for d in downloads if d.state is not DownloadState.CANCELLED]
        shown.sort(key=lambda download: (download.order, download.id))
        self.rows.set_keys([download.id for download in shown], make)
        for download in shown:
            row = self.rows.row(download.id)
            if row is not None:
                row.show_download(download)
        self.setVisible(bool(shown))

    def _show_limit(self, settings: Settings) -> None:
        text = self.tr("limit: {rate}").format(rate=bandwidth_words(settings.bandwidth))
        self.limit_button.setText(f"{text} ▾")
        self.limit_button.setAccessibleName(text)
        self.limit_menu.show_limit(settings.download_limit)

    def _on_limit(self, rate: int | None) -> None:
        settings = replace(self._settings.current, download_limit=rate)
        keep_settings(self._settings, self._bridge, settings, self._on_written)

    def _on_written(self, outcome: Outcome[None]) -> None:
        if isinstance(outcome, Failed):
            self.failed.emit(outcome.error)

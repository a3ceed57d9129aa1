"""The library page: what is being downloaded, what is installed, what it takes of the disk."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.library.downloads import Download, DownloadState
from openshelf.library.installed import InstalledModel
from openshelf.library.queue_order import Move
from openshelf.library.removal import Removed
from openshelf.services import Services
from openshelf.tasks import Cancelled, CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.chat_facts import read_acceptances
from openshelf.ui.models.library_facts import LibraryFacts, read_library
from openshelf.ui.pages.library_bundle import BundleCard
from openshelf.ui.pages.library_checks import LibraryChecks
from openshelf.ui.pages.library_disk import DiskCard
from openshelf.ui.pages.library_download import DownloadRow
from openshelf.ui.pages.library_downloads import DownloadsCard
from openshelf.ui.pages.library_drops import LibraryDrops
from openshelf.ui.pages.library_export import ExportCard
from openshelf.ui.pages.library_folders import FoldersNotice
from openshelf.ui.pages.library_imports import ImportCard
from openshelf.ui.pages.library_installed import InstalledCard
from openshelf.ui.pages.library_removal import RemovalChoice
from openshelf.ui.pages.library_updates import UpdateCard
from openshelf.ui.pages.library_upkeep import UpkeepNotice
from openshelf.ui.places import Place
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.containers import EmptyState, PageHeader, ScrollPage
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.ui.widgets.page import Page
from openshelf.units import format_bytes


class LibraryPage(Page):
    """Downloads change by announcement, everything else is read again when it may have changed."""

    def __init__(
        self, services: Services, bridge: TaskBridge, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._services, self._bridge = services, bridge
        self._facts: LibraryFacts | None = None
        self._accepted: dict[str, str] = {}
        self._downloads: dict[str, Download] = {}
        self._build()
        self._connect()
        self._show_all()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = PageHeader(self.tr("Library"), self.tr("Looking at what is installed…"))
        self.empty = EmptyState(
            self.tr("Nothing is installed yet"),
            self.tr(
                "Models that you install appear here, with their license, their size and whether "
                "their files are still as they were published."
            ),
            self.tr("Go to the Shelf"),
        )
        self.verify_button = Button(self.tr("Verify all"))
        self.import_button = Button(self.tr("Import…"))
        self.export_button = Button(self.tr("Export to USB…"))
        self.header.add_control(self.import_button)
        self.header.add_control(self.export_button)
        self.header.add_control(self.verify_button)
        self._scroll = ScrollPage(spacing=14)
        self.notice = InlineNotice()
        self.checks = LibraryChecks(self._services, self._bridge)
        self.folders = FoldersNotice(self._services, self._bridge)
        self.upkeep = UpkeepNotice(self._services, self._bridge)
        self.imports = ImportCard(self._services, self._bridge)
        self.updates = UpdateCard(self._services, self._bridge)
        self.bundle = BundleCard(self._services, self._bridge)
        self.export = ExportCard(self._services, self._bridge)
        self.drops = LibraryDrops(self, self._bridge)
        self.downloads_card = DownloadsCard(self._services, self._bridge)
        self.download_rows = self.downloads_card.rows
        self.installed_card = InstalledCard()
        self.disk_card = DiskCard()
        for part in (
            self.notice, self.folders, self.checks, self.upkeep, self.updates, self.imports,
            self.bundle, self.export,
            self.downloads_card, self.installed_card, self.disk_card,
        ):  # fmt: skip
            self._scroll.body.addWidget(part)
        self._scroll.body.addStretch(1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._scroll)
        self._stack.addWidget(self.empty)
        column.addWidget(self.header)
        column.addWidget(self._stack, 1)

    def _connect(self) -> None:
        self.empty.acted.connect(self._on_shelf_requested)
        self.notice.acted.connect(self.refresh)
        self.import_button.clicked.connect(self._on_import)
        self.imports.import_pressed.connect(self.install_requested)
        self.updates.install_pressed.connect(self.install_requested)
        self.imports.close_button.clicked.connect(self._show_all)
        self.imports.bundle_found.connect(self._on_bundle_found)
        self.bundle.import_pressed.connect(self.install_requested)
        self.bundle.ended.connect(self._show_all)
        self.export_button.clicked.connect(self._on_export)
        self.export.ended.connect(self._show_all)
        self.drops.file_dropped.connect(self.install_requested)
        self.drops.folder_dropped.connect(self._on_folder_dropped)
        self.downloads_card.failed.connect(self._show_error)
        self.downloads_card.settings_pressed.connect(self._on_settings_pressed)
        self.verify_button.clicked.connect(self._on_verify_all)
        self.checks.ended.connect(self._show_all)
        self.folders.import_pressed.connect(self._on_import)
        self.folders.changed.connect(self.refresh)
        card = self.installed_card
        card.chat_pressed.connect(self._on_chat)
        card.folder_pressed.connect(self._on_folder)
        card.remove_confirmed.connect(self._on_remove)
        card.verify_pressed.connect(self._on_verify)
        card.again_pressed.connect(self.install_requested)
        card.update_pressed.connect(self._on_update)
        card.asked.connect(self._on_removal_asked)
        self._bridge.listen(
            self._services.downloads.announcer, self._on_download_changed, latest_by=_id_of
        )
        self._bridge.listen(
            self._services.library.announcer, self._on_library_changed, latest_by=_any
        )

    @override
    def open_page(self) -> None:
        self.refresh()
        self.folders.look()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        """The table takes most of the page, and scrolls by itself beyond that."""
        super().resizeEvent(event)
        self.installed_card.view.set_limit(self.height() - self.header.height() - 120)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.folders.watch(is_shown=True)

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.folders.watch(is_shown=False)

    @override
    def focus_content(self) -> None:
        if self._stack.currentWidget() is self.empty and self.empty.button is not None:
            self.empty.button.setFocus()
        elif not self.installed_card.isHidden():
            self.installed_card.view.setFocus()

    def refresh(self) -> None:
        """Read everything again."""
        self._read_downloads()
        self._bridge.submit("library", read_library(self._services), on_outcome=self._on_read)
        self._bridge.submit(
            "acceptances", read_acceptances(self._services), on_outcome=self._on_acceptances_read
        )

    def _read_downloads(self) -> None:
        snapshots = self._services.downloads.snapshots()
        self._downloads = {download.id: download for download in snapshots}
        self._show_downloads()
        self._show_all()

    # --- what was read or announced ---------------------------------------------------------------

    def _on_read(self, outcome: Outcome[LibraryFacts]) -> None:
        match outcome:
            case Succeeded(facts):
                self._facts = replace(facts, accepted=self._accepted)
                self._show_installed(self._facts)
                self._show_all()
            case Failed(error):
                self._show_error(error)
            case Cancelled():
                pass

    def _on_acceptances_read(self, outcome: Outcome[dict[str, str]]) -> None:
        """A log that cannot be read costs the dates, not the list."""
        if isinstance(outcome, Succeeded):
            self._accepted = outcome.value
            if self._facts is not None:
                self._facts = replace(self._facts, accepted=self._accepted)
                self._show_installed(self._facts)

    def _on_download_changed(self, download: Download) -> None:
        self._downloads[download.id] = download
        self._show_downloads()
        self._show_all()
        if download.state is DownloadState.DONE:
            self.refresh()

    def _on_library_changed(self, _: tuple[InstalledModel, ...]) -> None:
        self.imports.look_again()
        self.refresh()

    def _show_error(self, error: BaseException) -> None:
        self._stack.setCurrentWidget(self._scroll)
        self.notice.show_message(
            error_text(error),
            NoticeLevel.BAD,
            button=self.tr("Try again"),
            details=error_details(error),
        )

    # --- showing ----------------------------------------------------------------------------------

    def _show_downloads(self) -> None:
        self.downloads_card.show_downloads(self._downloads.values(), self._make_download_row)

    def _show_installed(self, facts: LibraryFacts) -> None:
        self.installed_card.show_facts(facts)
        self.installed_card.setVisible(bool(facts.installed))
        self.disk_card.show_facts(facts)

    def _show_all(self) -> None:
        facts = self._facts
        can_verify = facts is not None and bool(facts.installed) and not self.checks.is_running
        self.verify_button.setEnabled(can_verify)
        if facts is None:
            self.installed_card.hide()
            self.disk_card.hide()
            return
        is_empty = not facts.installed and not self.download_rows.rows
        is_empty = is_empty and self.notice.isHidden() and self.imports.isHidden()
        is_empty = is_empty and self.bundle.isHidden() and self.export.isHidden()
        self.export_button.setEnabled(bool(facts.installed))
        self._stack.setCurrentWidget(self.empty if is_empty else self._scroll)
        words = []
        if facts.installed:
            total = format_bytes(facts.use.used_bytes)
            words = [self.tr("%n model(s)", "", len(facts.installed)), total]
        if facts.disk is not None:
            text = self.tr("{size} free on {path}")
            free = format_bytes(facts.disk.free_bytes)
            words.append(text.format(size=free, path=facts.disk.path))
        self.header.set_subtitle(" · ".join(words))

    def _make_download_row(self, _: Hashable) -> DownloadRow:
        row = DownloadRow()
        row.pause_pressed.connect(self._on_pause)
        row.resume_pressed.connect(self._on_resume)
        row.cancel_pressed.connect(self._on_cancel)
        row.dismiss_pressed.connect(self._on_dismiss)
        row.chat_pressed.connect(self._on_chat)
        row.move_pressed.connect(self._on_move)
        row.limit_pressed.connect(self._on_limit)
        return row

    # --- what was pressed -------------------------------------------------------------------------

    def _on_pause(self, download_id: str) -> None:
        self._do(self._services.downloads.pause, download_id)

    def _on_resume(self, download_id: str) -> None:
        self._do(self._services.downloads.resume, download_id)

    def _on_cancel(self, download_id: str) -> None:
        self._do(self._services.downloads.cancel, download_id)

    def _on_dismiss(self, download_id: str) -> None:
        self._do(self._services.downloads.dismiss, download_id)

    def _on_move(self, download_id: str, move: Move) -> None:
        self._do(partial(self._services.downloads.move, move=move), download_id)

    def _on_limit(self, download_id: str, rate: int | None) -> None:
        self._do(partial(self._services.downloads.limit, bytes_per_second=rate), download_id)

    def _on_settings_pressed(self) -> None:
        self.place_requested.emit(Place.SETTINGS)

    def _do(self, act: Callable[[str], None], download_id: str) -> None:
        """Stopping a child may take a moment, so not even a cancel runs in the window's thread."""

        def work(cancel: CancelToken, report: Report) -> None:
            act(download_id)

        self._bridge.submit("download", work, on_outcome=self._on_done)

    def _on_done(self, outcome: Outcome[None]) -> None:
        if isinstance(outcome, Failed):
            self._show_error(outcome.error)
        self._read_downloads()

    def _on_chat(self, model_id: str) -> None:
        self.chat_requested.emit(model_id)

    def _on_folder(self, model_id: str) -> None:
        models = self._facts.installed if self._facts else ()
        model = next((model for model in models if model.id == model_id), None)
        if model is not None and model.files:
            folder = Path(model.first_file.location).parent
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _on_import(self) -> None:
        self.imports.open_card()
        self._show_all()

    def _on_bundle_found(self, folder: str) -> None:
        self.bundle.open_bundle(folder)
        self._show_all()

    def _on_export(self) -> None:
        self.export.open_card(self._facts.installed if self._facts else ())
        self._show_all()

    def _on_folder_dropped(self, path: str) -> None:
        """It is looked through, a bundle verified."""
        self.imports.open_card(path)
        self._show_all()

    def _on_update(self, model_id: str) -> None:
        models = self._facts.installed if self._facts else ()
        model = next((model for model in models if model.id == model_id), None)
        if model is not None:
            self.updates.look(model)
            self._scroll.ensureWidgetVisible(self.updates)

    def _on_verify_all(self) -> None:
        models = self._facts.installed if self._facts else ()
        self._verify([model for model in models if not model.away])

    def _on_verify(self, model_id: str) -> None:
        models = self._facts.installed if self._facts else ()
        self._verify([model for model in models if model.id == model_id])

    def _verify(self, models: Sequence[InstalledModel]) -> None:
        self.checks.verify(models)
        self._show_all()

    def _on_removal_asked(self) -> None:
        self._scroll.ensureWidgetVisible(self.installed_card.question)

    def _on_remove(self, choice: RemovalChoice) -> None:
        def work(cancel: CancelToken, report: Report) -> Removed:
            return self._services.library.remove(
                choice.model_id, for_good=choice.for_good, all_files=choice.all_files
            )

        self._bridge.submit("remove a model", work, on_outcome=self._on_removed)

    def _on_removed(self, outcome: Outcome[Removed]) -> None:
        self.installed_card.end_removal()
        match outcome:
            case Succeeded(removed):
                self.notice.show_message(self._removed_text(removed), NoticeLevel.GOOD)
            case Failed(error):
                self._show_error(error)
            case Cancelled():
                pass
        self.refresh()

    def _removed_text(self, removed: Removed) -> str:
        text = self.tr("Removed. {size} are free again.")
        if not removed.freed_bytes:
            text = self.tr("Removed from the list. No room was freed.")
        if removed.trashed_bytes:
            text = self.tr("Moved to the trash. {size} are free once you empty it.")
        return text.format(size=format_bytes(removed.freed_bytes))

    def _on_shelf_requested(self) -> None:
        self.place_requested.emit(Place.SHELF)


def _any(_: tuple[InstalledModel, ...]) -> str:
    return "library"


def _id_of(download: Download) -> str:
    return download.id

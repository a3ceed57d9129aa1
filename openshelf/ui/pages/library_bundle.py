"""A bundle that was brought: verified as a whole, then each model through the install sheet."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget
from typing_extensions import override

from openshelf.library.bundles import Bundle
from openshelf.library.bundling import BundleOffer
from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.tasks import Cancelled, CancelToken, Failed, Outcome, Progress, Report, Succeeded
from openshelf.ui.models.bundle_words import offer_words
from openshelf.ui.pages.library_transfer import TransferCard
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton
from openshelf.ui.widgets.keyed_rows import KeyedRows
from openshelf.ui.widgets.notice import NoticeLevel
from openshelf.ui.widgets.text import TextLabel
from openshelf.units import format_bytes

Read = tuple[Bundle, tuple[BundleOffer, ...]]


class BundledRow(QWidget):
    """`pressed` carries the path of the model's first file, as a target."""

    pressed = Signal(str)

    def __init__(self, found: BundleOffer) -> None:
        super().__init__()
        self._path = str(found.model.paths[0])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 5, 0, 5)
        row.setSpacing(14)
        name = " ".join(found.model.name.split())
        self.name = TextLabel(name, TextRole.STRONG, wrap=True)
        self.quant = TextLabel(found.model.quant or "", TextRole.CODE)
        self.words = TextLabel(offer_words(found), TextRole.SMALL, "muted", wrap=True)
        is_here = found.offer.installed_id is not None
        self.button = LinkButton(self.tr("In the library") if is_here else self.tr("Import"))
        self.button.setEnabled(not is_here)
        self.button.setAccessibleName(self.tr("Import {name}").format(name=name))
        self.button.clicked.connect(self._on_clicked)
        # As wide in each row, so that they stand below each other.
        self.quant.setMinimumWidth(80)
        self.button.setMinimumWidth(104)
        row.addWidget(self.name, 2)
        row.addWidget(self.quant)
        row.addWidget(self.words, 2)
        row.addWidget(self.button)

    def _on_clicked(self) -> None:
        self.pressed.emit(self._path)


class BundleCard(TransferCard):
    """Hidden until `open_bundle`; `import_pressed` carries a target for the install sheet."""

    import_pressed = Signal(str)

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__(bridge, services.library.announcer, heading="")
        self._services = services
        self._folder = ""
        self._found: dict[Hashable, BundleOffer] = {}
        self.heading.setText(self.tr("A bundle"))
        self.close_button.setAccessibleName(self.tr("Close the bundle"))
        self.rows: KeyedRows[BundledRow] = KeyedRows()
        self.body.addWidget(self.rows)

    def open_bundle(self, folder: str) -> None:
        """Verify every byte of it; what is wrong is named, and nothing of it is offered."""
        self._folder = folder
        self.show()
        # The card that found it is hidden, and would hand the keyboard to the rail.
        self.close_button.setFocus()
        self._show_found(())
        self.words.setText(self.tr("From {folder}").format(folder=folder))
        bundles = self._services.bundles

        def work(cancel: CancelToken, report: Report) -> Read:
            return bundles.read(Path(folder), cancel, report)

        self.run("read a bundle", work, self._on_read)

    @override
    def progress_words(self, progress: Progress) -> str:
        return self.tr("Comparing every byte with its SHA-256: {done} of {total}").format(
            done=format_bytes(progress.done), total=format_bytes(progress.total or progress.done)
        )

    def _on_read(self, outcome: Outcome[Read]) -> None:
        match outcome:
            case Succeeded((bundle, found)):
                self._show_found(found)
                text = self.tr(
                    "From {folder}, written {day}. Every byte is as it was exported. Each model is "
                    "copied to the model folder once its license was accepted on this machine."
                )
                day = bundle.created_at[:10]
                self.words.setText(text.format(folder=bundle.folder, day=day))
                self.button_of_first()
            case Failed(error):
                self.notice.show_message(
                    error_text(error), NoticeLevel.BAD, details=error_details(error)
                )
            case Cancelled():
                self.hide()
                self.ended.emit()

    def button_of_first(self) -> None:
        """Put the keyboard on the first model that can be imported, unless it went elsewhere."""
        if not self.isAncestorOf(self.window().focusWidget()):
            return
        for row in self.rows.rows:
            if row.button.isEnabled():
                row.button.setFocus()
                return

    @override
    def library_changed(self, installed: tuple[InstalledModel, ...]) -> None:
        """What was imported is in the library now."""
        here = {model.id for model in installed}
        for key, found in self._found.items():
            row = self.rows.row(key)
            if row is not None and found.offer.model_id in here:
                row.button.setText(self.tr("In the library"))
                row.button.setEnabled(False)

    def _show_found(self, found: tuple[BundleOffer, ...]) -> None:
        self._found = {(each.model.id, number): each for number, each in enumerate(found)}
        self.rows.set_keys(list(self._found), self._make_row)

    def _make_row(self, key: Hashable) -> BundledRow:
        row = BundledRow(self._found[key])
        row.pressed.connect(self.import_pressed)
        return row

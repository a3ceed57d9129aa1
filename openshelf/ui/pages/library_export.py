"""Exporting models to a folder or a drive: chosen by ticks, written with licenses and hashes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

from PySide6.QtWidgets import QHBoxLayout, QLineEdit
from typing_extensions import override

from openshelf.library.exporting import ExportReport
from openshelf.library.installed import InstalledModel
from openshelf.services import Services
from openshelf.tasks import Cancelled, CancelToken, Failed, Outcome, Progress, Report, Succeeded
from openshelf.ui.pages.library_transfer import TransferCard
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton, PrimaryButton
from openshelf.ui.widgets.file_dialogs import ask_for_folder
from openshelf.ui.widgets.keyed_rows import KeyedRows
from openshelf.ui.widgets.notice import NoticeLevel
from openshelf.ui.widgets.text import TextLabel
from openshelf.ui.widgets.tick import TickBox
from openshelf.units import format_bytes

MOST_TICKS = 30
"""So many are shown at once, and a field to search for the others."""


class ExportCard(TransferCard):
    """Hidden until `open_card`. What is chosen stays so, whether it is shown or not."""

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__(bridge, services.library.announcer, heading="")
        self._services = services
        self._models: dict[Hashable, InstalledModel] = {}
        self._chosen: set[Hashable] = set()
        self.heading.setText(self.tr("Export to a folder or a USB drive"))
        self.close_button.setAccessibleName(self.tr("Close the export"))
        self.words.setText(
            self.tr(
                "Copies of the chosen models with their licenses, acceptance records, hashes and "
                "settings. A machine without a network imports them from there; its own policy "
                "decides."
            )
        )
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search models…"))
        self.search.setAccessibleName(self.tr("Search models to export"))
        self.search.setClearButtonEnabled(True)
        self.body.addWidget(self.search)
        self.ticks: KeyedRows[TickBox] = KeyedRows()
        self.body.addWidget(self.ticks)
        self.more = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.body.addWidget(self.more)
        self.all_button = LinkButton(small=True)
        self.chosen = TextLabel("", TextRole.SMALL, "muted")
        self.export_button = PrimaryButton(self.tr("Choose where…"))
        foot = QHBoxLayout()
        foot.setSpacing(14)
        foot.addWidget(self.all_button)
        foot.addStretch(1)
        foot.addWidget(self.chosen)
        foot.addWidget(self.export_button)
        self.body.addLayout(foot)
        self.search.textChanged.connect(self._show_ticks)
        self.all_button.clicked.connect(self._on_all)
        self.export_button.clicked.connect(self._on_export)

    def open_card(self, installed: tuple[InstalledModel, ...]) -> None:
        """Show it with what is installed; what was ticked before stays so."""
        self.library_changed(installed)
        self.show()
        first = next(iter(self.ticks.rows), None)
        (first or self.close_button).setFocus()

    @override
    def library_changed(self, installed: tuple[InstalledModel, ...]) -> None:
        usable = [model for model in installed if model.is_usable]
        self._models = {model.id: model for model in sorted(usable, key=lambda m: m.name.lower())}
        self._chosen &= self._models.keys()
        self.search.setVisible(len(self._models) > MOST_TICKS)
        self._show_ticks()
        self._show_chosen()

    def chosen_models(self) -> list[InstalledModel]:
        return [model for key, model in self._models.items() if key in self._chosen]

    def export_to(self, folder: str) -> None:
        """Write the chosen models there."""
        models, bundles = self.chosen_models(), self._services.bundles
        if not models or self.is_running:
            return

        def work(cancel: CancelToken, report: Report) -> ExportReport:
            return bundles.export(models, Path(folder), cancel, report)

        self.run("export", work, self._on_exported)
        self._show_chosen()

    @override
    def progress_words(self, progress: Progress) -> str:
        return self.tr("Copying and comparing: {done} of {total}").format(
            done=format_bytes(progress.done), total=format_bytes(progress.total or progress.done)
        )

    def _make_tick(self, key: Hashable) -> TickBox:
        model = self._models[key]
        name = f"{' '.join(model.name.split())} {model.quant or ''}".strip()
        tick = TickBox(f"{name} · {format_bytes(model.size_bytes)} · {model.license_expression}")
        tick.setProperty("model", key)
        tick.toggled.connect(self._on_ticked)
        return tick

    def _show_ticks(self) -> None:
        """The first of those that are searched for."""
        words = self.search.text().casefold().split() if not self.search.isHidden() else []
        found = [
            key
            for key, model in self._models.items()
            if all(word in f"{model.name} {model.quant}".casefold() for word in words)
        ]
        self.ticks.set_keys(found[:MOST_TICKS], self._make_tick)
        self._set_ticks()
        others = len(found) - len(self.ticks.rows)
        self.more.setText(self.tr("and %n other(s): search for them", "", others))
        self.more.setVisible(others > 0)

    def _set_ticks(self) -> None:
        for tick in self.ticks.rows:
            before = tick.blockSignals(True)
            tick.setChecked(tick.property("model") in self._chosen)
            tick.blockSignals(before)

    def _on_ticked(self, is_on: bool) -> None:  # noqa: FBT001  a signal's
        key = self.sender().property("model")
        self._chosen = self._chosen | {key} if is_on else self._chosen - {key}
        self._show_chosen()

    def _show_chosen(self) -> None:
        models = self.chosen_models()
        size = format_bytes(sum(model.size_bytes for model in models))
        text = self.tr("%n model(s) · {size}", "", len(models)).format(size=size)
        self.chosen.setText(text)
        self.export_button.setEnabled(bool(models) and not self.is_running)
        are_all = len(models) == len(self._models)
        self.all_button.setText(self.tr("None") if are_all else self.tr("All"))
        self.all_button.setAccessibleName(self.all_button.text())
        self.all_button.setEnabled(bool(self._models))

    def _on_all(self) -> None:
        are_all = len(self.chosen_models()) == len(self._models)
        self._chosen = set() if are_all else set(self._models)
        self._set_ticks()
        self._show_chosen()

    def _on_export(self) -> None:
        ask_for_folder(self, self.tr("Export to"), self.export_to)

    def _on_exported(self, outcome: Outcome[ExportReport]) -> None:
        self._show_chosen()
        match outcome:
            case Succeeded(report):
                self._show_report(report)
            case Failed(error):
                self.notice.show_message(
                    error_text(error), NoticeLevel.BAD, details=error_details(error)
                )
            case Cancelled():
                text = self.tr("Stopped. What was written so far was taken away again.")
                self.notice.show_message(text)

    def _show_report(self, report: ExportReport) -> None:
        text = self.tr(
            "%n model(s) in {folder}. On the other machine: Library, Import…, and this folder.",
            "",
            len(report.model_ids),
        ).format(folder=report.folder)
        if report.licenses_missing:
            more = self.tr("Not on this machine is the text of {names}; the NOTICE says where.")
            text = f"{text} {more.format(names=_listed(report.licenses_missing))}"
        self.notice.show_message(text, NoticeLevel.GOOD)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)

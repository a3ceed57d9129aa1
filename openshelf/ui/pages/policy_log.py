"""The acceptance log on the Policy screen: whether it is whole, search, a record, export."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from openshelf.durable import replace_file
from openshelf.errors import UnwritableFile
from openshelf.hub.names import is_repo_id
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.chain import VerifyReport
from openshelf.policy.log_export import export_csv, export_json, persons
from openshelf.services import Services
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.log_table import (
    LogFacts,
    LogTableModel,
    Record,
    chosen_records,
    read_log,
    record_details,
)
from openshelf.ui.models.model_words import breakable
from openshelf.ui.pages.policy_records import EraseSheet, TakeBackSheet
from openshelf.ui.pages.policy_waiver import WaiverSheet
from openshelf.ui.sentences import error_details, error_text, words
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    PAGE_MARGIN,
    Button,
    Card,
    EmptyState,
    FilterChip,
    InlineNotice,
    NoticeLevel,
    ScrollPage,
    TextLabel,
)
from openshelf.ui.widgets.file_dialogs import ask_where_to_save
from openshelf.ui.widgets.log_view import LogView

DETAILS_WIDTH = 330


class LogPanel(QWidget):
    """Reads the log in a task; exports what is listed."""

    def __init__(self, services: Services, bridge: TaskBridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._services, self._bridge = services, bridge
        self._facts: LogFacts | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(PAGE_MARGIN, 18, PAGE_MARGIN, 18)
        column.setSpacing(12)
        self.state = InlineNotice()
        self.state.acted.connect(self._on_copy_head)
        self.notice = InlineNotice()
        column.addWidget(self.notice)
        column.addWidget(self.state)
        column.addLayout(self._make_controls())
        self._model = LogTableModel(self)
        self.view = LogView(self._model)
        self.view.record_chosen.connect(self._on_record_chosen)
        self.details = RecordPanel()
        self.details.take_back.clicked.connect(self._on_take_back)
        table = Card(margin=1, spacing=0)
        table.body.addWidget(self.view)
        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(table, 1)
        self.details.setFixedWidth(DETAILS_WIDTH)
        row.addWidget(self.details)
        full = QWidget()
        full.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        self.empty = EmptyState(
            self.tr("Nothing was accepted yet"),
            self.tr("Each acceptance of license terms is written here, before a model is fetched."),
        )
        self.none_found = EmptyState(
            self.tr("No record matches"), self.tr("Nothing in the log matches this search.")
        )
        self._stack = QStackedWidget()
        for part in (full, self.empty, self.none_found):
            self._stack.addWidget(part)
        self._full = full
        column.addWidget(self._stack, 1)
        note = f"{words('log_limits')} {words('log_names')}"
        column.addWidget(TextLabel(note, TextRole.TINY, "faint", wrap=True))

    def _make_controls(self) -> QHBoxLayout:
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search models, names, licenses, notes"))
        self.search.setAccessibleName(self.tr("Search the log"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_filter_changed)
        self.person: FilterChip[str] = FilterChip(self.tr("Person"), [("", self.tr("all"))])
        self.person.value_changed.connect(self._on_filter_changed)
        self.export_button = Button(self.tr("Export…"), self.tr("Export what is listed"))
        self.export_button.clicked.connect(self._on_export)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.search, 1)
        row.addWidget(self.person)
        self.waive_button = Button(self.tr("Waiver…"), self.tr("Grant a waiver"))
        self.waive_button.clicked.connect(self._on_waive)
        self.erase_button = Button(self.tr("Erase…"), self.tr("Erase a name"))
        self.erase_button.clicked.connect(self._on_erase)
        for button in (self.waive_button, self.erase_button, self.export_button):
            row.addWidget(button)
        return row

    @property
    def listed(self) -> tuple[Record, ...]:
        """The records that search and person leave, oldest first."""
        return tuple(reversed(self._model.rows))

    def refresh(self) -> None:
        self._bridge.submit("log", read_log(self._services), on_outcome=self._on_read)

    def _on_read(self, outcome: Outcome[LogFacts]) -> None:
        if isinstance(outcome, Failed):
            self._show_error(outcome.error)
        if not isinstance(outcome, Succeeded):
            return
        facts = self._facts = outcome.value
        everyone = [(name, name) for name in persons(facts.records)]
        self.person.set_choices([("", self.tr("all")), *everyone])
        self._show_state(facts.report)
        self._show_rows()
        self.erase_button.setEnabled(bool(facts.people))
        managed = self._services.gate.policy.managed
        self.waive_button.setEnabled(not managed)
        self.waive_button.setToolTip(words("waiver_managed") if managed else "")

    def _show_state(self, report: VerifyReport) -> None:
        data = {"records": report.records, "head_sha256": report.head_sha256, "line": report.line}
        if report.problem is None:
            text, level = words("log_whole_short", **data), NoticeLevel.GOOD
        else:
            text, level = words(f"log_{report.problem}", **data), NoticeLevel.BAD
        if report.beyond_head:
            text = f"{text} {words('log_beyond_head')}"
        if report.clock_line is not None:
            text = f"{text} {words('log_clock', line=report.clock_line)}"
        self.state.show_message(text, level, button=self.tr("Copy the head"))
        self.state.setVisible(bool(report.records) or report.problem is not None)
        self.state.button.setToolTip(report.head_sha256)

    def _show_rows(self) -> None:
        facts = self._facts
        if facts is None:
            return
        found = chosen_records(facts.records, self.search.text(), self.person.value)
        self._model.set_records(found)
        self.export_button.setEnabled(bool(found))
        if not facts.records:
            self._stack.setCurrentWidget(self.empty)
        elif not found:
            self._stack.setCurrentWidget(self.none_found)
        else:
            self._stack.setCurrentWidget(self._full)
            if not self.view.currentIndex().isValid():
                self.view.choose_first()

    def _on_filter_changed(self, _: object) -> None:
        self._show_rows()

    def _on_record_chosen(self, record: object) -> None:
        shown = record if isinstance(record, dict) else None
        held = self._facts.held if self._facts is not None else frozenset()
        can_be_taken_back = shown is not None and str(shown.get("record_id")) in held
        self.details.show_record(shown, can_be_taken_back=can_be_taken_back)

    # --- what is written --------------------------------------------------------------------------

    def _on_waive(self) -> None:
        record = self.details.record or {}
        model = record.get("model")
        repo = model.get("repo") if isinstance(model, dict) else None
        target = repo if isinstance(repo, str) and is_repo_id(repo) else ""
        sheet = WaiverSheet(self._services, self._bridge, target, self.window())
        sheet.done.connect(self._on_written)
        sheet.start_at(sheet.target_field)

    def _on_take_back(self) -> None:
        record = self.details.record
        if record is not None:
            sheet = TakeBackSheet(self._services, self._bridge, record, self.window())
            sheet.done.connect(self._on_written)
            sheet.start_at(sheet.name_field)

    def _on_erase(self) -> None:
        people = self._facts.people if self._facts is not None else ()
        sheet = EraseSheet(self._services, self._bridge, people, self.window())
        if self.person.value:
            sheet.choose(self.person.value)
        sheet.done.connect(self._on_written)
        sheet.start_at(sheet.person)

    def _on_written(self, text: str) -> None:
        self.notice.show_message(text, NoticeLevel.GOOD)
        self.refresh()

    # --- export -----------------------------------------------------------------------------------

    def _on_export(self) -> None:
        title = self.tr("Export the acceptance log")
        filters = self.tr("JSON (*.json);;Table (*.csv)")
        ask_where_to_save(self, title, "acceptances.json", filters, self.export_to)

    def export_to(self, path: str) -> None:
        """Write what is listed; a name that ends in .csv makes a table."""
        if self._facts is not None:
            everything = len(self.listed) == len(self._facts.records)
            log = self._services.acceptances if everything else None
            work = write_export(path, self.listed, self._facts.report, log)
            self._bridge.submit("export log", work, on_outcome=self._on_exported)

    def _on_exported(self, outcome: Outcome[str]) -> None:
        if isinstance(outcome, Failed):
            self._show_error(outcome.error)
        elif isinstance(outcome, Succeeded):
            count = self.tr("%n record(s)", "", len(self.listed))
            text = self.tr("{count} written to {path}").format(count=count, path=outcome.value)
            self.notice.show_message(text, NoticeLevel.GOOD)

    def _show_error(self, error: BaseException) -> None:
        self.notice.show_message(error_text(error), NoticeLevel.BAD, details=error_details(error))

    def _on_copy_head(self) -> None:
        if self._facts is not None:
            report = self._facts.report
            QGuiApplication.clipboard().setText(f"{report.records} {report.head_sha256}")
            self.state.button.setText(self.tr("Copied"))


class RecordPanel(Card):
    """Everything that one record says, and a button to take it back where it holds."""

    def __init__(self) -> None:
        super().__init__(margin=1, spacing=0)
        self._scroll = ScrollPage(margin=16, top=14, spacing=6)
        self._scroll.setAccessibleName(self.tr("The record"))
        self._scroll.body.addStretch(1)
        self._holder: QWidget | None = None
        self.record: Record | None = None
        self.body.addWidget(self._scroll)
        self.take_back = Button(self.tr("Take back…"), self.tr("Take back this record"))
        self.take_back.hide()
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 0, 16, 12)
        foot.addWidget(self.take_back)
        foot.addStretch(1)
        self.body.addLayout(foot)

    def show_record(self, record: Record | None, *, can_be_taken_back: bool = False) -> None:
        self.record = record
        self.take_back.setVisible(can_be_taken_back)
        if self._holder is not None:
            self._holder.hide()
            self._holder.deleteLater()
            self._holder = None
        if record is None:
            return
        self._holder = QWidget()
        grid = QGridLayout(self._holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(7)
        grid.setColumnStretch(1, 1)
        for row, (name, value) in enumerate(record_details(record)):
            label = TextLabel(name, TextRole.TINY, "muted", wrap=True)
            label.setFixedWidth(84)
            grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            shown = TextLabel(breakable(value), TextRole.SMALL, wrap=True, selectable=True)
            shown.setAccessibleName(f"{name}: {value}")
            grid.addWidget(shown, row, 1)
        self._scroll.body.insertWidget(0, self._holder)
        self._holder.show()


def write_export(
    path: str,
    records: tuple[Record, ...],
    report: VerifyReport,
    log: AcceptanceLog | None = None,
) -> Callable[[CancelToken, Report], str]:
    """Work that writes the records as CSV where the file's name says so, else as JSON.

    With `log` its lines go along byte for byte, so that the chain can be checked without us; what
    concerns one person alone comes without everybody else's lines.
    """

    def work(cancel: CancelToken, progress: Report) -> str:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if path.casefold().endswith(".csv"):
            text = export_csv(records, report, at)
        else:
            text = export_json(records, report, at, log.lines() if log is not None else ())
        try:
            replace_file(Path(path), text.encode("utf-8", "replace"), is_private=True)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UnwritableFile(reason, str(path)) from error
        return path

    return work

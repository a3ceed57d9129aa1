"""Small sheets over the acceptance log: taking a record back, erasing a person's name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from openshelf.library.evidence import os_user_name
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.log_queries import WAIVED, Person
from openshelf.services import Services
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.log_table import Record
from openshelf.ui.models.model_words import plain
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import DangerButton, FilterChip, TextLabel, TickBox
from openshelf.ui.widgets.form_sheet import FormSheet


class TakeBackSheet(FormSheet):
    """For one record, an acceptance or a waiver; `done` carries what to say."""

    done = Signal(str)

    def __init__(
        self, services: Services, bridge: TaskBridge, record: Record, host: QWidget
    ) -> None:
        self._is_waiver = record.get("method") == WAIVED
        self._record_id = str(record.get("record_id") or "")
        title, text = self._words()
        super().__init__(host, title, text, DangerButton())
        self.action.setText(self.tr("Take it back"))
        self.action.setAccessibleName(title)
        self._services, self._bridge = services, bridge
        model = record.get("model")
        repo = plain(str(model.get("repo") or "")) if isinstance(model, dict) else ""
        self.body.addWidget(TextLabel(repo, TextRole.STRONG, wrap=True))
        self.name_field = self.add_field(self.tr("Your name for the record"), os_user_name())
        self.note_field = self.add_field(self.tr("Reason (optional)"), longest=500)
        self.confirmed.connect(self._on_confirmed)

    def _words(self) -> tuple[str, str]:
        if self._is_waiver:
            return self.tr("Take back this waiver"), self.tr(
                "What it let through stops the model again, at once. Both records stay in the log."
            )
        return self.tr("Take back this acceptance"), self.tr(
            "The files stay where they are, and are not loaded before the terms are accepted "
            "again. Both records stay in the log."
        )

    def _on_confirmed(self) -> None:
        self.set_busy(busy=True)
        log, record_id = self._services.acceptances, self._record_id
        form = AcceptanceForm(
            display_name=self.name_field.text().strip(), note=self.note_field.text().strip()
        )

        def work(cancel: CancelToken, report: Report) -> str:
            return log.revoke(record_id, form, os_user_name())

        self._bridge.submit("take back", work, on_outcome=self._on_outcome)

    def _on_outcome(self, outcome: Outcome[str]) -> None:
        if isinstance(outcome, Succeeded):
            self.close_sheet()
            self.done.emit(self.tr("Taken back. That is a record too."))
        elif isinstance(outcome, Failed):
            self.show_problem(error_text(outcome.error), error_details(outcome.error))


class EraseSheet(FormSheet):
    """For one of the people whose names the log keeps; `done` carries what to say."""

    done = Signal(str)

    def __init__(
        self, services: Services, bridge: TaskBridge, people: Sequence[Person], host: QWidget
    ) -> None:
        title = self.tr("Erase a name")
        text = self.tr(
            "The name and the notes beside it are forgotten for good; the records and their chain "
            "stay whole. The name of the account on this machine stays in them."
        )
        super().__init__(host, title, text, DangerButton())
        self.action.setText(self.tr("Erase"))
        self.action.setAccessibleName(title)
        self._services, self._bridge = services, bridge
        self._people = {person.name: person for person in people}
        choices = [(person.name, self._label(person)) for person in people]
        self.person: FilterChip[str | None] = FilterChip(
            self.tr("Person"), [(None, self.tr("choose one")), *choices]
        )
        self.effect = TextLabel("", TextRole.BODY, wrap=True)
        self.tick = TickBox(self.tr("I know that this cannot be undone"))
        self.body.addWidget(self.person, 0, Qt.AlignmentFlag.AlignLeft)
        self.body.addWidget(self.effect)
        self.body.addWidget(self.tick)
        self.person.value_changed.connect(self._on_changed)
        self.tick.toggled.connect(self._on_changed)
        self.confirmed.connect(self._on_confirmed)
        self._on_changed()

    def choose(self, name: str) -> None:
        """Start with the person that the log is narrowed to."""
        self.person.choose(name)
        self._on_changed()

    def _label(self, person: Person) -> str:
        return plain(person.name) or self.tr("notes without a name")

    def _on_changed(self, _: object = None) -> None:
        name = self.person.value
        person = self._people.get(name) if name is not None else None
        self.tick.setEnabled(person is not None)
        self.action.setEnabled(person is not None and self.tick.isChecked())
        if person is None:
            self.effect.setText("")
        else:
            records = self.tr("%n record(s)", "", len(person.record_ids))
            notes = self.tr("%n note(s)", "", person.notes)
            text = self.tr("{name} stands in {records}, with {notes}.")
            self.effect.setText(text.format(name=self._label(person), records=records, notes=notes))
        self.fit_panel()

    def _on_confirmed(self) -> None:
        log, name = self._services.acceptances, self.person.value
        if name is None:
            return
        self.set_busy(busy=True)

        def work(cancel: CancelToken, report: Report) -> int:
            return len(log.erase_names(name, os_user_name()))

        self._bridge.submit("erase a name", work, on_outcome=self._on_outcome)

    def _on_outcome(self, outcome: Outcome[int]) -> None:
        if isinstance(outcome, Succeeded):
            self.close_sheet()
            text = self.tr("The name is erased from %n record(s).", "", outcome.value)
            self.done.emit(text)
        elif isinstance(outcome, Failed):
            self.show_problem(error_text(outcome.error), error_details(outcome.error))

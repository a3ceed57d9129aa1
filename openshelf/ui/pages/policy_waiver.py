"""Granting a waiver: for which model, of what stops it, by whom and until when."""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.library.evidence import os_user_name, record_waiver
from openshelf.library.install import InstallOffer
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.facts import load_licenses
from openshelf.policy.review_request import reason_with_name
from openshelf.policy.verdict import Decision, PolicyReason
from openshelf.policy.waiving import WaiverRequest, stops
from openshelf.services import Services
from openshelf.tasks import Cancelled, CancelToken, Failed, Outcome, Report, Succeeded, Task
from openshelf.ui.sentences import error_details, error_text, reason_sentence, words
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import (
    Button,
    NoticeLevel,
    PrimaryButton,
    SectionLabel,
    TextLabel,
    TickBox,
)
from openshelf.ui.widgets.form_sheet import FormSheet

_Prepared = tuple[InstallOffer, Decision]


class WaiverSheet(FormSheet):
    """Looks a model up, lists what stops it, and writes the waiver; `done` says what was done."""

    done = Signal(str)

    def __init__(self, services: Services, bridge: TaskBridge, target: str, host: QWidget) -> None:
        title = self.tr("Grant a waiver")
        text = self.tr(
            "An approver lets single reasons not count for one model, until a day. It says what "
            "somebody decided; it is no permission by a licensor, and nobody checks who you are."
        )
        super().__init__(host, title, text, PrimaryButton(title))
        self._services, self._bridge = services, bridge
        self._offer: InstallOffer | None = None
        self._task: Task | None = None
        self.ticks: list[tuple[TickBox, PolicyReason]] = []
        self.target_field = self.add_field(
            self.tr("Model"), target, self.tr("OWNER/REPO, OWNER/REPO:QUANT or a file"), 500
        )
        self.look_button = Button(self.tr("Look up what stops it"))
        row = QHBoxLayout()
        row.addWidget(self.look_button)
        row.addStretch(1)
        self.body.addLayout(row)
        self._reasons = QWidget()
        self._reasons.hide()
        self._reason_column = QVBoxLayout(self._reasons)
        self._reason_column.setContentsMargins(0, 0, 0, 0)
        self._reason_column.setSpacing(6)
        self.body.addWidget(self._reasons)
        self.name_field = self.add_field(self.tr("Name of the approver"), os_user_name())
        self.note_field = self.add_field(self.tr("Reason"), longest=500)
        self.until_field = self.add_field(self.tr("Last day"), hint="2026-12-31", longest=10)
        self.action.setEnabled(False)
        self.look_button.clicked.connect(self.look_up)
        self.target_field.returnPressed.connect(self.look_up)
        self.target_field.textEdited.connect(self._on_target_edited)
        self.confirmed.connect(self._on_confirmed)
        self.closed.connect(self._stop)

    # --- looking up -------------------------------------------------------------------------------

    def look_up(self) -> None:
        """Ask what stops the model now; fetches metadata and license texts only."""
        target = self.target_field.text().strip()
        if not target:
            self.show_problem(self.tr("Say which model is meant."))
            return
        self._stop()
        self._forget()
        self.tell(words("sheet_looking_up"), NoticeLevel.INFO)
        services = self._services

        def work(cancel: CancelToken, report: Report) -> _Prepared:
            offer = services.installer.prepare(target, cancel, report)
            return offer, services.gate.decide(offer.decision.license)

        self._task = self._bridge.submit("look up a model", work, on_outcome=self._on_looked)

    def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _on_target_edited(self, _: str) -> None:
        """What was looked up is about another model now."""
        self._stop()
        self._forget()
        self.problem.hide()
        self.fit_panel()

    def _forget(self) -> None:
        self._offer = None
        self.ticks = []
        self.action.setEnabled(False)
        self._reasons.hide()
        while (item := self._reason_column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()

    def _on_looked(self, outcome: Outcome[_Prepared]) -> None:
        if isinstance(outcome, Cancelled):
            return
        self._task = None
        match outcome:
            case Succeeded((offer, decision)):
                self.problem.hide()
                self._show_reasons(offer, decision)
            case Failed(error):
                self.tell(error_text(error), NoticeLevel.BAD, details=error_details(error))
            case _:
                pass
        self.fit_panel()

    def _show_reasons(self, offer: InstallOffer, decision: Decision) -> None:
        self._offer = offer
        names = {id_: entry.name for id_, entry in load_licenses().items()}
        found = [reason for reason in decision.reasons if stops(reason)]
        if not found:
            text = self.tr("Nothing stops {repo}, so there is nothing to waive.")
            label = TextLabel(text.format(repo=offer.repo), wrap=True)
            self._reason_column.addWidget(label)
        else:
            self._reason_column.addWidget(SectionLabel(self.tr("What stops it")))
        for reason in found:
            sentence = reason_sentence(reason_with_name(reason, names))
            tick = TickBox(f"{sentence} {reason.clause or ''}".strip())
            tick.setChecked(True)
            tick.toggled.connect(self._on_ticked)
            self.ticks.append((tick, reason))
            self._reason_column.addWidget(tick)
        self._reasons.show()
        self._on_ticked()

    def _on_ticked(self, _: object = None) -> None:
        self.action.setEnabled(any(tick.isChecked() for tick, _ in self.ticks))

    # --- writing ----------------------------------------------------------------------------------

    def _on_confirmed(self) -> None:
        offer, until = self._offer, _day_of(self.until_field.text())
        chosen = tuple(reason for tick, reason in self.ticks if tick.isChecked())
        if offer is None or not chosen:
            return
        if until is None:
            self.show_problem(self.tr("Say the last day as in 2026-12-31."))
            self.until_field.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        services = self._services
        form = AcceptanceForm(
            display_name=self.name_field.text().strip(),
            on_behalf_of=services.gate.policy.organization.name,
            note=self.note_field.text().strip(),
            role="approver",
        )
        request = WaiverRequest(until, only=chosen)
        self.set_busy(busy=True)

        def work(cancel: CancelToken, report: Report) -> Decision:
            record_waiver(services.gate, services.acceptances, offer, form, request)
            return services.gate.decide(offer.decision.license)

        self._bridge.submit("waive", work, on_outcome=self._on_waived)

    def _on_waived(self, outcome: Outcome[Decision]) -> None:
        if isinstance(outcome, Failed):
            self.show_problem(error_text(outcome.error), error_details(outcome.error))
        elif isinstance(outcome, Succeeded) and self._offer is not None:
            self.close_sheet()
            verdict = words(f"verdict_short_{outcome.value.verdict.value}")
            text = self.tr("The waiver is in the log. {repo} is now: {verdict}.")
            self.done.emit(text.format(repo=self._offer.repo, verdict=verdict))


def _day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None

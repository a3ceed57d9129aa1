"""The install sheet: look up → read → accept → fetch → chat, above the page that asked for it."""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.library.downloads import Download, DownloadState
from openshelf.library.install import InstallOffer
from openshelf.library.review_requests import subject_of, write_request
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.facts import load_licenses
from openshelf.policy.review_request import review_request
from openshelf.services import Services
from openshelf.tasks import CancelToken, Failed, Outcome, Progress, Report, Succeeded, Task
from openshelf.ui.models.install_words import phase_words, verdict_words
from openshelf.ui.models.settings_keeping import keep_settings
from openshelf.ui.models.terms import ShownTerms, build_terms
from openshelf.ui.models.terms_change import ShownTermsChange, build_change
from openshelf.ui.pages.install_progress import DownloadPanel
from openshelf.ui.pages.install_question import ORGANIZATION, UseQuestion
from openshelf.ui.pages.install_side import ConsentPanel
from openshelf.ui.pages.install_terms import TermsPanel
from openshelf.ui.pages.install_waiting import WaitingPanel
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    Chip,
    Divider,
    NoticeLevel,
    TextLabel,
)
from openshelf.ui.widgets.file_dialogs import ask_where_to_save
from openshelf.ui.widgets.overlay import Overlay

log = logging.getLogger(__name__)

SHEET_WIDTH = 1010
SIDE_WIDTH = 331
_FRAME = 5
"""Border, margin and divider, in both directions."""


class SheetState(enum.Enum):
    ASKING = enum.auto()
    PREPARING = enum.auto()
    READING = enum.auto()
    ACCEPTING = enum.auto()
    FETCHING = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True)
class _Prepared:
    offer: InstallOffer
    terms: ShownTerms
    change: ShownTermsChange | None


class InstallSheet(Overlay):
    """Opened for a target; emits `installed(id)` when the model is there and the sheet is open."""

    installed = Signal(str)
    organization_chosen = Signal(str)
    """With the target: the Policy screen comes first; the sheet is closed by then."""

    def __init__(self, services: Services, bridge: TaskBridge, target: str, host: QWidget) -> None:
        super().__init__(host, width=SHEET_WIDTH, name=self.tr("Install"))
        self._services = services
        self._bridge = bridge
        self._target = target
        self._offer: InstallOffer | None = None
        self._download_id: str | None = None
        self._task: Task | None = None
        self.state = SheetState.PREPARING
        self._build()
        self._unsubscribe = bridge.listen(
            services.downloads.announcer, self._on_download, latest_by=_id_of
        )
        self.closed.connect(self._on_closed)
        if not services.settings.current.used_for and not services.gate.policy.exists:
            self._ask_for_whom()
        else:
            self._prepare()

    def _build(self) -> None:
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(24, 18, 24, 18)
        head.setSpacing(16)
        words = QVBoxLayout()
        words.setSpacing(2)
        self.title = TextLabel(self.tr("Before you install"), TextRole.TITLE, wrap=True)
        self.subtitle = TextLabel(self._target, TextRole.SMALL, "muted", wrap=True)
        words.addWidget(self.title)
        words.addWidget(self.subtitle)
        head.addLayout(words, 1)
        self.verdict = Chip()
        self.verdict.hide()
        self.as_of = TextLabel("", TextRole.TINY, "faint")
        self.as_of.hide()
        judged = QVBoxLayout()
        judged.setSpacing(2)
        judged.addWidget(self.verdict)
        judged.addWidget(self.as_of, 0, Qt.AlignmentFlag.AlignRight)
        head.addLayout(judged)
        column.addLayout(head)
        column.addWidget(Divider())
        self._waiting = WaitingPanel()
        self._waiting.cancelled.connect(self.close_sheet)
        self._waiting.retried.connect(self._prepare)
        column.addWidget(self._waiting, 1)
        self._column = column

    def _ask_for_whom(self) -> None:
        """Once, before the first install; a policy would have said it already."""
        self.state = SheetState.ASKING
        self._waiting.hide()
        self.question = UseQuestion()
        self.question.answered.connect(self._on_answered)
        self.question.cancelled.connect(self.close_sheet)
        self._column.addWidget(self.question, 1)

    @override
    def open_sheet(self) -> None:
        super().open_sheet()
        if self.state is SheetState.ASKING:
            self.question.focus_first()

    def _on_answered(self, answer: str) -> None:
        store = self._services.settings
        keep_settings(store, self._bridge, replace(store.current, used_for=answer))
        if answer == ORGANIZATION:
            target = self._target
            self.close_sheet()
            self.organization_chosen.emit(target)
            return
        self.question.hide()
        self._waiting.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._prepare()

    def _prepare(self) -> None:
        self.state = SheetState.PREPARING
        self._waiting.show_phase(self.tr("Looking up files and licenses…"))
        services, target = self._services, self._target

        def work(cancel: CancelToken, report: Report) -> _Prepared:
            offer = services.installer.prepare(target, cancel, report)
            licenses = load_licenses()
            change = build_change(offer.change, licenses) if offer.change else None
            return _Prepared(offer, build_terms(offer.decision, licenses), change)

        self._task = self._bridge.submit(
            "prepare install",
            work,
            on_outcome=self._on_prepared,
            on_progress=self._on_prepare_progress,
        )
        self.fit_panel()

    def _on_prepare_progress(self, progress: Progress) -> None:
        if self.state is SheetState.PREPARING:
            self._waiting.show_phase(phase_words(progress.phase))

    def _on_prepared(self, outcome: Outcome[_Prepared]) -> None:
        match outcome:
            case Succeeded(prepared):
                self._show_offer(prepared)
            case Failed(error):
                self.state = SheetState.FAILED
                self._waiting.show_error(error)
                self.fit_panel()
            case _:
                self.close_sheet()

    def _show_offer(self, prepared: _Prepared) -> None:
        offer = prepared.offer
        self._offer = offer
        self.state = SheetState.READING
        title = self.tr("Before you install {model}").format(model=offer.model_name)
        self.title.setText(title)
        self.setAccessibleName(title)
        parts = [offer.quant or "", self.tr("packaged by {name}").format(name=offer.packager)]
        if offer.publisher:
            parts.append(self.tr("base model by {name}").format(name=offer.publisher))
        self.subtitle.setText(" · ".join(part for part in parts if part))
        self._show_verdict(offer)
        self._waiting.hide()
        self._add_body(prepared)
        self.fit_panel()
        self.side.first_control.setFocus()

    def _show_verdict(self, offer: InstallOffer) -> None:
        today = datetime.now(UTC).date()
        verdict = verdict_words(offer.decision, today)
        self.verdict.show_as(verdict.text, verdict.kind)
        self.verdict.show()
        self.as_of.setText(self.tr("as of {date}").format(date=today.isoformat()))
        # A verdict by a policy has the date in its own words.
        self.as_of.setVisible(today.isoformat() not in verdict.text)

    @override
    def wanted_height(self, width: int) -> int:
        if self.state in (SheetState.ASKING, SheetState.PREPARING, SheetState.FAILED):
            return max(240, super().wanted_height(width))
        head = self._column.itemAt(0)
        head_height = head.heightForWidth(width) if head is not None else 0
        left = self.terms.content_height(width - SIDE_WIDTH - _FRAME)
        return head_height + _FRAME + max(left, self.side.content_height(SIDE_WIDTH))

    def _add_body(self, prepared: _Prepared) -> None:
        body = QFrame()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.terms = TermsPanel()
        if prepared.change is not None:
            self.terms.show_change(prepared.change)
        self.terms.show_terms(prepared.terms)
        self.terms.grown.connect(self.fit_panel)
        self.side = ConsentPanel(prepared.offer, self._services.gate.policy)
        self.side.setFixedWidth(SIDE_WIDTH)
        self.side.accepted.connect(self._on_accepted)
        self.side.cancelled.connect(self.close_sheet)
        self.side.review_pressed.connect(self._on_review_pressed)
        row.addWidget(self.terms, 1)
        row.addWidget(Divider(vertical=True))
        row.addWidget(self.side)
        self._column.addWidget(body, 1)
        # The keyboard can only be put on what is shown.
        body.show()

    def _on_review_pressed(self) -> None:
        title, filters = self.tr("Save the request"), self.tr("Text (*.txt)")
        ask_where_to_save(self, title, "review-request.txt", filters, self.save_request)

    def save_request(self, path: str) -> None:
        """Write the request for a review; sending it is the person's own business."""
        offer = self._offer
        if offer is None:
            return
        subject = subject_of(offer, self.side.display_name, self.side.note)
        policy = self._services.gate.policy

        def work(cancel: CancelToken, report: Report) -> str:
            text = review_request(subject, offer.decision, policy, load_licenses())
            return write_request(Path(path), text)

        self._bridge.submit("review request", work, on_outcome=self._on_request_saved)

    def _on_request_saved(self, outcome: Outcome[str]) -> None:
        if isinstance(outcome, Succeeded):
            text = self.tr("Written to {path}. Send it to whoever reviews for you.")
            self.side.problem.show_message(text.format(path=outcome.value), NoticeLevel.GOOD)
        elif isinstance(outcome, Failed):
            self.side.problem.show_message(error_text(outcome.error), NoticeLevel.BAD)
        self.fit_panel()

    def _on_accepted(self) -> None:
        offer = self._offer
        if offer is None or self.state is not SheetState.READING:
            return
        self.state = SheetState.ACCEPTING
        self.side.problem.hide()
        self.side.set_busy(busy=True)
        services = self._services
        form = AcceptanceForm(
            display_name=self.side.display_name,
            on_behalf_of=services.gate.policy.organization.name,
            note=self.side.note,
            method="checkbox",
            texts_shown=self.terms.texts_shown,
        )

        def work(cancel: CancelToken, report: Report) -> Download:
            clearance = services.installer.accept(offer, form)
            return services.downloads.start(offer, clearance)

        self._task = self._bridge.submit("accept", work, on_outcome=self._on_started)

    def _on_started(self, outcome: Outcome[Download]) -> None:
        match outcome:
            case Succeeded(download):
                self._show_progress(download)
            case Failed(error):
                self.state = SheetState.READING
                self.side.set_busy(busy=False)
                self.side.problem.show_message(
                    error_text(error), NoticeLevel.BAD, details=error_details(error)
                )
                self.fit_panel()
            case _:
                self.close_sheet()

    def _show_progress(self, download: Download) -> None:
        self.state = SheetState.FETCHING
        self._download_id = download.id
        self.progress = DownloadPanel()
        self.progress.paused.connect(self._on_paused)
        self.progress.resumed.connect(self._on_resumed)
        self.progress.cancelled.connect(self._on_download_cancelled)
        self.progress.sent_to_background.connect(self.close_sheet)
        self.side.replace_consent(self.progress)
        self.progress.show()
        self.progress.background.setFocus()
        self.fit_panel()
        # It may have moved on, or even ended, before this sheet knew its id.
        known = {entry.id: entry for entry in self._services.downloads.snapshots()}
        self._on_download(known.get(download.id, download))

    def _on_download(self, download: Download) -> None:
        if download.id != self._download_id or self.state is not SheetState.FETCHING:
            return
        self.progress.show_download(download)
        if download.state is DownloadState.DONE and download.installed_id is not None:
            self.installed.emit(download.installed_id)
        elif download.state is DownloadState.CANCELLED:
            self.close_sheet()

    def _on_paused(self) -> None:
        self._steer("pause")

    def _on_resumed(self) -> None:
        self._steer("resume")

    def _on_download_cancelled(self) -> None:
        self._steer("cancel")

    def _steer(self, act: str) -> None:
        """Pause, resume or cancel; each may wait for the download's child, so it is a task."""
        steer, download_id = getattr(self._services.downloads, act), self._download_id

        def work(cancel: CancelToken, report: Report) -> None:
            steer(download_id)

        self._bridge.submit(act, work, on_outcome=self._on_steered)

    def _on_steered(self, outcome: Outcome[None]) -> None:
        if isinstance(outcome, Failed):
            self.side.problem.show_message(error_text(outcome.error), NoticeLevel.BAD)

    def _on_closed(self) -> None:
        self._unsubscribe()
        if self._task is not None and self.state is SheetState.PREPARING:
            self._task.cancel()


def _id_of(download: Download) -> str:
    return download.id

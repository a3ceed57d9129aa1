"""Works out all builds of a model again whenever something was changed, off the window's thread."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from openshelf.fit.memory import FitRequest
from openshelf.hardware.facts import Machine
from openshelf.shelf.builds import BuildTable, ModelListing, fit_builds
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.task_bridge import TaskBridge


@dataclass(frozen=True)
class FitQuestion:
    """`subject` counts models and machines: an answer to an earlier one is of no use."""

    subject: int
    listing: ModelListing
    machine: Machine
    request: FitRequest
    prefer: str


@dataclass(frozen=True)
class FitAnswer:
    question: FitQuestion
    table: BuildTable


class BuildFits(QObject):
    """One question is worked on at a time; of those that come meanwhile only the last counts.

    So a slider that is dragged shows table after table, none older than the one before it.
    """

    answered = Signal(object)
    failed = Signal(object)

    def __init__(self, bridge: TaskBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._wanted: FitQuestion | None = None
        self._running: FitQuestion | None = None

    def ask(self, question: FitQuestion) -> None:
        self._wanted = question
        if self._running is None:
            self._start(question)

    def forget(self) -> None:
        """Whatever comes now is too late."""
        self._wanted = None

    def _start(self, question: FitQuestion) -> None:
        self._running = question

        def work(cancel: CancelToken, report: Report) -> FitAnswer:
            table = fit_builds(
                question.listing,
                question.machine,
                question.request,
                question.prefer,
                is_brief=True,
            )
            return FitAnswer(question, table)

        self._bridge.submit("fit builds", work, on_outcome=self._on_outcome)

    def _on_outcome(self, outcome: Outcome[FitAnswer]) -> None:
        done, self._running = self._running, None
        wanted = self._wanted
        if wanted is None or done is None:
            return
        if done.subject == wanted.subject:
            if isinstance(outcome, Succeeded):
                self.answered.emit(outcome.value)
            elif isinstance(outcome, Failed) and done is wanted:
                self.failed.emit(outcome.error)
        if self._wanted is wanted and done is not wanted:
            self._start(wanted)

"""Makes the figures of the chosen build sure: reads its header, then asks the engine itself."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal

from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import Fit
from openshelf.hardware.facts import Machine
from openshelf.shelf.builds import Build, ModelsLike
from openshelf.tasks import CancelToken, Outcome, Report, Succeeded, Task, Work
from openshelf.ui.task_bridge import TaskBridge

PAUSE_MILLISECONDS = 300
"""A selection or a slider that moves on before this is not asked about."""


class CheckState(enum.Enum):
    IDLE = enum.auto()
    READING = enum.auto()
    VERIFYING = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True)
class CheckQuestion:
    """`machine` None: only the header is read, since the engine here has not that machine."""

    build: Build
    machine: Machine | None
    request: FitRequest

    @property
    def key(self) -> tuple[object, ...]:
        if not self.build.has_header:
            return (self.build.target,)
        return self.build.target, self.machine, self.request


@dataclass(frozen=True)
class Checked:
    """What the engine said of `question`."""

    question: CheckQuestion
    fit: Fit


@dataclass(frozen=True)
class _Reply:
    """`number` tells a late answer, or a late failure, from the last one."""

    number: int
    build: Build | None = None
    fit: Fit | None = None
    problem: OpenshelfError | None = None


class BuildCheck(QObject):
    """`read(Build)` has the exact shape; `checked(Checked)` the engine's figures.

    What failed once for a build is not tried again before `forget`.
    """

    read = Signal(object)
    checked = Signal(object)
    state_changed = Signal()

    def __init__(self, models: ModelsLike, bridge: TaskBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._models, self._bridge = models, bridge
        self._question: CheckQuestion | None = None
        self._number = 0
        self._task: Task | None = None
        self._problems: dict[str, OpenshelfError] = {}
        self._state = CheckState.IDLE
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MILLISECONDS)
        self._timer.timeout.connect(self._on_pause)

    @property
    def state(self) -> CheckState:
        return self._state

    @property
    def target(self) -> str | None:
        """Of the build that was asked about last."""
        return None if self._question is None else self._question.build.target

    @property
    def problem(self) -> OpenshelfError | None:
        """Why the build that was asked about last could not be checked."""
        return None if self._question is None else self._problems.get(self._question.build.target)

    def check(self, question: CheckQuestion) -> None:
        """Ask after a short pause; what runs for another question is cancelled."""
        known = self._question
        if known is not None and known.key == question.key:
            if not question.build.has_header:
                self._question = question
            return
        self.stop()
        self._question = question
        if question.build.target in self._problems:
            self._set_state(CheckState.FAILED)
        elif not question.build.has_header or question.machine is not None:
            self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        self._number += 1
        self._question = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._set_state(CheckState.IDLE)

    def forget(self) -> None:
        """Stop, and try again what failed before."""
        self.stop()
        self._problems.clear()

    def _set_state(self, state: CheckState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit()

    def _on_pause(self) -> None:
        question = self._question
        if question is None:
            return
        if question.build.has_header:
            self._set_state(CheckState.VERIFYING)
            work = _verify(self._models, question, self._number)
        else:
            self._set_state(CheckState.READING)
            work = _read(self._models, question, self._number)
        self._task = self._bridge.submit("check build", work, on_outcome=self._on_outcome)

    def _on_outcome(self, outcome: Outcome[_Reply]) -> None:
        if not isinstance(outcome, Succeeded):
            return
        reply, question = outcome.value, self._question
        if reply.number != self._number or question is None:
            return
        self._task = None
        if reply.problem is not None:
            self._problems[question.build.target] = reply.problem
            self._set_state(CheckState.FAILED)
            return
        self._set_state(CheckState.IDLE)
        if reply.build is not None:
            self.read.emit(reply.build)
        elif reply.fit is not None:
            self.checked.emit(Checked(question, reply.fit))


def _read(models: ModelsLike, question: CheckQuestion, number: int) -> Work[_Reply]:
    def work(cancel: CancelToken, report: Report) -> _Reply:
        try:
            return _Reply(number, build=models.read(question.build, cancel))
        except CancelledByUser:
            raise
        except OpenshelfError as error:
            return _Reply(number, problem=error)

    return work


def _verify(models: ModelsLike, question: CheckQuestion, number: int) -> Work[_Reply]:
    def work(cancel: CancelToken, report: Report) -> _Reply:
        machine = question.machine
        if machine is None:
            return _Reply(number)
        try:
            return _Reply(
                number, fit=models.verify(question.build, machine, question.request, cancel)
            )
        except CancelledByUser:
            raise
        except OpenshelfError as error:
            return _Reply(number, problem=error)

    return work

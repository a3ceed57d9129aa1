"""What the Model screen asks the installer for: the license of one build, as the sheet has it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.library.install import InstallerLike, InstallOffer
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded, Task, Work
from openshelf.ui.task_bridge import TaskBridge


@dataclass(frozen=True)
class _Reply:
    target: str
    offer: InstallOffer | None = None
    problem: BaseException | None = None


class OfferLookup(QObject):
    """Asks once per build (`target`); `changed` when something more, or a problem, is known.

    What failed is asked again only after `retry` or `forget`.
    """

    changed = Signal()

    def __init__(self, installer: InstallerLike, bridge: TaskBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._installer, self._bridge = installer, bridge
        self._replies: dict[str, _Reply] = {}
        self._asked: str | None = None
        self._task: Task | None = None

    @property
    def is_asking(self) -> bool:
        return self._task is not None

    def offer(self, target: str) -> InstallOffer | None:
        reply = self._replies.get(target)
        return None if reply is None else reply.offer

    def problem(self, target: str) -> BaseException | None:
        reply = self._replies.get(target)
        return None if reply is None else reply.problem

    def ask(self, target: str) -> None:
        """Nothing happens where the answer is there or on its way."""
        if target in self._replies or (self._task is not None and target == self._asked):
            return
        self.stop()
        self._asked = target
        work = _prepare(self._installer, target)
        self._task = self._bridge.submit("license of a build", work, on_outcome=self._on_outcome)

    def retry(self, target: str) -> None:
        self._replies.pop(target, None)
        self.ask(target)
        self.changed.emit()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._asked = None

    def forget(self) -> None:
        self.stop()
        self._replies.clear()

    def _on_outcome(self, outcome: Outcome[_Reply]) -> None:
        if isinstance(outcome, Succeeded):
            reply = outcome.value
        elif isinstance(outcome, Failed) and self._asked is not None:
            reply = _Reply(self._asked, problem=outcome.error)
        else:
            return
        if reply.target != self._asked:
            return
        self._task, self._asked = None, None
        self._replies[reply.target] = reply
        self.changed.emit()


def _prepare(installer: InstallerLike, target: str) -> Work[_Reply]:
    def work(cancel: CancelToken, report: Report) -> _Reply:
        try:
            return _Reply(target, installer.prepare(target, cancel, report))
        except CancelledByUser:
            raise
        except OpenshelfError as error:
            return _Reply(target, problem=error)

    return work

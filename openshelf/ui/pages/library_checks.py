"""Verifying installed models from the Library: one task for all of them, told in a notice."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal

from openshelf.library.installed import InstalledModel
from openshelf.library.verifying import FileState, ModelCheck
from openshelf.services import Services
from openshelf.tasks import (
    Cancelled,
    CancelToken,
    Failed,
    Outcome,
    Progress,
    Report,
    Succeeded,
    Task,
)
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.units import format_bytes


class LibraryChecks(InlineNotice):
    """Hidden until something is verified; `ended` when that is over."""

    ended = Signal()

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._services, self._bridge = services, bridge
        self._models: tuple[InstalledModel, ...] = ()
        self._task: Task | None = None
        self.acted.connect(self._on_acted)

    @property
    def is_running(self) -> bool:
        return self._task is not None

    def verify(self, models: Sequence[InstalledModel]) -> None:
        """Hash all files of these models; does nothing while it is at it."""
        if self._task is not None or not models:
            return
        self._models = tuple(models)
        library, ids = self._services.library, [model.id for model in models]
        total = sum(model.size_bytes for model in models)

        def work(cancel: CancelToken, report: Report) -> tuple[ModelCheck, ...]:
            checks: list[ModelCheck] = []
            done = 0
            for number, model_id in enumerate(ids):

                def tell(progress: Progress, before: int = done, at: int = number) -> None:
                    report(Progress(before + progress.done, total, str(at)))

                cancel.raise_if_cancelled()
                checks.append(library.verify(model_id, cancel, tell))
                done += checks[-1].model.size_bytes
            return tuple(checks)

        self._show_progress(0, total, 0)
        self._task = self._bridge.submit(
            "verify", work, on_outcome=self._on_ended, on_progress=self._on_progress
        )

    def _on_progress(self, progress: Progress) -> None:
        self._show_progress(progress.done, progress.total or 0, int(progress.phase))

    def _show_progress(self, done: int, total: int, number: int) -> None:
        text = self.tr("Verifying {name} ({number} of {count}): {done} of {total}")
        text = text.format(
            name=_name(self._models[number]),
            number=number + 1,
            count=len(self._models),
            done=format_bytes(done),
            total=format_bytes(total),
        )
        if self.isHidden() or self.button.text() != self.tr("Stop"):
            self.show_message(text, button=self.tr("Stop"))
        self.text.setText(text)

    def _on_acted(self) -> None:
        if self._task is None:
            self.hide()
        else:
            self._task.cancel()

    def _on_ended(self, outcome: Outcome[tuple[ModelCheck, ...]]) -> None:
        self._task = None
        match outcome:
            case Succeeded(checks):
                self._show_result(checks)
            case Failed(error):
                self.show_message(
                    error_text(error), NoticeLevel.BAD,
                    button=self.tr("Close"), details=error_details(error),
                )  # fmt: skip
            case Cancelled():
                self.hide()
        self.ended.emit()

    def _show_result(self, checks: tuple[ModelCheck, ...]) -> None:
        lines, level = [], NoticeLevel.GOOD
        damaged = [check for check in checks if check.state is FileState.DAMAGED]
        others = [c for c in checks if c.state in (FileState.MISSING, FileState.UNREADABLE)]
        if damaged:
            level = NoticeLevel.BAD
            text = self.tr(
                "Damaged: {names}. The bytes are not the ones that were installed, so it is not "
                "loaded any more."
            )
            lines.append(text.format(names=_names(damaged)))
        if others:
            level = NoticeLevel.BAD if damaged else NoticeLevel.WARNING
            text = self.tr("Not verified, because files are missing or cannot be read: {names}.")
            lines.append(text.format(names=_names(others)))
        if not lines:
            lines.append(
                self.tr("%n model(s) verified: every file is as it was installed.", "", len(checks))
            )
        self.show_message(" ".join(lines), level, button=self.tr("Close"))


def _name(model: InstalledModel) -> str:
    words = " ".join(model.name.split())[:60]
    return f"{words} {model.quant or ''}".strip()


def _names(checks: Sequence[ModelCheck]) -> str:
    return ", ".join(_name(check.model) for check in checks)

"""What export and import of bundles share: a card with words, progress that can be stopped, and a
notice of how it ended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout

from openshelf.library.installed import InstalledModel
from openshelf.tasks import Announcer, CancelToken, Outcome, Progress, Report, Task
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.bars import Meter
from openshelf.ui.widgets.buttons import Button, LinkButton
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.notice import InlineNotice
from openshelf.ui.widgets.text import TextLabel

T = TypeVar("T")


class TransferCard(Card):
    """Hidden until somebody opens it; one task at a time. `ended` when it closes."""

    ended = Signal()

    def __init__(
        self,
        bridge: TaskBridge,
        library: Announcer[tuple[InstalledModel, ...]],
        *,
        heading: str,
    ) -> None:
        super().__init__(margin=18, spacing=6)
        self._bridge = bridge
        self._task: Task | None = None
        self._on_outcome: Callable[[Outcome[Any]], None] | None = None
        self._following: Callable[[], None] | None = None
        self.heading = TextLabel(heading, TextRole.HEADING)
        self.close_button = LinkButton("✕")
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.heading, 1)
        head.addWidget(self.close_button)
        self.body.addLayout(head)
        self.words = TextLabel("", TextRole.SMALL, "muted", wrap=True, selectable=True)
        self.body.addWidget(self.words)
        self.meter = Meter("")
        self.progress_text = TextLabel("", TextRole.SMALL, "muted")
        self.stop_button = Button(self.tr("Stop"))
        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(self.meter, 1)
        row.addWidget(self.progress_text)
        row.addWidget(self.stop_button)
        self.body.addLayout(row)
        self.notice = InlineNotice()
        self.body.addWidget(self.notice)
        self.close_button.clicked.connect(self._on_close)
        self.stop_button.clicked.connect(self.stop)
        bridge.listen(library, self._on_library)
        self._show_progress(None)
        self.hide()

    @property
    def is_running(self) -> bool:
        return self._task is not None

    def run(
        self,
        name: str,
        work: Callable[[CancelToken, Report], T],
        on_outcome: Callable[[Outcome[T]], None],
    ) -> None:
        """Start it; what still runs is stopped first."""
        self.notice.hide()
        if self._task is not None:
            self.stop()
            self._following = partial(self.run, name, work, on_outcome)
            return
        self._on_outcome = on_outcome
        self._show_progress(Progress(0, None, ""))
        task = self._bridge.submit(
            name, work, on_outcome=self._on_ended, on_progress=self._show_progress
        )
        self._task = task

    def stop(self) -> None:
        """What is written by then is taken away again; the buttons say so at once."""
        if self._task is not None:
            self._task.cancel()
            self.stop_button.setEnabled(False)
            self.progress_text.setText(self.tr("Stopping…"))

    def progress_words(self, progress: Progress) -> str:
        """How far it is."""
        raise NotImplementedError

    def library_changed(self, installed: tuple[InstalledModel, ...]) -> None:
        """The list of installed models is another one."""

    def _show_progress(self, progress: Progress | None) -> None:
        is_on = progress is not None
        for part in (self.meter, self.progress_text, self.stop_button):
            part.setVisible(is_on)
        if progress is None:
            self.stop_button.setEnabled(True)
            return
        if self.stop_button.isEnabled():
            words = self.progress_words(progress)
            self.meter.set_fraction(progress.fraction or 0.0, words)
            self.meter.setAccessibleName(words)
            self.progress_text.setText(words)

    def _on_ended(self, outcome: Outcome[Any]) -> None:
        self._task = None
        self._show_progress(None)
        following, self._following = self._following, None
        if following is not None:
            following()
        elif self._on_outcome is not None:
            self._on_outcome(outcome)

    def _on_library(self, installed: tuple[InstalledModel, ...]) -> None:
        if not self.isHidden():
            self.library_changed(installed)

    def _on_close(self) -> None:
        self.stop()
        self._following = None
        self.hide()
        self.ended.emit()

"""The files of the next question: chosen, dropped, read in tasks, counted against the context."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog
from typing_extensions import override

from openshelf.chat.attaching import MOST_ATTACHED
from openshelf.chat.attachments import Attachment, AttachmentKind, tokens_of
from openshelf.chat.context import Foreseen, foresee
from openshelf.chat.conversation import Message
from openshelf.engine.asking import Sampling
from openshelf.errors import BadAttachment
from openshelf.services import Services
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded, Task
from openshelf.ui.models.chat_facts import question_of
from openshelf.ui.pages.chat_area import ChatArea
from openshelf.ui.sentences import words
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.composer import paths_of


@dataclass(frozen=True)
class AskedFor:
    """The conversation so far, what the context holds, how the next answer is drawn, and the id of
    the model that can count now, or empty."""

    messages: tuple[Message, ...]
    context_length: int
    sampling: Sampling
    counted_by: str = ""


@dataclass(frozen=True)
class HeldFile:
    """A file as it was read, and as the model `by` counted it."""

    read: Attachment
    exact: Attachment | None = None
    by: str = ""

    @property
    def shown(self) -> Attachment:
        return self.exact or self.read


class Attaching(QObject):
    """`changed` when there are other files, `failed` with an error. `asked_for` says what they
    would be sent with; `cannot_see` names a model that sees nothing."""

    changed = Signal()
    failed = Signal(object)

    def __init__(
        self,
        services: Services,
        bridge: TaskBridge,
        area: ChatArea,
        asked_for: Callable[[], AskedFor],
    ) -> None:
        super().__init__(area)
        self._services, self._bridge = services, bridge
        self._composer, self._asked_for = area.composer, asked_for
        self._files: list[HeldFile] = []
        self._counting: Task | None = None
        self._reading: dict[int, tuple[str, Task]] = {}
        self._numbers = itertools.count()
        self.cannot_see = ""
        area.setAcceptDrops(True)
        area.installEventFilter(self)
        self._composer.foot.attach_requested.connect(self.ask_for_files)
        self._composer.files_dropped.connect(self.add)
        self._composer.bar.removed.connect(self.remove)

    @property
    def files(self) -> tuple[Attachment, ...]:
        return tuple(held.shown for held in self._files)

    def ask_for_files(self) -> None:
        dialog = QFileDialog(self._composer, self.tr("Attach files"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.add)
        dialog.open()

    def add(self, paths: Sequence[str]) -> None:
        """Read them; each that cannot be used is said to be."""
        for path in paths:
            if len(self._files) + len(self._reading) >= MOST_ATTACHED:
                self.failed.emit(BadAttachment(str(MOST_ATTACHED), path, "too_many"))
                break
            self._read(path)
        self.show()

    def _read(self, path: str) -> None:
        number = next(self._numbers)

        def work(cancel: CancelToken, report: Report) -> Attachment:
            return self._services.chat_aids.read_file(Path(path), cancel)

        def done(outcome: Outcome[Attachment]) -> None:
            if self._reading.pop(number, None) is None:
                return  # it was cleared meanwhile
            if isinstance(outcome, Succeeded):
                self._take(outcome.value, path)
            elif isinstance(outcome, Failed):
                self.failed.emit(outcome.error)
            self.show()

        task = self._bridge.submit("read a file", work, on_outcome=done)
        self._reading[number] = (Path(path).name, task)

    def _take(self, found: Attachment, path: str) -> None:
        if found.kind is AttachmentKind.IMAGE and self.cannot_see:
            self.failed.emit(BadAttachment(self.cannot_see, path, "not_seen"))
        else:
            self._files.append(HeldFile(found))
            self.count()

    def remove(self, place: int) -> None:
        del self._files[place : place + 1]
        self.show()

    # --- counting ---------------------------------------------------------------------------------

    def count(self) -> None:
        """Have the model in memory count what it did not yet; of another one it is a guess again.

        To be called when the model, or whether it is free, may have changed.
        """
        if not self._files:
            return
        by = self._asked_for().counted_by
        self._files = [held if held.by == by else HeldFile(held.read) for held in self._files]
        missing = [held.read for held in self._files if held.exact is None]
        self._stop_counting()
        self.show()
        if not by or not missing:
            return

        def work(cancel: CancelToken, report: Report) -> tuple[Attachment, ...]:
            return self._services.chats.count(missing, by, cancel)

        def done(outcome: Outcome[tuple[Attachment, ...]]) -> None:
            if self._counting is task and isinstance(outcome, Succeeded):
                self._counting = None
                self._take_counts(missing, outcome.value, by)

        self._counting = task = self._bridge.submit("count tokens", work, on_outcome=done)

    def _take_counts(
        self, missing: Sequence[Attachment], counted: Sequence[Attachment], by: str
    ) -> None:
        """Of those files that are still there."""
        found = {id(one): exact for one, exact in zip(missing, counted, strict=True)}
        for place, held in enumerate(self._files):
            exact = found.get(id(held.read))
            if exact is not None and exact.is_counted:
                self._files[place] = HeldFile(held.read, exact, by)
        self.show()

    def _stop_counting(self) -> None:
        if self._counting is not None:
            self._counting.cancel()
        self._counting = None

    # --- showing ----------------------------------------------------------------------------------

    def clear(self) -> None:
        """For another chat, or when they were sent."""
        for _, task in self._reading.values():
            task.cancel()
        self._stop_counting()
        self._reading.clear()
        self._files.clear()
        self.show()

    def show(self) -> None:
        """The chips, and what the files take of the context."""
        bar = self._composer.bar
        bar.show_files(self.files, [name for name, _ in self._reading.values()])
        self._composer.set_reading(bool(self._reading))
        if self._files:
            foreseen = self._foresee()
            text = self._consequence(foreseen)
            bar.show_consequence(text, is_warning=foreseen.dropped > 0 or not foreseen.fits)
        else:
            bar.show_consequence("", is_warning=False)
        self.changed.emit()

    def _foresee(self) -> Foreseen:
        """What would be left out if they were sent now."""
        asked = self._asked_for()
        question = question_of(self._composer.edit.toPlainText(), self.files)
        return foresee(asked.messages, question, asked.context_length, asked.sampling)

    def _consequence(self, foreseen: Foreseen) -> str:
        data = {
            "tokens": tokens_of(self.files),
            "whole": foreseen.context_length,
            "messages": foreseen.dropped,
        }
        known = "attached_counted" if all(one.is_counted for one in self.files) else "attached"
        if not foreseen.fits:
            return words(f"{known}_too_long", **data)
        return words(f"{known}_drops" if foreseen.dropped else f"{known}_fits", **data)

    # --- dropping ---------------------------------------------------------------------------------

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent) and paths_of(event.mimeData()):
            event.acceptProposedAction()
            return True
        if isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            self.add(paths_of(event.mimeData()))
            event.acceptProposedAction()
            return True
        return super().eventFilter(watched, event)

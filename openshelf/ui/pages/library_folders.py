"""The look through the model folders, told in a notice: what is away, moved, changed or new."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal

from openshelf.library.folders import ModelFolder, drive_of
from openshelf.library.scanning import ScanReport
from openshelf.library.settling import Settled
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
from openshelf.ui.sentences import error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.units import format_bytes

_WATCH_MILLISECONDS = 4000


class FoldersNotice(InlineNotice):
    """Hidden where everything is as it was; `import_pressed` for files that nobody entered."""

    import_pressed = Signal()
    ended = Signal()
    changed = Signal()
    """A folder came or went while somebody was looking."""

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._services, self._bridge = services, bridge
        self._task: Task | None = None
        self._is_reading = False
        self._found: ScanReport | None = None
        self._closed: ScanReport | None = None
        self._states: tuple[tuple[str, str], ...] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_WATCH_MILLISECONDS)
        self._timer.timeout.connect(self.check)
        self.acted.connect(self._on_acted)

    @property
    def is_running(self) -> bool:
        return self._task is not None

    @property
    def found(self) -> ScanReport | None:
        return self._found

    def watch(self, *, is_shown: bool) -> None:
        """Notice drives that come and go, as long as the page is on the screen."""
        if is_shown:
            self._timer.start()
        else:
            self._timer.stop()

    def check(self) -> None:
        """Whether each folder is where it was."""
        folders = self._services.folders

        def work(cancel: CancelToken, report: Report) -> tuple[tuple[str, str], ...]:
            return _states_of(folders.all())

        self._bridge.submit("are the folders there", work, on_outcome=self._on_checked)

    def _on_checked(self, outcome: Outcome[tuple[tuple[str, str], ...]]) -> None:
        if isinstance(outcome, Succeeded) and self._states not in (None, outcome.value):
            self._states = outcome.value
            self.changed.emit()
            self.look()

    def look(self) -> None:
        """Look through the folders; does nothing while it is at it."""
        if self._task is None:
            self._task = self._bridge.submit(
                "look through the folders", self._services.folders.scan, on_outcome=self._on_found
            )

    def _on_found(self, outcome: Outcome[ScanReport]) -> None:
        self._task = None
        match outcome:
            case Succeeded(found):
                self._found = found
                self._states = _states_of(found.folders)
                if found.doubts:
                    self._read(found)
                else:
                    self._show(found, Settled())
            case Failed(error):
                self.show_message(error_text(error), NoticeLevel.BAD, button=self.tr("Close"))
            case Cancelled():
                pass

    def _read(self, found: ScanReport) -> None:
        folders, doubts = self._services.folders, found.doubts

        def work(cancel: CancelToken, report: Report) -> Settled:
            return folders.settle(doubts, cancel, report)

        self._is_reading = True
        self._show_progress(0, sum(doubt.row.size_bytes for doubt in doubts))
        self._task = self._bridge.submit(
            "read what moved", work, on_outcome=self._on_read, on_progress=self._on_progress
        )

    def _on_progress(self, progress: Progress) -> None:
        self._show_progress(progress.done, progress.total or 0)

    def _show_progress(self, done: int, total: int) -> None:
        text = self.tr(
            "Reading files that moved or changed, before they are used: {done} of {total}"
        )
        text = text.format(done=format_bytes(done), total=format_bytes(total))
        if self.isHidden() or self.button.text() != self.tr("Stop"):
            self.show_message(text, button=self.tr("Stop"))
        self.text.setText(text)

    def _on_read(self, outcome: Outcome[Settled]) -> None:
        self._task, self._is_reading = None, False
        match outcome:
            case Succeeded(settled) if self._found is not None:
                self._show(self._found, settled)
            case Failed(error):
                self.show_message(error_text(error), NoticeLevel.BAD, button=self.tr("Close"))
            case _:
                self.hide()
        self.ended.emit()

    def _show(self, found: ScanReport, settled: Settled) -> None:
        away = self._away_words(found)
        lines = [*self._settled_words(settled), *away, *self._new_words(found)]
        is_known = self._closed is not None and _told(found) == _told(self._closed)
        if not lines or (is_known and settled == Settled()):
            self.hide()
            return
        level = NoticeLevel.WARNING if away else NoticeLevel.INFO
        level = NoticeLevel.BAD if settled.damaged else level
        button = self.tr("Import…") if found.strangers else self.tr("Close")
        self.show_message(" ".join(lines), level, button=button)

    def _new_words(self, found: ScanReport) -> list[str]:
        lines = []
        if found.strangers:
            count = len(found.strangers)
            text = self.tr("Not in the library yet: %n model file(s) in your folders.", "", count)
            lines.append(text)
        if found.cut:
            text = self.tr(
                "Too many files to look for new ones in all of {folders}; add the folder with the "
                "models instead."
            )
            lines.append(text.format(folders=", ".join(found.cut)))
        return lines

    def _settled_words(self, settled: Settled) -> list[str]:
        lines = []
        if settled.damaged:
            count = len(set(settled.damaged))
            text = self.tr(
                "Changed on disk and damaged, so not loaded any more: %n model(s).", "", count
            )
            lines.append(text)
        if settled.found:
            count = len({model_id for model_id, _ in settled.found})
            lines.append(self.tr("Moved and found again: %n model(s).", "", count))
        return lines

    def _away_words(self, found: ScanReport) -> list[str]:
        missing = [folder.path for folder in found.folders if folder.is_missing]
        if not missing:
            return []
        names = []
        for path in missing:
            drive = drive_of(path)
            text = self.tr("{path} (drive {drive})") if drive else "{path}"
            names.append(text.format(path=path, drive=drive))
        text = self.tr("Not here: {folders}. Models in it are kept, and can be used as soon as it "
                       "is back.")  # fmt: skip
        return [text.format(folders=", ".join(names))]

    def _on_acted(self) -> None:
        if self._task is not None and self._is_reading:
            self._task.cancel()
            return
        self._closed = self._found
        self.hide()
        if self._found is not None and self._found.strangers:
            self.import_pressed.emit()


def _states_of(folders: Sequence[ModelFolder]) -> tuple[tuple[str, str], ...]:
    return tuple((folder.path, folder.condition.value) for folder in folders)


def _told(found: ScanReport) -> tuple[object, ...]:
    """What the notice says of a look."""
    missing = tuple(folder.path for folder in found.folders if folder.is_missing)
    return missing, found.strangers, found.cut

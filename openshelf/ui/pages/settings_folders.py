"""Settings: the folders with models, where downloads go, and how often files are verified."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from openshelf.library.folders import ModelFolder
from openshelf.services import Services
from openshelf.settings import Settings
from openshelf.tasks import Cancelled, CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.folder_words import folder_state, folder_tone
from openshelf.ui.sentences import error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    Button,
    Card,
    InlineNotice,
    LinkButton,
    NoticeLevel,
    SegmentedControl,
    TextLabel,
)
from openshelf.ui.widgets.file_dialogs import ask_for_folder
from openshelf.ui.widgets.keyed_rows import KeyedRows
from openshelf.ui.widgets.setting_line import SettingLine

Folders = tuple[ModelFolder, ...]


class FolderRow(QWidget):
    """Signals carry the folder's path."""

    chosen = Signal(str)
    removed = Signal(str)

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 3, 0, 3)
        row.setSpacing(12)
        self.name = TextLabel(path, TextRole.CODE, wrap=True, selectable=True)
        self.words = TextLabel("", TextRole.SMALL, "muted")
        self.use_button = LinkButton(
            self.tr("Use for downloads"), self.tr("Use {path} for downloads").format(path=path),
            small=True,
        )  # fmt: skip
        self.remove_button = LinkButton(
            self.tr("Take off the list"), self.tr("Take {path} off the list").format(path=path),
            small=True,
        )  # fmt: skip
        row.addWidget(self.name, 1)
        for part in (self.words, self.use_button, self.remove_button):
            row.addWidget(part)
        self.use_button.clicked.connect(self._on_use)
        self.remove_button.clicked.connect(self._on_remove)

    def show_folder(self, folder: ModelFolder) -> None:
        words = [folder_state(folder)]
        if folder.takes_downloads:
            words.append(self.tr("downloads go here"))
        self.words.setText(" · ".join(words))
        self.words.set_tone(folder_tone(folder))
        self.name.set_tone("faint" if folder.is_missing else "ink")
        is_usable = not folder.is_missing and not folder.takes_downloads and not folder.same_as
        can_write = folder.look.is_writable or not folder.is_here
        self.use_button.setVisible(is_usable and can_write)
        self.remove_button.setVisible(not folder.is_standard)

    def _on_use(self) -> None:
        self.chosen.emit(self._path)

    def _on_remove(self) -> None:
        self.removed.emit(self._path)


class FoldersCard(Card):
    """Read in tasks: a network folder may take its time. `schedule_changed` carries its value."""

    schedule_changed = Signal(str)

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._services, self._bridge = services, bridge
        self._number = 0
        head = QHBoxLayout()
        head.addWidget(TextLabel(self.tr("Model folders"), TextRole.HEADING), 1)
        self.add_button = Button(self.tr("Add a folder…"))
        head.addWidget(self.add_button)
        self.body.addLayout(head)
        self.problem = InlineNotice()
        self.rows: KeyedRows[FolderRow] = KeyedRows()
        text = self.tr(
            "Models in a folder that is not here, such as on a drive that is not connected, stay "
            "in the library. Taking a folder off the list deletes nothing; files that somebody "
            "put there are offered for import."
        )
        for part in (self.problem, self.rows, TextLabel(text, TextRole.SMALL, "muted", wrap=True)):
            self.body.addWidget(part)
        self._add_schedule()
        self.add_button.clicked.connect(self._on_add)

    def _add_schedule(self) -> None:
        name = self.tr("Verify files")
        options = [
            ("off", self.tr("When I say so")),
            ("weekly", self.tr("Weekly")),
            ("monthly", self.tr("Monthly")),
        ]
        current = self._services.settings.current.verify_schedule
        self.schedule: SegmentedControl[str] = SegmentedControl(name, options, current)
        self.schedule.value_changed.connect(self._on_schedule)
        self.body.addWidget(SettingLine(name, self.schedule))
        text = self.tr(
            "In the background, one file at a time, while no answer is written and nothing is "
            "downloaded. The Library shows what was found."
        )
        self.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))

    def refresh(self) -> None:
        """Look at the folders; the latest question counts."""
        self._ask("model folders", None)

    def show_settings(self, settings: Settings) -> None:
        self.schedule.choose(settings.verify_schedule)

    def add(self, path: str) -> None:
        self._ask("add a model folder", self._services.folders.add, path)

    def _ask(self, name: str, act: Callable[[str], None] | None, path: str = "") -> None:
        """Do something with a folder, then look at all of them."""
        folders = self._services.folders
        self._number += 1
        number = self._number

        def work(cancel: CancelToken, report: Report) -> tuple[int, Folders]:
            if act is not None:
                act(path)
            return number, folders.all()

        self._bridge.submit(name, work, on_outcome=self._on_read)

    def _on_read(self, outcome: Outcome[tuple[int, Folders]]) -> None:
        match outcome:
            case Succeeded((number, folders)):
                if number == self._number:
                    self.problem.hide()
                    self._show(folders)
            case Failed(error):
                self.problem.show_message(error_text(error), NoticeLevel.BAD)
            case Cancelled():
                pass

    def _show(self, folders: Folders) -> None:
        self.rows.set_keys([folder.path for folder in folders], self._make_row)
        for folder in folders:
            row = self.rows.row(folder.path)
            if row is not None:
                row.show_folder(folder)

    def _make_row(self, key: Hashable) -> FolderRow:
        row = FolderRow(str(key))
        row.chosen.connect(self._on_chosen)
        row.removed.connect(self._on_removed)
        return row

    def _on_schedule(self, value: str) -> None:
        self.schedule_changed.emit(value)

    def _on_chosen(self, path: str) -> None:
        self._ask("choose a model folder", self._services.folders.choose, path)

    def _on_removed(self, path: str) -> None:
        self._ask("leave a model folder", self._services.folders.remove, path)

    def _on_add(self) -> None:
        ask_for_folder(self, self.tr("Add a folder with models"), self.add)

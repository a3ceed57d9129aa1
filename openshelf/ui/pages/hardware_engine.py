"""Builds of the engine: which one loads models, what each can use, and another folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from openshelf.engine.builds import Build, Builds
from openshelf.engine.kept_builds import INSTALLED
from openshelf.errors import EngineFailed
from openshelf.services import Services
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.pages.hardware_row import FoundRow, Link
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import TextRole
from openshelf.ui.theme.kinds import ChipKind
from openshelf.ui.widgets.buttons import Button
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.file_dialogs import ask_for_folder
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.ui.widgets.text import TextLabel

USE, FORGET = "use", "forget"
_DAY_SECONDS = 86400
OLD_DAYS = 180
"""llama.cpp learns new architectures every week."""


class EngineCard(Card):
    """`changed` when another build was chosen: what the engine can use is to be asked anew."""

    changed = Signal()

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__(margin=18, spacing=0)
        self._services, self._bridge = services, bridge
        self._is_busy = False
        head = QHBoxLayout()
        head.addWidget(TextLabel(self.tr("Engine builds"), TextRole.HEADING))
        head.addStretch(1)
        self.add_button = Button(self.tr("Add a folder…"), self.tr("Add a folder with llama.cpp"))
        self.add_button.clicked.connect(self._on_add)
        head.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(head)
        text = self.tr(
            "A build of llama.cpp for your GPU, in a folder of its own, is used without installing "
            "anything. Its code runs on this machine: add only builds that you trust."
        )
        self.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        self.notice = InlineNotice()
        self.body.addSpacing(6)
        self.body.addWidget(self.notice)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        self.body.addLayout(self._rows)
        bridge.listen(services.engine_builds.announcer, self._on_builds_changed)

    def open_card(self) -> None:
        """Read which builds there are: their folders may have changed."""
        builds = self._services.engine_builds
        self._bridge.submit(
            "engine builds", lambda cancel, report: builds.current(), on_outcome=self._on_read
        )

    def show_builds(self, builds: Builds) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for build in builds.builds:
            self._rows.addWidget(self._row(build, builds))

    def _row(self, build: Build, builds: Builds) -> FoundRow:
        name = self.tr("Installed") if build.folder == INSTALLED else build.folder
        row = FoundRow(self.tr("Engine"), name, " · ".join(self._figures(build)))
        row.setProperty("folder", build.folder)
        row.linked.connect(self._on_linked)
        links = []
        if build.folder != builds.chosen:
            links.append(Link(USE, self.tr("Use this one")))
        elif build.problem is not None:
            links.append(Link(USE, self.tr("Try again")))
        if build.folder != INSTALLED:
            links.append(Link(FORGET, self.tr("Remove from list")))
        state: tuple[str, ChipKind] | None = None
        if build.folder == builds.in_use:
            # That another one was chosen, and why not, is said above all pages (EngineNotice).
            words = self.tr("in use") if builds.problem is None else self.tr("in use instead")
            state = (words, ChipKind.GOOD)
        elif build.problem is not None:
            state = (self.tr("cannot be used"), ChipKind.WARNING)
        why = error_text(build.problem) if build.problem is not None else ""
        row.add_state(state, why, links)
        return row

    def _figures(self, build: Build) -> list[str]:
        parts = [build.engine_version or self.tr("not asked yet")]
        if build.modified_at:
            days = max(0, int((time.time() - build.modified_at) / _DAY_SECONDS))
            parts.append(self.tr("%n day(s) old", "", days))
            if days > OLD_DAYS:
                parts.append(self.tr("newer models may need a newer build"))
        parts += [f"{device.name} ({device.description})" for device in build.devices]
        return parts

    # --- what a person does ---------------------------------------------------------------------

    def _on_linked(self, link: str) -> None:
        folder = str(self.sender().property("folder"))
        if link == USE:
            self.use(folder)
        else:
            builds = self._services.engine_builds

            def work(cancel: CancelToken, report: Report) -> Builds:
                builds.forget(folder)
                return builds.current()

            self._submit("forget an engine build", work)

    def _on_add(self) -> None:
        ask_for_folder(self, self.tr("A folder with llama.cpp"), self.use)

    def use(self, folder: str) -> None:
        """Check the build and load models with it from now on."""
        builds, chats = self._services.engine_builds, self._services.chats

        def work(cancel: CancelToken, report: Report) -> Builds:
            builds.use(None if folder == INSTALLED else Path(folder), cancel)
            try:
                chats.unload()  # so that the next message loads with it
            except EngineFailed as error:
                if error.why != "busy":
                    raise
            return builds.current()

        self._submit("choose an engine build", work)

    def _submit(self, name: str, work: Callable[[CancelToken, Report], Builds]) -> None:
        if self._is_busy:
            return
        self._set_busy(is_busy=True)
        self.notice.show_message(self.tr("Trying the engine build…"))
        self._bridge.submit(name, work, on_outcome=self._on_chosen)

    def _set_busy(self, *, is_busy: bool) -> None:
        self._is_busy = is_busy
        self.add_button.setEnabled(not is_busy)

    def _on_chosen(self, outcome: Outcome[Builds]) -> None:
        self._set_busy(is_busy=False)
        self.notice.hide()
        match outcome:
            case Succeeded(builds):
                self.show_builds(builds)
                self.changed.emit()
            case Failed(error):
                self.notice.show_message(
                    error_text(error), NoticeLevel.BAD, details=error_details(error)
                )
                self.open_card()
            case _:
                pass

    def _on_read(self, outcome: Outcome[Builds]) -> None:
        if isinstance(outcome, Succeeded):
            self.show_builds(outcome.value)

    def _on_builds_changed(self, builds: Builds) -> None:
        self.show_builds(builds)

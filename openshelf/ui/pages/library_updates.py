"""Looking for a newer version of an installed model: its terms first, then its files."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.library.installed import InstalledModel
from openshelf.library.updates import ACCEPTED, CURRENT, UpdateReport
from openshelf.licenses.facts import load_licenses
from openshelf.services import Services
from openshelf.tasks import Cancelled, CancelToken, Failed, Outcome, Report, Succeeded, Task
from openshelf.ui.models.terms_change import ShownTermsChange, build_change
from openshelf.ui.models.update_words import file_lines, state_words, terms_lines
from openshelf.ui.sentences import error_details, error_text, words
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme import TextRole
from openshelf.ui.widgets.buttons import LinkButton, PrimaryButton
from openshelf.ui.widgets.containers import Card
from openshelf.ui.widgets.notice import InlineNotice, NoticeLevel
from openshelf.ui.widgets.terms_change import TermsChangePart
from openshelf.ui.widgets.text import TextLabel

_Found = tuple[UpdateReport, ShownTermsChange | None]


class UpdateCard(Card):
    """Hidden until `look`; `install_pressed` carries a target for the install sheet.

    Nothing but metadata and texts is fetched here.
    """

    install_pressed = Signal(str)

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__(margin=18, spacing=8)
        self._services, self._bridge = services, bridge
        self._model: InstalledModel | None = None
        self._found: UpdateReport | None = None
        self._task: Task | None = None
        head = QHBoxLayout()
        head.setSpacing(12)
        self.title = TextLabel("", TextRole.HEADING, wrap=True)
        self.close_button = LinkButton("✕", self.tr("Close the update"))
        head.addWidget(self.title, 1)
        head.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(head)
        self.notice = InlineNotice()
        self.body.addWidget(self.notice)
        self._result: QWidget | None = None
        self.install_button = PrimaryButton("")
        self.install_button.hide()
        self.body.addWidget(self.install_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.close_button.clicked.connect(self.close_card)
        self.notice.acted.connect(self._on_acted)
        self.install_button.clicked.connect(self._on_install)
        self.hide()

    def look(self, model: InstalledModel) -> None:
        """Ask the model's repository; the latest question counts."""
        self._stop()
        self._model, self._found = model, None
        self._clear()
        name = " ".join(model.name.split())[:120]
        title = self.tr("Update of {name}").format(name=f"{name} {model.quant or ''}".strip())
        self.title.setText(title)
        self.setAccessibleName(title)
        self.notice.show_message(
            self.tr("Asking {repo} for its terms and files…").format(repo=model.repo),
            button=self.tr("Stop"),
        )
        self.show()
        self.close_button.setFocus()
        services = self._services

        def work(cancel: CancelToken, report: Report) -> _Found:
            found = services.check_update(model, cancel, report)
            change = build_change(found.terms, load_licenses()) if found.terms.is_changed else None
            return found, change

        self._task = self._bridge.submit("check for an update", work, on_outcome=self._on_looked)

    def close_card(self) -> None:
        self._stop()
        self.hide()

    def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _on_acted(self) -> None:
        if self._task is not None:
            self.close_card()
        elif self._model is not None:
            self.look(self._model)

    def _on_looked(self, outcome: Outcome[_Found]) -> None:
        if isinstance(outcome, Cancelled):
            return
        self._task = None
        match outcome:
            case Succeeded((found, change)) if found.model == self._model:
                self._show(found, change)
            case Failed(error):
                self.notice.show_message(
                    error_text(error), NoticeLevel.BAD,
                    button=self.tr("Try again"), details=error_details(error),
                )  # fmt: skip
            case _:
                pass

    def _show(self, found: UpdateReport, change: ShownTermsChange | None) -> None:
        self._found = found
        is_current = found.state == CURRENT
        level = NoticeLevel.GOOD if is_current else NoticeLevel.INFO
        self.notice.show_message(state_words(found), level)
        self._result = QWidget()
        column = QVBoxLayout(self._result)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        if change is not None:
            column.addWidget(TermsChangePart(change))
        for line in terms_lines(found):
            column.addWidget(TextLabel(line, TextRole.SMALL, wrap=True))
        if not is_current:
            gate = words(f"update_gate_{found.gate}")
            column.addWidget(TextLabel(gate, TextRole.STRONG, wrap=True))
        for line in file_lines(found):
            column.addWidget(TextLabel(line, TextRole.CODE, "muted", wrap=True))
        self.body.insertWidget(self.body.indexOf(self.install_button), self._result)
        self._result.show()
        is_settled = found.gate == ACCEPTED and not found.has_other_files
        self.install_button.setVisible(not is_current and not is_settled)
        read, get = self.tr("Read the new terms…"), self.tr("Get the new version…")
        self.install_button.setText(get if found.has_other_files else read)

    def _clear(self) -> None:
        self.install_button.hide()
        if self._result is not None:
            self._result.hide()
            self._result.deleteLater()
            self._result = None

    def _on_install(self) -> None:
        if self._found is not None and self._found.offer.files:
            offer = self._found.offer
            self.install_pressed.emit(f"hf:{offer.repo}/{offer.files[0].path}")

"""Facts and rules on the Policy screen: a draft that is tried out at once, saved, imported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.licenses.facts import load_licenses
from openshelf.policy.organization import Policy
from openshelf.policy.store import PolicyState
from openshelf.services import Services
from openshelf.shelf.preview import PolicyPreview
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded, Task
from openshelf.ui.models.policy_words import source_words
from openshelf.ui.pages.policy_facts import FactsCard
from openshelf.ui.pages.policy_preview import PreviewCard
from openshelf.ui.pages.policy_rules import RulesCard
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import (
    PAGE_MARGIN,
    Button,
    InlineNotice,
    LinkButton,
    NoticeLevel,
    PrimaryButton,
    ScrollPage,
)
from openshelf.ui.widgets.file_dialogs import ask_for_file, ask_where_to_save

PREVIEW_WIDTH = 372
SOON_MILLISECONDS = 150
"""After the last change, before the shelf is held against the policy again."""


class DraftPanel(QWidget):
    """Shows the policy in force until something is entered; `install_pressed` carries a target."""

    install_pressed = Signal(str)
    told = Signal(str)
    """Where the policy in force comes from, in a line."""

    def __init__(self, services: Services, bridge: TaskBridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._services, self._bridge = services, bridge
        self._state: PolicyState = services.policies.current
        self._before_import: Policy | None = None
        self._target = ""
        self._task: Task | None = None
        self._number = 0
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON_MILLISECONDS)
        self._build()
        self._connect()
        self._show_state()

    def _build(self) -> None:
        licenses = load_licenses()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.form = ScrollPage(spacing=14)
        row.addWidget(self.form, 1)
        self.form.setAccessibleName(self.tr("Facts and rules"))
        self.notice = InlineNotice()
        self.source = InlineNotice()
        self.facts, self.rules = FactsCard(), RulesCard(licenses)
        for part in (self.notice, self.source, self.facts, self.rules):
            self.form.body.addWidget(part)
        self.form.body.addStretch(1)
        side = QVBoxLayout()
        row.addLayout(side)
        side.setContentsMargins(0, 18, PAGE_MARGIN, 12)
        side.setSpacing(10)
        self.preview = PreviewCard(licenses)
        scroll = ScrollPage(margin=2, top=0)
        scroll.setAccessibleName(self.tr("What this would allow"))
        side.addWidget(scroll, 1)
        scroll.body.addWidget(self.preview)
        scroll.setFixedWidth(PREVIEW_WIDTH)
        side.addLayout(self._make_buttons())

    def _make_buttons(self) -> QVBoxLayout:
        self.import_button = Button(self.tr("Import…"), self.tr("Import a policy file"))
        self.export_button = Button(self.tr("Export…"), self.tr("Export as a policy file"))
        self.save_button = PrimaryButton(self.tr("Save"), self.tr("Save the policy"))
        self.undo = LinkButton(self.tr("Undo changes"), muted=True)
        self.remove = LinkButton(self.tr("Remove the policy"), muted=True)
        buttons, links = QHBoxLayout(), QHBoxLayout()
        for button in (self.import_button, self.export_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.save_button)
        links.addWidget(self.remove)
        links.addStretch(1)
        links.addWidget(self.undo)
        both = QVBoxLayout()
        both.setSpacing(4)
        both.addLayout(buttons)
        both.addLayout(links)
        return both

    def _connect(self) -> None:
        self.facts.changed.connect(self._on_changed)
        self.rules.changed.connect(self._on_changed)
        self.preview.fact_pressed.connect(self._on_fact_pressed)
        self.import_button.clicked.connect(self._on_import)
        self.export_button.clicked.connect(self._on_export)
        self.save_button.clicked.connect(self._on_save)
        self.undo.clicked.connect(self._on_undo)
        self.remove.clicked.connect(self._on_remove)
        self.notice.acted.connect(self._on_notice_acted)
        self._soon.timeout.connect(self.try_out)
        self._bridge.listen(self._services.policies.announcer, self._on_state)

    @property
    def draft(self) -> Policy:
        """The person's own policy as entered."""
        policy = self.rules.policy
        if self._state.managed is not None:
            return policy
        return replace(policy, organization=self.facts.organization)

    @property
    def is_changed(self) -> bool:
        return _bare(self.draft) != _bare(self._state.own or Policy())

    def ask_about(self, target: str) -> None:
        """Somebody wants to install this target once the facts are filled in."""
        self._target = target
        text = self.tr(
            "Fill in what you know, save it, and continue with the installation. "
            "You can continue without a policy too."
        )
        self._tell(text, button=self.tr("Continue"))

    # --- showing ----------------------------------------------------------------------------------

    def _show_state(self) -> None:
        state = self._state
        own = state.own or Policy()
        facts = state.managed if state.managed is not None else own
        locked = state.managed is not None or not state.editable
        self.facts.show_organization(facts.organization, locked=locked)
        self.preview.fillable = not locked
        self.rules.show_policy(own, state.managed, editable=state.editable)
        self._show_source()
        self._show_buttons()

    def _show_source(self) -> None:
        words = source_words(self._state)
        self.subtitle = words.subtitle
        self.told.emit(words.subtitle)
        level = NoticeLevel.BAD if words.is_bad else NoticeLevel.INFO
        self.source.show_message(words.text, level)
        self.source.setVisible(bool(words.text))

    def _show_buttons(self) -> None:
        editable, changed = self._state.editable, self.is_changed
        is_bad = self.facts.has_problem or self.rules.has_problem
        must_replace = self._state.problem is not None and editable
        self.save_button.setEnabled(editable and (changed or must_replace) and not is_bad)
        self.undo.setVisible(changed or is_bad)
        self.import_button.setEnabled(editable)
        self.export_button.setEnabled(not is_bad)
        self.remove.setVisible(editable and self._state.own is not None and not changed)

    def _tell(
        self,
        text: str,
        level: NoticeLevel = NoticeLevel.INFO,
        *,
        button: str = "",
        details: str = "",
    ) -> None:
        self.notice.show_message(text, level, button=button, details=details)
        self.form.ensureWidgetVisible(self.notice)

    def _tell_error(self, error: BaseException) -> None:
        self.notice.show_message(error_text(error), NoticeLevel.BAD, details=error_details(error))

    # --- trying out -------------------------------------------------------------------------------

    def _on_changed(self) -> None:
        self._show_buttons()
        self._soon.start()

    def try_out(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._number += 1
        number, state, draft = self._number, self._state, self.draft
        tried = state.under(draft) if self.is_changed else state.policy
        if state.problem is not None:
            tried = state.under(draft)
        preview = self._services.preview_policy

        def work(cancel: CancelToken, report: Report) -> tuple[int, PolicyPreview, bool]:
            return number, preview(tried), tried.exists

        self._task = self._bridge.submit("preview", work, on_outcome=self._on_preview)

    def _on_preview(self, outcome: Outcome[tuple[int, PolicyPreview, bool]]) -> None:
        match outcome:
            case Succeeded((number, preview, stops)) if number == self._number:
                self.preview.show_preview(preview, stops=stops)
                self.facts.show_waiting(preview.waiting)
            case Failed(error):
                self._tell_error(error)
            case _:
                pass

    def _on_fact_pressed(self, name: str) -> None:
        row = self.facts.rows[name]
        self.form.ensureWidgetVisible(row)
        row.focus_answer()

    # --- saving, importing, exporting -------------------------------------------------------------

    def _on_state(self, state: PolicyState) -> None:
        self._state = state
        self._show_state()
        self.try_out()

    def _on_save(self) -> None:
        draft, policies = self.draft, self._services.policies

        def work(cancel: CancelToken, report: Report) -> PolicyState:
            return policies.save(draft)

        self._bridge.submit("save policy", work, on_outcome=self._on_saved)

    def _on_saved(self, outcome: Outcome[PolicyState]) -> None:
        match outcome:
            case Succeeded(state):
                self._before_import = None
                text = self.tr("Saved, and in force: {path}").format(path=state.own_path)
                button = self.tr("Continue") if self._target else ""
                self._tell(text, NoticeLevel.GOOD, button=button)
            case Failed(error):
                self._tell_error(error)
            case _:
                pass

    def _on_remove(self) -> None:
        policies = self._services.policies

        def work(cancel: CancelToken, report: Report) -> PolicyState:
            return policies.remove()

        self._bridge.submit("remove policy", work, on_outcome=self._on_removed)

    def _on_removed(self, outcome: Outcome[PolicyState]) -> None:
        if isinstance(outcome, Failed):
            self._tell_error(outcome.error)
        elif isinstance(outcome, Succeeded):
            text = self.tr("The policy is no longer in force. Its file is kept in {folder}.")
            self._tell(text.format(folder=outcome.value.own_path.parent))

    def _on_import(self) -> None:
        title, filters = self.tr("Import a policy file"), self.tr("Policy files (*.toml)")
        ask_for_file(self, title, filters, self.import_file)

    def import_file(self, path: str) -> None:
        """Take a file over into the form; what is in force stays until it is saved."""
        policies = self._services.policies

        def work(cancel: CancelToken, report: Report) -> Policy:
            return policies.read(Path(path))

        self._bridge.submit("import policy", work, on_outcome=self._on_imported)

    def _on_imported(self, outcome: Outcome[Policy]) -> None:
        match outcome:
            case Succeeded(policy):
                self._before_import = self.draft
                self._show_draft(policy)
                text = self.tr("Taken over from {path}. It is not in force before you save it.")
                self._tell(text.format(path=policy.source), button=self.tr("Undo the import"))
            case Failed(error):
                self._tell_error(error)
            case _:
                pass

    def _show_draft(self, policy: Policy) -> None:
        if self._state.managed is None:
            self.facts.show_organization(policy.organization, locked=not self._state.editable)
        self.rules.show_policy(policy, self._state.managed, editable=self._state.editable)
        self._on_changed()

    def _on_undo(self) -> None:
        self.notice.hide()
        self._show_state()
        self.try_out()

    def _on_notice_acted(self) -> None:
        self.notice.hide()
        if self._before_import is not None:
            before, self._before_import = self._before_import, None
            self._show_draft(before)
        elif self._target:
            target, self._target = self._target, ""
            self.install_pressed.emit(target)

    def _on_export(self) -> None:
        title, filters = self.tr("Export as a policy file"), self.tr("Policy files (*.toml)")
        ask_where_to_save(self, title, "policy.toml", filters, self.export_file)

    def export_file(self, path: str) -> None:
        """Write the draft; of a managed policy, what is in force."""
        state, policies = self._state, self._services.policies
        draft = self.draft if state.managed is None else state.under(self.draft)

        def work(cancel: CancelToken, report: Report) -> str:
            policies.export(draft, Path(path))
            return path

        self._bridge.submit("export policy", work, on_outcome=self._on_exported)

    def _on_exported(self, outcome: Outcome[str]) -> None:
        match outcome:
            case Succeeded(path):
                self._tell(self.tr("Written to {path}").format(path=path), NoticeLevel.GOOD)
            case Failed(error):
                self._tell_error(error)
            case _:
                pass


def _bare(policy: Policy) -> Policy:
    """Without what a file has and a draft has not."""
    return replace(policy, source="", sha256="", managed=False)

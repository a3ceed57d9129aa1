"""The tab Obligations: the full decision on a build's license, as the install sheet shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from openshelf.library.install import InstallOffer
from openshelf.licenses.license import License
from openshelf.policy.organization import Policy
from openshelf.policy.verdict import Decision
from openshelf.ui.models.install_words import verdict_words
from openshelf.ui.models.model_words import plain
from openshelf.ui.models.terms import build_terms
from openshelf.ui.pages.decision_part import PolicyPart
from openshelf.ui.pages.install_terms import TermsPanel
from openshelf.ui.pages.lineage_part import LineagePart
from openshelf.ui.sentences import error_details, error_text, words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    PAGE_MARGIN,
    Chip,
    Divider,
    EmptyState,
    InlineNotice,
    NoticeLevel,
    ScrollPage,
    TextLabel,
)

SIDE_WIDTH = 331


@dataclass(frozen=True)
class TermsSubject:
    """What is known of a license: by the catalog alone, or (`offer`) by whoever has the files."""

    decision: Decision | None
    offer: InstallOffer | None = None
    problem: BaseException | None = None
    is_asking: bool = False

    @property
    def shown(self) -> Decision | None:
        return self.offer.decision if self.offer is not None else self.decision


class ObligationsPanel(QWidget):
    """`retry_pressed` where the Hub could not be asked."""

    retry_pressed = Signal()

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self._policy = policy
        self._decision: Decision | None = None
        self.terms: TermsPanel | None = None
        self.side: DecisionSide | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.notice = InlineNotice()
        self._above = QWidget()
        above = QVBoxLayout(self._above)
        above.setContentsMargins(PAGE_MARGIN, 14, PAGE_MARGIN, 0)
        above.addWidget(self.notice)
        column.addWidget(self._above)
        self.empty = EmptyState("", "", self.tr("Try again"))
        self._body = QWidget()
        self._row = QHBoxLayout(self._body)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._body)
        self._stack.addWidget(self.empty)
        column.addWidget(self._stack, 1)
        self.notice.acted.connect(self.retry_pressed)
        self.empty.acted.connect(self.retry_pressed)

    def set_policy(self, policy: Policy) -> None:
        """What is shown next was decided under this one."""
        self._policy = policy

    def focus_content(self) -> None:
        if self.terms is not None:
            self.terms.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_subject(self, subject: TermsSubject, licenses: Mapping[str, License]) -> None:
        decision = subject.shown
        self._show_notice(subject)
        self._show_empty(subject)
        self._stack.setCurrentWidget(self.empty if decision is None else self._body)
        if decision is not None and decision is not self._decision:
            self._fill(decision, licenses)
        if self.side is not None:
            self.side.show_source(subject.offer)

    def _fill(self, decision: Decision, licenses: Mapping[str, License]) -> None:
        self._decision = decision
        while (item := self._row.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.terms = TermsPanel()
        self.terms.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.terms.show_terms(build_terms(decision, licenses))
        self.side = DecisionSide(decision, self._policy)
        self._row.addWidget(self.terms, 1)
        self._row.addWidget(Divider(vertical=True))
        self._row.addWidget(self.side)

    def _show_notice(self, subject: TermsSubject) -> None:
        if subject.shown is None or subject.offer is not None:
            self.notice.hide()
        elif subject.problem is not None:
            kept = self.tr("What is shown here is what the catalog says.")
            self.notice.show_message(
                f"{error_text(subject.problem)} {kept}",
                NoticeLevel.WARNING,
                button=self.tr("Try again"),
                details=error_details(subject.problem),
            )
        elif subject.is_asking:
            text = self.tr(
                "Asking the Hub what this repository declares. Until then this is what the "
                "catalog says."
            )
            self.notice.show_message(text)
        else:
            self.notice.hide()
        self._above.setVisible(not self.notice.isHidden())

    def _show_empty(self, subject: TermsSubject) -> None:
        problem = subject.problem
        if problem is None:
            self.empty.title.setText(self.tr("Following the model back to its base…"))
            self.empty.text.setText(self.tr("Its license is read on the Hub, along its lineage."))
        else:
            self.empty.title.setText(self.tr("The license could not be looked up"))
            self.empty.text.setText(error_text(problem))
        if self.empty.button is not None:
            self.empty.button.setVisible(problem is not None)


class DecisionSide(ScrollPage):
    """The verdict with its reasons, and the lineage that the license comes down."""

    def __init__(self, decision: Decision, policy: Policy) -> None:
        super().__init__(margin=20, top=18, spacing=4)
        self.setFixedWidth(SIDE_WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Verdict and lineage"))
        today = datetime.now(UTC).date()
        verdict = verdict_words(decision, today)
        short = words(f"verdict_short_{decision.verdict.value}")
        self.verdict = TextLabel(verdict.text, TextRole.STRONG, wrap=True)
        self.body.addWidget(Chip(short, verdict.kind))
        self.body.addSpacing(4)
        self.body.addWidget(self.verdict)
        # A verdict by a policy has the date in its own words.
        if today.isoformat() not in verdict.text:
            as_of = self.tr("as of {date}").format(date=today.isoformat())
            self.body.addWidget(TextLabel(as_of, TextRole.TINY, "faint"))
        self._source = TextLabel("", TextRole.TINY, "faint", wrap=True)
        self.body.addWidget(self._source)
        self.body.addSpacing(12)
        self.body.addWidget(PolicyPart(decision, policy))
        self.body.addSpacing(12)
        self.body.addWidget(LineagePart(decision.license.lineage))
        self.body.addStretch(1)

    def show_source(self, offer: InstallOffer | None) -> None:
        """Whose word this is."""
        if offer is None:
            text = self.tr("From what the catalog declares.")
        elif offer.source == "hub":
            text = self.tr("From what {repo} and its bases declare on the Hub, at commit {commit}.")
        else:
            text = self.tr("From what was declared for the files that lie on this machine.")
        repo, commit = (plain(offer.repo), offer.commit[:8]) if offer else ("", "")
        self._source.setText(text.format(repo=repo, commit=commit))

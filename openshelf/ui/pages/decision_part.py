"""What was asked of a license and what came out: on the install sheet and on the Model screen."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.policy.checks import Check, checks_of
from openshelf.policy.organization import Policy
from openshelf.policy.verdict import Decision
from openshelf.ui.models.install_words import check_chip, check_sentences, waived_sentence
from openshelf.ui.sentences import words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Chip, ChipKind, KeyValueRow, SectionLabel, TextLabel


class PolicyPart(QWidget):
    """Each question with its answer, the facts that were missing, and what nobody assessed."""

    def __init__(self, decision: Decision, policy: Policy) -> None:
        super().__init__()
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(4)
        self.body.addWidget(SectionLabel(policy.name or self.tr("Your policy")))
        if not policy.exists:
            none = self.tr("No policy file is set; the licenses alone speak.")
            self.body.addWidget(TextLabel(none, TextRole.SMALL, "muted", wrap=True))
        checks = checks_of(decision, policy, load_licenses())
        for check in checks:
            self.body.addWidget(CheckRow(check))
        if policy.exists and not checks:
            chip = Chip(self.tr("allowed"), ChipKind.GOOD)
            self.body.addWidget(KeyValueRow(self.tr("Rules that object: none"), chip))
        for waived in decision.waived:
            text = waived_sentence(waived)
            self.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        if decision.facts_missing:
            facts = "; ".join(words(f"fact_{name}") for name in decision.facts_missing)
            text = self.tr("Not known about you: {facts}").format(facts=facts)
            self.body.addWidget(TextLabel(text, TextRole.TINY, "faint", wrap=True))
        rest = words("verdict_not_assessed")
        self.body.addWidget(TextLabel(rest, TextRole.TINY, "faint", wrap=True))


class CheckRow(QWidget):
    """A question at the left, its answer as a chip at the right, and below them why."""

    def __init__(self, check: Check) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 2)
        column.setSpacing(2)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.title = TextLabel(words(f"check_{check.code}"), TextRole.SMALL, wrap=True)
        row.addWidget(self.title, 1)
        answer = check_chip(check)
        self.answer = Chip(answer.text, answer.kind)
        row.addWidget(self.answer, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        tone = "ink" if check.verdict is Verdict.BLOCKED else "muted"
        for sentence in check_sentences(check):
            column.addWidget(TextLabel(sentence, TextRole.TINY, tone, wrap=True))

"""What the policy says of a license and why: on the install sheet and on the Model screen."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from openshelf.licenses.clearance import Verdict
from openshelf.policy.organization import Policy
from openshelf.policy.verdict import Decision, PolicyReason
from openshelf.ui.sentences import reason_sentence, words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Chip, ChipKind, KeyValueRow, SectionLabel, TextLabel

_SOURCES = ("policy", "resolver", "none")
"""What a reason names where it comes from no license."""


class PolicyPart(QWidget):
    """The reasons of a decision, the facts that were missing, and what nobody assessed."""

    def __init__(self, decision: Decision, policy: Policy) -> None:
        super().__init__()
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(4)
        self.body.addWidget(SectionLabel(policy.name or self.tr("Your policy")))
        if not policy.exists:
            none = self.tr("No policy file is set; the licenses alone speak.")
            self.body.addWidget(TextLabel(none, TextRole.SMALL, "muted", wrap=True))
        for reason in decision.reasons:
            self.body.addWidget(_PolicyRow(reason, decision.verdict))
        if policy.exists and not decision.reasons:
            chip = Chip(self.tr("allowed"), ChipKind.GOOD)
            self.body.addWidget(KeyValueRow(self.tr("Rules that object: none"), chip))
        if decision.facts_missing:
            facts = "; ".join(words(f"fact_{name}") for name in decision.facts_missing)
            text = self.tr("Not known about you: {facts}").format(facts=facts)
            self.body.addWidget(TextLabel(text, TextRole.TINY, "faint", wrap=True))
        rest = words("verdict_not_assessed")
        self.body.addWidget(TextLabel(rest, TextRole.TINY, "faint", wrap=True))


class _PolicyRow(QWidget):
    """One reason of the verdict, with the license and clause it comes from."""

    def __init__(self, reason: PolicyReason, verdict: Verdict) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(8)
        text = reason_sentence(reason.as_reason())
        row.addWidget(TextLabel(text, TextRole.SMALL, wrap=True), 1)
        kinds = {Verdict.BLOCKED: ChipKind.BAD, Verdict.NEEDS_REVIEW: ChipKind.WARNING}
        if reason.license in _SOURCES:
            return
        chip = Chip(reason.license, kinds.get(verdict, ChipKind.NEUTRAL))
        chip.setToolTip(reason.ref)
        row.addWidget(chip, 0, Qt.AlignmentFlag.AlignTop)

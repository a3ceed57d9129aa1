"""The facts of an organization on the Policy screen: each may stay unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from openshelf.policy.organization import Organization
from openshelf.ui.models.policy_form import (
    FACT_GROUPS,
    FactQuestion,
    NotUnderstood,
    fact_text,
    parse_fact,
)
from openshelf.ui.models.policy_words import fact_hint, fact_question, group_title
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Card, SectionLabel, SegmentedControl, TextLabel
from openshelf.ui.widgets.answer_row import AnswerRow

FIELD_WIDTH = 172
"""Of text fields and of the three answers, so that they stand below each other."""


class FactRow(AnswerRow):
    """A question, what it means, and the answer: yes, no, unknown, or a field. Emits `changed`."""

    changed = Signal()

    def __init__(self, question: FactQuestion) -> None:
        text = fact_question(question.name)
        super().__init__(text, fact_hint(question.name))
        self.name, self._kind = question.name, question.kind
        self.answers: SegmentedControl[bool | None] | None = None
        self.field: QLineEdit | None = None
        self.put_control(self._make_control(text))
        self.waiting = TextLabel("", TextRole.TINY, "warning", wrap=True)
        self.problem = TextLabel("", TextRole.TINY, "bad", wrap=True)
        for label in (self.waiting, self.problem):
            label.hide()
            self.words.addWidget(label)

    def _make_control(self, text: str) -> QWidget:
        if self._kind == "flag":
            options = [(True, self.tr("Yes")), (False, self.tr("No")), (None, self.tr("Unknown"))]
            self.answers = SegmentedControl(text, options, None)
            self.answers.value_changed.connect(self._on_changed)
            return self.answers
        self.field = QLineEdit()
        self.field.setAccessibleName(text)
        self.field.setPlaceholderText(self.tr("Unknown"))
        self.field.setFixedWidth(FIELD_WIDTH)
        self.field.setMaxLength(200)
        self.field.textEdited.connect(self._on_changed)
        return self.field

    @property
    def value(self) -> object:
        """None where it is unknown. Raises NotUnderstood."""
        if self.answers is not None:
            return self.answers.value
        return parse_fact(self._kind, self.field.text()) if self.field is not None else None

    def show_value(self, organization: Organization) -> None:
        if self.answers is not None:
            self.answers.choose(getattr(organization, self.name))
        elif self.field is not None:
            self.field.setText(fact_text(organization, self.name))
        self.problem.hide()

    def show_problem(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def show_waiting(self, models: int) -> None:
        """For how many models this fact decides, as long as it is missing."""
        self.waiting.setText(self.tr("Unknown: decides for %n model(s)", "", models))
        self.waiting.setVisible(models > 0)

    def focus_answer(self) -> None:
        control = self.field
        if control is not None:
            control.setFocus(Qt.FocusReason.OtherFocusReason)
        elif self.answers is not None:
            self.answers.focus_chosen()

    def _on_changed(self, _: object) -> None:
        self.changed.emit()


class FactsCard(Card):
    """All facts; `changed` when one was entered, understood or not."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__(margin=18, spacing=4)
        self.body.addWidget(TextLabel(self.tr("The organization"), TextRole.HEADING))
        text = self.tr("What you do not know stays unknown: it is asked about, never assumed.")
        self.body.addWidget(TextLabel(text, TextRole.SMALL, "muted", wrap=True))
        self.rows: dict[str, FactRow] = {}
        for group, questions in FACT_GROUPS.items():
            self.body.addSpacing(8)
            self.body.addWidget(SectionLabel(group_title(group)))
            for question in questions:
                row = FactRow(question)
                row.changed.connect(self._on_changed)
                self.rows[question.name] = row
                self.body.addWidget(row)
        self._organization = Organization()

    @property
    def organization(self) -> Organization:
        """What is understood; a field that is not keeps the value it had."""
        return self._organization

    @property
    def has_problem(self) -> bool:
        return any(not row.problem.isHidden() for row in self.rows.values())

    def show_organization(self, organization: Organization, *, locked: bool) -> None:
        self._organization = organization
        for row in self.rows.values():
            row.show_value(organization)
            row.setEnabled(not locked)

    def show_waiting(self, waiting: Mapping[str, int]) -> None:
        for name, row in self.rows.items():
            row.show_waiting(waiting.get(name, 0))

    def _on_changed(self) -> None:
        for name, row in self.rows.items():
            try:
                value = row.value
            except NotUnderstood as error:
                row.show_problem(str(error))
                continue
            row.show_problem("")
            if value != getattr(self._organization, name):
                changes: dict[str, Any] = {name: value}
                self._organization = replace(self._organization, **changes)
        self.changed.emit()

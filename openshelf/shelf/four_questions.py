"""What a team asks before it takes a model, answered from facts at hand: legal, infrastructure,
security, product, and who controls branding, redistribution and upgrades.

Each answer names its source; what nobody knows says so. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openshelf.reasons import Reason
from openshelf.shelf.answers_license import control_answers, legal_answers
from openshelf.shelf.answers_machine import infrastructure_answers, security_answers
from openshelf.shelf.answers_product import product_answers
from openshelf.shelf.evidence import Answer, Evidence

NOT_ASSESSED = tuple(
    Reason(f"not_assessed_{what}") for what in ("sanctions", "export", "ai_act", "osaid")
)


@dataclass(frozen=True)
class Question:
    """`id` is legal, infrastructure, security, product or control."""

    id: str
    answers: tuple[Answer, ...]

    def as_json(self) -> dict[str, Any]:
        return {"question": self.id, "answers": [answer.as_json() for answer in self.answers]}


@dataclass(frozen=True)
class FourQuestions:
    """`not_assessed` lists what we have no facts for, whatever the model."""

    questions: tuple[Question, ...]
    not_assessed: tuple[Reason, ...]

    def find(self, question: str, topic: str) -> Answer | None:
        for asked in self.questions:
            if asked.id == question:
                return next((a for a in asked.answers if a.topic == topic), None)
        return None

    def as_json(self) -> dict[str, Any]:
        return {
            "questions": [question.as_json() for question in self.questions],
            "not_assessed": [reason.as_json() for reason in self.not_assessed],
        }


def answer_questions(evidence: Evidence) -> FourQuestions:
    """All answers, in the order of the sheet."""
    parts = (
        ("legal", legal_answers(evidence)),
        ("infrastructure", infrastructure_answers(evidence)),
        ("security", security_answers(evidence)),
        ("product", product_answers(evidence)),
        ("control", control_answers(evidence)),
    )
    return FourQuestions(tuple(Question(*part) for part in parts), NOT_ASSESSED)

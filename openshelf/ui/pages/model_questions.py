"""The tab Four questions: what a team asks, answered from facts at hand, each with its source."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from openshelf.reasons import Reason
from openshelf.shelf.evidence import Answer, Mark
from openshelf.shelf.four_questions import FourQuestions, Question
from openshelf.ui.models.model_words import plain
from openshelf.ui.sentences import reason_sentence, words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Card, Chip, ChipKind, Divider, LinkButton, ScrollPage, TextLabel

_TOPIC_WIDTH = 118
_SOURCE_WIDTH = 216
_KINDS = {
    Mark.UNKNOWN: ChipKind.WARNING,
    Mark.UNVERIFIED: ChipKind.WARNING,
    Mark.EXPECTED: ChipKind.NEUTRAL,
    Mark.JUDGEMENT: ChipKind.NEUTRAL,
}


Part = Question | tuple[Reason, ...]
"""What a card is made of: a question, or what nobody assessed."""


class QuestionsPanel(ScrollPage):
    """`show_answers` replaces what changed, one card per turn of the event loop; where the person
    was stays in view."""

    def __init__(self) -> None:
        super().__init__(top=14, spacing=14)
        self.setAccessibleName(self.tr("Four questions"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._answers: FourQuestions | None = None
        self._shown: list[tuple[Part, QWidget]] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._on_turn)
        row = QHBoxLayout()
        row.setSpacing(16)
        about = self.tr(
            "Answered from the facts at hand, each with its source. What nobody knows says so."
        )
        row.addWidget(TextLabel(about, TextRole.SMALL, "muted", wrap=True), 1)
        self._copy = LinkButton(self.tr("Copy as text"), self.tr("Copy all answers as text"))
        self._copy.clicked.connect(self._on_copy)
        row.addWidget(self._copy, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(row)
        self._cards = QVBoxLayout()
        self._cards.setSpacing(14)
        self.body.addLayout(self._cards)
        self.body.addStretch(1)

    def show_answers(self, answers: FourQuestions) -> None:
        if answers == self._answers:
            return
        self._answers = answers
        self._copy.setText(self.tr("Copy as text"))
        # As high as it is until the new cards are laid out, so that the view does not jump.
        content = self.widget()
        if content is not None:
            content.setMinimumHeight(content.height())
        self._timer.start()

    def _on_turn(self) -> None:
        if self._answers is None:
            return
        wanted: list[Part] = [*self._answers.questions, self._answers.not_assessed]
        for at, part in enumerate(wanted):
            if at >= len(self._shown) or self._shown[at][0] != part:
                self._put(at, part)
                self._timer.start()
                return
        content = self.widget()
        if content is not None:
            content.setMinimumHeight(0)

    def _put(self, at: int, part: Part) -> None:
        card = QuestionCard(part) if isinstance(part, Question) else _NotAssessed(part)
        if at < len(self._shown):
            old = self._shown[at][1]
            self._cards.replaceWidget(old, card)
            old.hide()
            old.deleteLater()
            self._shown[at] = (part, card)
        else:
            self._cards.addWidget(card)
            self._shown.append((part, card))
        card.show()

    def _on_copy(self) -> None:
        if self._answers is not None:
            QGuiApplication.clipboard().setText(as_text(self._answers))
            self._copy.setText(self.tr("Copied"))


class QuestionCard(Card):
    """A question with a line for each part of it."""

    def __init__(self, question: Question) -> None:
        super().__init__(spacing=10)
        title = words(f"question_{question.id}")
        self.setAccessibleName(title)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(TextLabel(title, TextRole.HEADING))
        about = words(f"question_{question.id}_about")
        head.addWidget(TextLabel(about, TextRole.SMALL, "muted", wrap=True), 1)
        self.body.addLayout(head)
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(7)
        grid.setColumnMinimumWidth(0, _TOPIC_WIDTH)
        grid.setColumnMinimumWidth(2, _SOURCE_WIDTH)
        grid.setColumnStretch(1, 1)
        for at, answer in enumerate(question.answers):
            self._add(grid, 2 * at, answer)
        self.body.addLayout(grid)

    def _add(self, grid: QGridLayout, row: int, answer: Answer) -> None:
        if row:
            grid.addWidget(Divider(), row - 1, 0, 1, 3)
        top = Qt.AlignmentFlag.AlignTop
        name = words(f"topic_{answer.topic}")
        topic = TextLabel(name, TextRole.SMALL, "muted", wrap=True)
        topic.setFixedWidth(_TOPIC_WIDTH)
        grid.addWidget(topic, row, 0, top)
        said = QVBoxLayout()
        said.setSpacing(3)
        tone = "muted" if answer.mark is Mark.UNKNOWN else "ink"
        text = TextLabel(_lines(answer.says), TextRole.BODY, tone, wrap=True, selectable=True)
        text.setAccessibleName(spoken(answer))
        said.addWidget(text)
        grid.addLayout(said, row, 1, top)
        self._add_source(grid, row, answer)

    def _add_source(self, grid: QGridLayout, row: int, answer: Answer) -> None:
        column = QVBoxLayout()
        column.setSpacing(3)
        if answer.mark in _KINDS:
            column.addWidget(Chip(words(f"mark_{answer.mark.value}"), _KINDS[answer.mark]))
        if answer.source is not None:
            source = TextLabel(_sentence(answer.source), TextRole.TINY, "faint", wrap=True)
            source.setFixedWidth(_SOURCE_WIDTH)
            column.addWidget(source)
        grid.addLayout(column, row, 2, Qt.AlignmentFlag.AlignTop)


class _NotAssessed(Card):
    """What Openshelf has no facts for, whatever the model."""

    def __init__(self, listed: Iterable[Reason]) -> None:
        super().__init__(spacing=6)
        title = words("question_not_assessed")
        self.setAccessibleName(title)
        self.body.addWidget(TextLabel(title, TextRole.HEADING))
        for reason in listed:
            text = TextLabel(_sentence(reason), TextRole.BODY, "muted", wrap=True)
            self.body.addWidget(text)


def spoken(answer: Answer) -> str:
    """An answer in one breath: what it is about, how sure, what, and who says so."""
    mark = words(f"mark_{answer.mark.value}") if answer.mark in _KINDS else ""
    source = _sentence(answer.source) if answer.source is not None else ""
    said = " ".join(_sentence(reason) for reason in answer.says)
    parts = [words(f"topic_{answer.topic}"), mark, said, source]
    return ". ".join(part.rstrip(".") for part in parts if part)


def as_text(answers: FourQuestions) -> str:
    """The whole sheet as plain text, for a ticket or a mail."""
    lines: list[str] = []
    for question in answers.questions:
        about = words(f"question_{question.id}_about")
        lines += [f"{words(f'question_{question.id}')}: {about}"]
        for answer in question.answers:
            mark = f" [{words(f'mark_{answer.mark.value}')}]" if answer.mark in _KINDS else ""
            said = " ".join(_sentence(reason) for reason in answer.says)
            source = f" ({_sentence(answer.source)})" if answer.source is not None else ""
            lines.append(f"- {words(f'topic_{answer.topic}')}{mark}: {said}{source}")
        lines.append("")
    rest = "; ".join(_sentence(reason) for reason in answers.not_assessed)
    return "\n".join([*lines, f"{words('question_not_assessed')}: {rest}", ""])


def _lines(says: Iterable[Reason]) -> str:
    return "\n".join(_sentence(reason) for reason in says)


def _sentence(reason: Reason) -> str:
    """Names in it come from strangers."""
    return plain(reason_sentence(reason))

"""Below the families: what a search found on the Hub, as cards of the same kind."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from openshelf.hardware.facts import Machine
from openshelf.services import Services
from openshelf.shelf.rows import ShelfQuestion
from openshelf.shelf.search import LEAST_LETTERS, HubRow
from openshelf.tasks import Failed, Outcome, Succeeded, Task
from openshelf.ui.models.shelf_search import Searched, search_hub
from openshelf.ui.pages.shelf_card import FamilyCard
from openshelf.ui.sentences import error_details, error_text, reason_sentences
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import InlineNotice, NoticeLevel, TextLabel

_TYPING_MILLISECONDS = 350
"""Nobody is asked while somebody types."""
_MOST = 12
"""Cards; whoever wants another repository types more of its name."""


class HubResults(QWidget):
    """Hidden while there is nothing to search for.

    Emits `install_pressed(target)`, `chat_pressed(installed_id)`, `model_pressed(name)`, and
    `changed` whenever other cards are shown.
    """

    install_pressed = Signal(str)
    chat_pressed = Signal(str)
    model_pressed = Signal(str)
    changed = Signal()

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._services, self._bridge = services, bridge
        self._machine: Machine | None = None
        self._question = ShelfQuestion()
        self._text = ""
        self._number = 0
        self._task: Task | None = None
        self._searched: Searched | None = None
        self._above: frozenset[str] = frozenset()
        self._cards: list[FamilyCard] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(10)
        self.heading = TextLabel("", TextRole.STRONG)
        self.state = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.notice = InlineNotice()
        self.notice.acted.connect(self._ask)
        for part in (self.heading, self.state, self.notice):
            column.addWidget(part)
        self._column = column
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TYPING_MILLISECONDS)
        self._timer.timeout.connect(self._ask)
        self.hide()

    @property
    def cards(self) -> tuple[FamilyCard, ...]:
        """The cards that are shown, from top to bottom."""
        return tuple(card for card in self._cards if not card.isHidden())

    def set_text(self, text: str) -> None:
        """Ask for `text` as soon as no more is typed."""
        text = text.strip()
        if text == self._text:
            return
        self._text = text
        self._forget()
        if len(text) < LEAST_LETTERS:
            self._timer.stop()
            self.hide()
            return
        self._show_state(self.tr("Searching the Hub…"))
        self.show()
        self._timer.start()

    def set_question(self, machine: Machine, question: ShelfQuestion) -> None:
        """What the rows are worked out for; asks again where there is something to ask for."""
        if (machine, question) == (self._machine, self._question):
            return
        self._machine, self._question = machine, question
        if not self.isHidden() and not self._timer.isActive():
            self._ask()

    def leave_out(self, families: Collection[str]) -> None:
        """The ids of families that have a card above: their packagers are found there."""
        self._above = frozenset(families)
        self._show_cards()

    def _forget(self) -> None:
        self._number += 1
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._searched = None
        self._show_cards()

    def _ask(self) -> None:
        if self._machine is None or not self._text:
            return
        self._number += 1
        if self._task is not None:
            self._task.cancel()
        self.notice.hide()
        if self._searched is None:
            self._show_state(self.tr("Searching the Hub…"))
        work = search_hub(self._services, self._machine, self._question, self._text)
        then = partial(self._on_outcome, self._number)
        self._task = self._bridge.submit("search", work, on_outcome=then)

    def _on_outcome(self, number: int, outcome: Outcome[Searched]) -> None:
        if number != self._number:
            return
        self._task = None
        match outcome:
            case Succeeded(searched):
                self._show_searched(searched)
            case Failed(error):
                self._show_problem(error_text(error), error_details(error))
            case _:
                pass

    def _show_searched(self, searched: Searched) -> None:
        self._searched = searched
        if searched.answer.notes:
            self._show_problem(reason_sentences(searched.answer.notes), "")
        else:
            self.notice.hide()
        self._show_cards()

    def _show_problem(self, text: str, details: str) -> None:
        self.state.hide()
        self.heading.hide()
        self.notice.show_message(
            text, NoticeLevel.WARNING, button=self.tr("Try again"), details=details
        )

    def _show_state(self, text: str) -> None:
        self.heading.setText(self.tr("On the Hub"))
        self.heading.show()
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def _show_cards(self) -> None:
        searched = self._searched
        found = [] if searched is None else self._left(searched.answer.hub)
        rows = found[:_MOST]
        for index, row in enumerate(rows):
            if index == len(self._cards) and searched is not None:
                self._add_card(searched)
            self._cards[index].show_row(row.row)
            self._cards[index].show()
        for card in self._cards[len(rows) :]:
            card.hide()
        if searched is not None and not searched.answer.notes:
            self._show_state(self._summary(len(found), len(rows)))
        self.changed.emit()

    def _summary(self, found: int, shown: int) -> str:
        if not found:
            return self.tr("Nothing else on the Hub has these words in its name.")
        if found > shown:
            text = self.tr("The {count} that most people take; type more of a name for others.")
            return text.format(count=shown)
        return self.tr("Most downloaded first; sizes are expected ones.")

    def _left(self, rows: tuple[HubRow, ...]) -> list[HubRow]:
        return [row for row in rows if not (row.is_known and row.row.family.id in self._above)]

    def _add_card(self, searched: Searched) -> None:
        card = FamilyCard(searched.licenses)
        card.install_pressed.connect(self.install_pressed)
        card.chat_pressed.connect(self.chat_pressed)
        card.model_pressed.connect(self.model_pressed)
        self._column.addWidget(card)
        self._cards.append(card)

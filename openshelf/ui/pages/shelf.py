"""The Shelf: per family the variant that fits this machine best, and why."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.catalog.refresh import Freshness
from openshelf.errors import UsageError
from openshelf.hardware.facts import Machine
from openshelf.hub.targets import TargetKind, parse_target
from openshelf.services import Services
from openshelf.shelf.filters import matches_text, models_called
from openshelf.shelf.rows import Shelf, ShelfQuestion, ShelfRow
from openshelf.tasks import Failed, Outcome, Succeeded, Task
from openshelf.ui.models.catching_up import catch_up
from openshelf.ui.models.machine_facts import decides_alike, without_our_model
from openshelf.ui.models.settings_keeping import keep_settings
from openshelf.ui.models.shelf_question import (
    FILTERS,
    FITS,
    ShelfAnswer,
    ask_shelf,
    filters_to_keep,
    kept_filters,
)
from openshelf.ui.models.shelf_words import budget_words
from openshelf.ui.pages.shelf_age import AgeLine
from openshelf.ui.pages.shelf_card import FamilyCard
from openshelf.ui.pages.shelf_filters import ShelfControls, ShelfFilters
from openshelf.ui.pages.shelf_hub import HubResults
from openshelf.ui.pages.shelf_starter import SkeletonCard, StarterCard
from openshelf.ui.sentences import error_details, error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.widgets import EmptyState, InlineNotice, NoticeLevel, ScrollPage
from openshelf.ui.widgets.page import Page

log = logging.getLogger(__name__)

_CARDS_AT_ONCE = 6
"""Cards made before the first paint and then per turn of the event loop."""
_SHOWN_AT_ONCE = 16
"""Cards that are given another row, or shown again, per turn: more than the window has room for."""


class ShelfPage(Page):
    """Asks for the shelf in a task; rows stay as they are until the new ones have come."""

    def __init__(
        self, services: Services, bridge: TaskBridge, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._bridge = bridge
        self._machine: Machine | None = None
        self._answer: ShelfAnswer | None = None
        self._number = 0
        self._task: Task | None = None
        self._is_catching_up = False
        self._is_stale = False
        self._was_painted = False
        self._is_empty = False
        self._cards: list[FamilyCard] = []
        settings = services.settings.current
        self._question = replace(
            ShelfQuestion(settings.context_length, settings.prefer, settings.kv_type),
            **kept_filters(settings),
        )
        self._build()
        self._connect()

    @property
    def cards(self) -> tuple[FamilyCard, ...]:
        """The cards that are shown, from top to bottom."""
        return tuple(card for card in self._cards if not card.isHidden())

    @override
    def set_machine(self, machine: Machine) -> None:
        machine = without_our_model(machine, self._machine, self._services.chats.loaded())
        if decides_alike(machine, self._machine):
            return
        self._machine = machine
        if self._answer is not None and not self.isVisible():
            self._is_stale = True
            return
        self._ask()

    @override
    def open_page(self) -> None:
        if self._is_stale:
            self._ask()

    @override
    def focus_content(self) -> None:
        # No field at first: a ring around the search box would draw the eye from the cards.
        self.setFocus()

    def _build(self) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName(self.tr("Shelf"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.controls = ShelfControls(self._question)
        self.filters = ShelfFilters()
        kept = self._services.settings.current
        self.filters.show_kept(kept_filters(kept), fits_only=kept.filters.get(FITS) is True)
        self.notice = InlineNotice()
        self._scroll = ScrollPage()
        self._scroll.setAccessibleName(self.tr("Families"))
        self._scroll.body.addWidget(self.filters)
        self.age = AgeLine()
        self._scroll.body.addWidget(self.age)
        self._scroll.body.addWidget(self.notice)
        self.starter = StarterCard()
        self.starter.hide()
        self._scroll.body.addWidget(self.starter)
        self._skeletons = [SkeletonCard() for _ in range(5)]
        for skeleton in self._skeletons:
            self._scroll.body.addWidget(skeleton)
        self._end = self._scroll.body.count()
        self._scroll.body.addStretch(1)
        self._empty = EmptyState(
            self.tr("No family matches"),
            self.tr("Nothing on the shelf matches this search and these filters."),
            self.tr("Clear search and filters"),
        )
        self._look_up = EmptyState(
            self.tr("Not on the shelf"), "", self.tr("Look it up on the Hub")
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(self._scroll)
        column.addWidget(self.controls)
        column.addWidget(self._stack, 1)
        for state in (self._empty, self._look_up):
            state.hide()
            self._scroll.body.insertWidget(self._end, state)
        self.hub = HubResults(self._services, self._bridge)
        self._scroll.body.insertWidget(self._scroll.body.count() - 1, self.hub)

    def _connect(self) -> None:
        self.controls.question_changed.connect(self._on_controls_changed)
        self.controls.search.textChanged.connect(self._on_search_changed)
        self.controls.search.returnPressed.connect(self._on_search_entered)
        self.filters.question_changed.connect(self._on_filters_changed)
        self.filters.fits_only_changed.connect(self._on_fits_only_changed)
        self.starter.install_pressed.connect(self.install_requested)
        self.notice.acted.connect(self._ask)
        self.hub.install_pressed.connect(self.install_requested)
        self.hub.chat_pressed.connect(self.chat_requested)
        self.hub.model_pressed.connect(self.model_requested)
        self.hub.changed.connect(self._show_no_rows)
        self.age.refresh_pressed.connect(self.catch_up)
        self._empty.acted.connect(self._on_clear)
        self._look_up.acted.connect(self._on_search_entered)
        self._grow_timer = QTimer(self)
        self._grow_timer.setSingleShot(True)
        self._grow_timer.timeout.connect(self._show_rows)
        self._bridge.listen(self._services.library.announcer, self._on_facts_changed)
        self._bridge.listen(self._services.architectures.announcer, self._on_facts_changed)
        self._bridge.listen(self._services.policies.announcer, self._on_facts_changed)

    def _ask(self) -> None:
        if self._machine is None:
            return
        if self._task is not None:
            self._task.cancel()
        self._number += 1
        self._is_stale = False
        if self._answer is None:
            self.controls.set_subtitle(self.tr("Working out what fits…"))
        self._ask_hub()
        work = ask_shelf(self._services, self._machine, self._question, self._number)
        self._task = self._bridge.submit("shelf", work, on_outcome=self._on_answer)

    def _ask_hub(self) -> None:
        if self._machine is not None:
            question = replace(self._question, fits_only=self.filters.fits_only)
            self.hub.set_question(self._machine, question)

    @override
    def catch_up(self) -> None:
        if not self._is_catching_up:
            self._is_catching_up = True
            self.age.show_asking(is_asking=True)
            work = catch_up(self._services)
            self._bridge.submit("what is new", work, on_outcome=self._on_caught_up)

    def _on_caught_up(self, outcome: Outcome[Freshness]) -> None:
        self._is_catching_up = False
        self.age.show_asking(is_asking=False)
        if isinstance(outcome, Failed):
            log.warning("what is new could not be found out: %s", outcome.error)
        self._on_facts_changed(None)

    def _on_answer(self, outcome: Outcome[ShelfAnswer]) -> None:
        match outcome:
            case Succeeded(answer) if answer.number == self._number:
                self._show_answer(answer)
            case Failed(error):
                self._hide_skeletons()
                if self._answer is None:
                    self.controls.set_subtitle(self.tr("What fits could not be worked out."))
                self.notice.show_message(
                    error_text(error),
                    NoticeLevel.BAD,
                    button=self.tr("Try again"),
                    details=error_details(error),
                )
                self._note_painted()
            case _:
                pass

    def _show_answer(self, answer: ShelfAnswer) -> None:
        self._answer = answer
        self._show_unknown_filters(answer.shelf)
        self._hide_skeletons()
        self.filters.set_choices(answer.choices)
        self.controls.set_subtitle(self._summary(answer.shelf))
        self.age.show_shelf(answer.shelf)
        starters = [s for s in answer.shelf.starters if s.installed_id is None]
        if starters:
            self.starter.show_starter(starters[0])
        self.starter.setVisible(bool(starters) and not answer.installed)
        self._show_rows()

    def _show_unknown_filters(self, shelf: Shelf) -> None:
        """Kept from a time when the catalog had more, or written into the settings by hand."""
        self.notice.hide()
        if shelf.unknown_filters:
            said = " ".join(error_text(unknown) for unknown in shelf.unknown_filters)
            self.notice.show_message(said, NoticeLevel.WARNING)

    def _summary(self, shelf: Shelf) -> str:
        first = self.tr("{fitting} of {all} families have a variant that runs here.").format(
            fitting=shelf.fitting, all=len(shelf.rows)
        )
        return f"{first} {budget_words(shelf.machine)}"

    def _show_rows(self) -> None:
        answer = self._answer
        if answer is None:
            return
        text = self.controls.search.text()
        rows = [row for row in answer.shelf.rows if matches_text(row.family, text)]
        rows.sort(key=lambda row: models_called(row.family, text) != row.family.models)
        if self.filters.fits_only:
            rows = [row for row in rows if row.recommended is not None]
        body = self._scroll.body
        body.setEnabled(False)  # each card that is shown would lay all of them out again
        self._fill_cards(rows, answer)
        self._is_empty = not rows
        self.hub.leave_out([row.family.id for row in rows])
        body.setEnabled(True)
        body.activate()
        self._note_painted()

    def _fill_cards(self, rows: list[ShelfRow], answer: ShelfAnswer) -> None:
        made = changed = 0
        for index, row in enumerate(rows):
            if made == _CARDS_AT_ONCE or changed == _SHOWN_AT_ONCE:
                self._grow_timer.start(0)
                break
            if index == len(self._cards):
                self._add_card(answer)
                made += 1
            card = self._cards[index]
            changed += card.show_row(row) or card.isHidden()
            card.show()
        for card in self._cards[len(rows) :]:
            card.hide()

    def _show_no_rows(self) -> None:
        """What was pasted may be a model that only the Hub knows."""
        is_empty = self._is_empty
        repo = self._pasted_repo(self.controls.search.text()) if is_empty else None
        self._empty.setVisible(is_empty and repo is None and not self.hub.cards)
        self._look_up.setVisible(repo is not None)
        if repo is not None:
            words = self.tr("{repo} is not one of these families. Press Enter to see its variants.")
            self._look_up.text.setText(words.format(repo=repo))

    def _pasted_repo(self, text: str) -> str | None:
        """The repository in a TARGET or an address of the Hub; None where it is none."""
        host = urlsplit(self._services.settings.current.hub_endpoint or "").netloc
        try:
            target = parse_target(text, endpoint_host=host)
        except UsageError:
            return None
        return target.repo if target.kind is TargetKind.HUB else None

    def _on_search_entered(self) -> None:
        text = self.controls.search.text().strip()
        if self._pasted_repo(text) is not None:
            self.model_requested.emit(text)

    def _add_card(self, answer: ShelfAnswer) -> None:
        card = FamilyCard(answer.licenses)
        card.install_pressed.connect(self.install_requested)
        card.chat_pressed.connect(self.chat_requested)
        card.model_pressed.connect(self.model_requested)
        if not self._cards:
            card.installEventFilter(self)
        self._scroll.body.insertWidget(self._end + len(self._cards), card)
        self._cards.append(card)

    def _hide_skeletons(self) -> None:
        for skeleton in self._skeletons:
            skeleton.hide()

    def _note_painted(self) -> None:
        """Where there is no first card to wait for, the page itself is what was painted."""
        if not self._cards and not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.first_painted.emit)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and not self._was_painted:
            self._was_painted = True
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self.first_painted.emit)
        return False

    def _on_controls_changed(self, question: ShelfQuestion) -> None:
        chosen: dict[str, Any] = {
            "context_length": question.context_length,
            "prefer": question.prefer,
        }
        self._question = replace(self._question, **chosen)
        self._keep(**chosen)
        self._ask()

    def _on_filters_changed(self, question: ShelfQuestion) -> None:
        chosen = {name: getattr(question, name) for name in FILTERS}
        self._question = replace(self._question, **chosen)
        self._keep_filters()
        self._ask()

    def _on_fits_only_changed(self, _: object) -> None:
        self._keep_filters()
        self._ask_hub()
        self._show_rows()

    def _keep_filters(self) -> None:
        kept = filters_to_keep(self._question, fits_only=self.filters.fits_only)
        if kept != self._services.settings.current.filters:
            self._keep(filters=kept)

    def _keep(self, **values: Any) -> None:
        store = self._services.settings
        keep_settings(store, self._bridge, replace(store.current, **values))

    def _on_search_changed(self, text: str) -> None:
        self.hub.set_text(text)
        self._show_rows()

    def _on_clear(self) -> None:
        self.controls.search.clear()
        self.filters.clear()

    def _on_facts_changed(self, _: object) -> None:
        if self.isVisible():
            self._ask()
        else:
            self._is_stale = True

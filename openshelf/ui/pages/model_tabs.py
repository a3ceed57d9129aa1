"""The tabs of the Model screen beside Variants: each filled when it is first looked at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QStackedWidget
from typing_extensions import override

from openshelf.hardware.facts import Machine
from openshelf.licenses.license import License
from openshelf.services import Services
from openshelf.shelf.builds import BuildRow, ModelListing
from openshelf.shelf.evidence import Evidence
from openshelf.shelf.four_questions import answer_questions
from openshelf.ui.models.model_terms import OfferLookup
from openshelf.ui.pages.model_card import CardPanel
from openshelf.ui.pages.model_header import ModelTab
from openshelf.ui.pages.model_obligations import ObligationsPanel, TermsSubject
from openshelf.ui.pages.model_questions import QuestionsPanel
from openshelf.ui.task_bridge import TaskBridge


class FactTabs(QStackedWidget):
    """`license_found(Decision)`: what applies as the Hub, or the file here, declares it."""

    license_found = Signal(object)

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._listing: ModelListing | None = None
        self._licenses: Mapping[str, License] = {}
        self._row: BuildRow | None = None
        self._machine: Machine | None = None
        self._tab: ModelTab | None = None
        self.offers = OfferLookup(services.installer, bridge, self)
        self.obligations = ObligationsPanel(services.gate.policy)
        self.questions = QuestionsPanel()
        self.card = CardPanel(services, bridge)
        for panel in (self.obligations, self.questions, self.card):
            self.addWidget(panel)
        self.offers.changed.connect(self._on_offers_changed)
        self.obligations.retry_pressed.connect(self._on_retry)

    def clear(self) -> None:
        """Another model is coming."""
        self.offers.forget()
        self.card.clear()
        self._listing = self._row = self._tab = None

    def show_listing(self, listing: ModelListing, licenses: Mapping[str, License]) -> None:
        """A model that the catalog lacks has its license asked for at once, for the header."""
        self._listing, self._licenses = listing, licenses
        if listing.decision is None and listing.builds:
            self.offers.ask(self._target)

    def show_tab(self, tab: ModelTab, row: BuildRow | None, machine: Machine | None) -> None:
        """`row` is the build that is chosen in the table, held against `machine`."""
        self._tab, self._row, self._machine = tab, row, machine
        if self._target and tab is not ModelTab.CARD:
            self.offers.ask(self._target)
        if tab is ModelTab.CARD and self._listing is not None:
            self.card.show_listing(self._listing, None if row is None else row.build)
            self.setCurrentWidget(self.card)
        self._show()

    def focus_content(self) -> None:
        if self._tab is ModelTab.OBLIGATIONS:
            self.obligations.focus_content()
        elif self._tab is ModelTab.QUESTIONS:
            self.questions.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.card.focus_content()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks; only what the header waits for goes on."""
        super().hideEvent(event)
        self.card.stop()
        if self._listing is not None and self._listing.decision is not None:
            self.offers.stop()

    @property
    def _target(self) -> str:
        if self._row is not None:
            return self._row.build.target
        builds = self._listing.builds if self._listing is not None else ()
        return builds[0].target if builds else ""

    @property
    def _subject(self) -> TermsSubject:
        decision = self._listing.decision if self._listing is not None else None
        return TermsSubject(
            decision,
            self.offers.offer(self._target),
            self.offers.problem(self._target),
            self.offers.is_asking,
        )

    def _show(self) -> None:
        if self._tab is ModelTab.OBLIGATIONS:
            self.obligations.show_subject(self._subject, self._licenses)
            self.setCurrentWidget(self.obligations)
        elif self._tab is ModelTab.QUESTIONS and self._listing is not None:
            self.questions.show_answers(answer_questions(self._evidence(self._listing)))
            self.setCurrentWidget(self.questions)

    def _evidence(self, listing: ModelListing) -> Evidence:
        row = self._row
        return Evidence(
            listing=listing,
            licenses=self._licenses,
            today=datetime.now(UTC).date().isoformat(),
            build=None if row is None else row.build,
            fit=None if row is None else row.fit,
            machine=self._machine,
            decision=self._subject.shown,
            offer=self._subject.offer,
        )

    def _on_offers_changed(self) -> None:
        found = self.offers.offer(self._target)
        if self._listing is not None and found is not None:
            self.license_found.emit(found.decision)
        self._show()

    def _on_retry(self) -> None:
        self.offers.retry(self._target)

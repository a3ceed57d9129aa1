"""The tab Variants: controls, the table, and the card that explains the chosen build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout
from typing_extensions import override

from openshelf.engine.launch import LaunchRecipe
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import Fit
from openshelf.hardware.facts import Machine
from openshelf.services import Services
from openshelf.shelf.asking import INFORMATIVE
from openshelf.shelf.builds import Build, BuildRow, BuildTable, ModelListing, fit_build
from openshelf.shelf.launching import LaunchQuestion, check_launch, recipes
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded
from openshelf.ui.models.model_check import BuildCheck, Checked, CheckQuestion
from openshelf.ui.models.model_fits import BuildFits, FitAnswer, FitQuestion
from openshelf.ui.models.model_memory import bytes_per_1k
from openshelf.ui.models.model_table import BuildTableModel, ShownBuild
from openshelf.ui.models.model_words import gpu_budget_bytes
from openshelf.ui.pages.model_controls import ModelChoices, ModelControls
from openshelf.ui.pages.model_launch import LaunchSheet
from openshelf.ui.pages.model_why import WhyCard, WhyState
from openshelf.ui.sentences import error_details, error_text, reason_sentences
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import Card, InlineNotice, NoticeLevel, ScrollPage, TextLabel
from openshelf.ui.widgets.build_table import BuildTableView


class VariantsPanel(ScrollPage):
    """`install_pressed(target)`, `chat_pressed(installed_id)`, `retry_pressed`."""

    install_pressed = Signal(str)
    chat_pressed = Signal(str)
    retry_pressed = Signal()

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__(top=14, spacing=14)
        self._services, self._bridge = services, bridge
        self._listing: ModelListing | None = None
        self._machine: Machine | None = None
        self._answer: FitAnswer | None = None
        self._subject = 0
        self._was_chosen = False
        """The person chose a row; before that the recommended one is shown."""
        self._is_choosing = False
        self.sheet: LaunchSheet | None = None
        self._verified: dict[tuple[str, FitRequest], Fit] = {}
        self._fits = BuildFits(bridge, self)
        self._check = BuildCheck(services.models, bridge, self)
        self._build()
        self._connect()

    def _build(self) -> None:
        settings = self._services.settings.current
        self.controls = ModelControls(ModelChoices(settings.context_length, settings.kv_type))
        self.notice = InlineNotice()
        self.model = BuildTableModel(self)
        self.table = BuildTableView(self.model)
        card = Card(margin=1, spacing=0)
        inside = QVBoxLayout()
        inside.setContentsMargins(8, 4, 8, 6)
        inside.addWidget(self.table)
        card.body.addLayout(inside)
        self.more = TextLabel("", TextRole.SMALL, "muted", wrap=True)
        self.more.hide()
        self.why = WhyCard()
        for part in (self.notice, self.controls):
            self.body.addWidget(part)
        self.body.addWidget(card, 1)
        self.body.addWidget(self.more)
        self.body.addWidget(self.why)

    def _connect(self) -> None:
        self.controls.changed.connect(self._on_choices)
        self.table.row_chosen.connect(self._on_row_chosen)
        self.table.row_opened.connect(self._on_row_opened)
        self.why.install_pressed.connect(self.install_pressed)
        self.why.chat_pressed.connect(self.chat_pressed)
        self.why.elsewhere_pressed.connect(self._on_elsewhere)
        self.notice.acted.connect(self.retry_pressed)
        self._fits.answered.connect(self._on_answered)
        self._fits.failed.connect(self._on_failed)
        self._check.read.connect(self._on_read)
        self._check.checked.connect(self._on_checked)
        self._check.state_changed.connect(self._show_why)

    def clear(self) -> None:
        """Another model is coming."""
        self._check.forget()
        self._fits.forget()
        self._verified.clear()
        self._listing = self._answer = None
        self._was_chosen = False
        self._subject += 1
        self.model.set_table(BuildTable((), None))

    def show_listing(self, listing: ModelListing) -> None:
        self.clear()
        self._listing = listing
        self.controls.set_longest(listing.context_length)
        self.controls.reset_layers()
        notes = self.notes_of(listing)
        more = [note for note in listing.notes if note.code in INFORMATIVE]
        self.more.setText(reason_sentences(more))
        self.more.setVisible(bool(more))
        self.notice.setVisible(bool(notes))
        if notes:
            self.notice.show_message(notes, NoticeLevel.INFO, button=self.tr("Try again"))
        self._ask()

    def notes_of(self, listing: ModelListing) -> str:
        """What could not be asked."""
        return reason_sentences([n for n in listing.notes if n.code not in INFORMATIVE])

    def set_machine(self, machine: Machine) -> None:
        """What is free here is not what it was: the engine's figures are of no use any more."""
        self._machine = machine
        self._verified.clear()
        if self.controls.choices.machine is None:
            self._subject += 1
            self._ask()

    def update_builds(self, change: Callable[[ModelListing], ModelListing]) -> None:
        if self._listing is not None:
            self._listing = change(self._listing)
            self._ask()

    def try_again(self) -> None:
        """What could not be checked may be checked now."""
        self._check.forget()
        self._check_chosen()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._check_chosen()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks: neither the Hub nor the engine is asked for it."""
        super().hideEvent(event)
        self._check.stop()

    @property
    def chosen_row(self) -> BuildRow | None:
        """The build that is marked in the table, on the machine that figures are for."""
        chosen, answer = self.table.chosen, self._answer
        if chosen is None or answer is None:
            return None
        return self._with_remedies(chosen, answer).row

    @property
    def reckoned(self) -> Machine | None:
        """The machine that figures are for."""
        return self.controls.choices.machine or self._machine

    def _ask(self) -> None:
        machine, listing = self.reckoned, self._listing
        if machine is None or listing is None:
            return
        prefer = self._services.settings.current.prefer
        request = self.controls.choices.request
        self._fits.ask(FitQuestion(self._subject, listing, machine, request, prefer))

    def _on_choices(self, choices: ModelChoices) -> None:
        if self._answer is not None and self._answer.question.machine is not self.reckoned:
            self._subject += 1
        self._ask()

    def _on_answered(self, answer: FitAnswer) -> None:
        self._answer = answer
        self.model.set_table(self._with_verified(answer))
        chosen = self.table.chosen
        if not self._was_chosen or chosen is None:
            target = answer.table.recommended or answer.table.rows[0].build.target
            self._is_choosing = True
            self.table.choose(target)
            self._is_choosing = False
        self._show_chosen()

    def _on_failed(self, error: BaseException) -> None:
        self.notice.show_message(
            error_text(error),
            NoticeLevel.BAD,
            button=self.tr("Try again"),
            details=error_details(error),
        )

    def _with_verified(self, answer: FitAnswer) -> BuildTable:
        """The engine's own figures where it was asked exactly this."""
        if self._machine is None or answer.question.machine is not self._machine:
            return answer.table
        request = answer.question.request
        rows = tuple(
            replace(row, fit=self._verified.get((row.build.target, request), row.fit))
            for row in answer.table.rows
        )
        return replace(answer.table, rows=rows)

    def _on_row_chosen(self, _: str) -> None:
        if not self._is_choosing:
            self._was_chosen = True
            self._show_chosen()

    def _on_row_opened(self, _: str) -> None:
        self.why.act()

    def _on_elsewhere(self, _: str) -> None:
        """Work the recipes out, and show them."""
        chosen, answer, listing = self.table.chosen, self._answer, self._listing
        if chosen is None or answer is None or listing is None:
            return
        build, question = _newest(chosen.row, listing), LaunchQuestion(answer.question.request)

        def work(cancel: CancelToken, report: Report) -> tuple[LaunchRecipe, ...]:
            check_launch(self._services.gate, listing, build)
            return recipes(listing, build, question)

        self._bridge.submit("recipes", work, on_outcome=self._on_recipes)

    def _on_recipes(self, outcome: Outcome[tuple[LaunchRecipe, ...]]) -> None:
        match outcome:
            case Succeeded(found) if self._listing is not None:
                self.sheet = LaunchSheet(self.window(), self._listing.name, found)
                self.sheet.open_sheet()
            case Failed(error):
                self.notice.show_message(error_text(error), NoticeLevel.BAD)
            case _:
                pass

    def _show_chosen(self) -> None:
        self._show_why()
        self._show_costs()
        self._check_chosen()

    def _show_why(self) -> None:
        chosen, answer = self.table.chosen, self._answer
        self.why.setVisible(chosen is not None and answer is not None)
        if chosen is None or answer is None:
            return
        machine = answer.question.machine
        is_here = machine is self._machine
        state = WhyState(machine, is_here, self._check.state, self._problem(chosen.row.build))
        self.why.show_build(self._with_remedies(chosen, answer), state)

    def _problem(self, build: Build) -> BaseException | None:
        return self._check.problem if self._check.target == build.target else None

    def _with_remedies(self, chosen: ShownBuild, answer: FitAnswer) -> ShownBuild:
        """The table leaves out what would make a build fit; for one it is found at once."""
        row, question = chosen.row, answer.question
        if row.fit is None or row.fit.verdict.fits or row.fit.remedies:
            return chosen
        full = fit_build(row.build, question.machine, question.request)
        remedies = full.remedies if full is not None else ()
        return replace(chosen, row=replace(row, fit=replace(row.fit, remedies=remedies)))

    def _show_costs(self) -> None:
        """What the sliders say of the chosen build."""
        chosen, answer = self.table.chosen, self._answer
        if chosen is None or answer is None:
            return
        row, machine = chosen.row, answer.question.machine
        shape, budget = row.build.shape, gpu_budget_bytes(machine)
        cost = None if shape is None else bytes_per_1k(shape, answer.question.request)
        self.controls.context.show_cost(cost)
        self.controls.layers.setVisible(budget is not None and row.fit is not None)
        if budget is not None and row.fit is not None:
            found, most = row.fit.gpu_layers, row.fit.n_layers + 1
            self.controls.layers.show_layers(min(found, most), most, budget)

    def _check_chosen(self) -> None:
        chosen, answer = self.table.chosen, self._answer
        if chosen is None or answer is None or not self.isVisible():
            return
        build = _newest(chosen.row, self._listing)
        question = answer.question
        is_here = question.machine is self._machine
        if is_here and (build.target, question.request) in self._verified:
            self._check.stop()
        else:
            machine = question.machine if is_here else None
            self._check.check(CheckQuestion(build, machine, question.request))

    def _on_read(self, build: Build) -> None:
        if self._listing is not None:
            self._listing = self._listing.with_build(build)
            self._ask()

    def _on_checked(self, checked: Checked) -> None:
        question, answer = checked.question, self._answer
        if question.machine is not self._machine or answer is None:
            return
        self._verified[question.build.target, question.request] = checked.fit
        self.model.set_table(self._with_verified(answer))
        self._show_why()


def _newest(row: BuildRow, listing: ModelListing | None) -> Build:
    """The build as the listing has it now: its header may have been read since."""
    builds = listing.builds if listing is not None else ()
    return next((build for build in builds if build.target == row.build.target), row.build)

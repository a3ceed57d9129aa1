"""The tab Model card: the README of a build's repository at its commit, or the publisher's."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from urllib.parse import urljoin

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from openshelf.errors import CancelledByUser, OpenshelfError
from openshelf.hub.cards import ModelCard
from openshelf.services import Services
from openshelf.shelf.builds import Build, ModelListing
from openshelf.tasks import CancelToken, Failed, Outcome, Report, Succeeded, Task, Work
from openshelf.ui.models.model_words import plain
from openshelf.ui.sentences import error_text
from openshelf.ui.task_bridge import TaskBridge
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    PAGE_MARGIN,
    Card,
    EmptyState,
    FilterChip,
    InlineNotice,
    LinkButton,
    NoticeLevel,
    TextLabel,
)
from openshelf.ui.widgets.card_pieces import card_pieces
from openshelf.ui.widgets.card_view import CardView
from openshelf.ui.widgets.composer import LinkNotice
from openshelf.ui.widgets.plain_table import Cell, PlainTable
from openshelf.units import format_bytes


@dataclass(frozen=True)
class _Read:
    """A card, cut into pieces where nobody waits for it."""

    card: ModelCard
    pieces: tuple[str, ...]


class CardPanel(QWidget):
    """Reads the card when it is looked at; each once for a listing."""

    def __init__(self, services: Services, bridge: TaskBridge) -> None:
        super().__init__()
        self._services, self._bridge = services, bridge
        self._commits: dict[str, str] = {}
        self._read: dict[str, _Read] = {}
        self._shown: _Read | None = None
        self._repo = ""
        self._task: Task | None = None
        self._build()
        self._connect()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._make_bar())
        self.view = CardView()
        self.facts = PlainTable(self.tr("Fields in the head of the card"))
        self._facts_card = Card(margin=14)
        self._facts_card.body.addWidget(self.facts)
        self.view.above.addWidget(self._facts_card)
        self._loading = EmptyState(self.tr("Reading the model card…"), "")
        self.empty = EmptyState("", "", self.tr("Try again"))
        self._stack = QStackedWidget()
        for part in (self.view, self._loading, self.empty):
            self._stack.addWidget(part)
        column.addWidget(self._stack, 1)
        self.link_notice = LinkNotice(
            leads_out=self.tr("The card’s author wrote this link. It leads out of Openshelf, to:"),
            leads_nowhere=self.tr(
                "The card’s author wrote this link. It is no web address, so it is not opened:"
            ),
        )
        below = QVBoxLayout()
        below.setContentsMargins(PAGE_MARGIN, 0, PAGE_MARGIN, 12)
        below.addWidget(self.link_notice)
        column.addLayout(below)

    def _make_bar(self) -> QWidget:
        bar = QWidget()
        column = QVBoxLayout(bar)
        column.setContentsMargins(PAGE_MARGIN, 12, PAGE_MARGIN, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(12)
        self.repos: FilterChip[str] = FilterChip(self.tr("Card of"), [("", "")])
        self.at = TextLabel("", TextRole.SMALL, "muted")
        self.page = LinkButton(self.tr("Open on the Hub…"), small=True)
        row.addWidget(self.repos)
        row.addWidget(self.at)
        row.addStretch(1)
        row.addWidget(self.page)
        column.addLayout(row)
        self.notice = InlineNotice()
        column.addWidget(self.notice)
        return bar

    def _connect(self) -> None:
        self.repos.value_changed.connect(self._on_repo_chosen)
        self.view.link_pressed.connect(self._on_link)
        self.page.clicked.connect(self._on_page)
        self.empty.acted.connect(self._ask)
        self.notice.acted.connect(self._ask_anew)
        self.link_notice.open_requested.connect(self._on_link_confirmed)
        self.link_notice.copy_requested.connect(self._on_link_copied)

    def clear(self) -> None:
        """Another model is coming."""
        self.stop()
        self._read.clear()
        self._commits.clear()
        self._repo, self._shown = "", None
        self.view.clear()
        self.link_notice.hide()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def focus_content(self) -> None:
        wanted = self.view if self._stack.currentWidget() is self.view else self.empty.button
        if wanted is not None:
            wanted.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_listing(self, listing: ModelListing, chosen: Build | None) -> None:
        """The card of the chosen build's repository first; the others can be chosen."""
        self._commits = _commits_of(listing, chosen)
        names = [(repo, plain(repo)) for repo in self._commits]
        self.repos.set_choices(names or [("", "")])
        self.repos.setVisible(bool(names))
        if self._repo not in self._commits:
            self._repo = next(iter(self._commits), "")
        self.repos.choose(self._repo)
        self._ask()

    def _on_repo_chosen(self, repo: str) -> None:
        self._repo = repo
        self.link_notice.hide()
        self._ask()

    def _ask_anew(self) -> None:
        self._read.pop(self._repo, None)
        self._ask()

    def _ask(self) -> None:
        known = self._read.get(self._repo)
        if known is not None:
            self._show(known)
            return
        self.stop()
        for part in (self.at, self.page, self.notice):
            part.hide()
        self._shown = None
        self._stack.setCurrentWidget(self._loading)
        if self._repo:
            work = _read_card(self._services, self._repo, self._commits.get(self._repo, ""))
            self._task = self._bridge.submit("model card", work, on_outcome=self._on_read)

    def _on_read(self, outcome: Outcome[tuple[str, _Read | BaseException]]) -> None:
        if isinstance(outcome, Failed):
            self._show_problem(outcome.error)
        if not isinstance(outcome, Succeeded):
            return
        repo, found = outcome.value
        if repo != self._repo:
            return
        self._task = None
        if isinstance(found, _Read):
            self._read[repo] = found
            self._show(found)
        else:
            self._show_problem(found)

    def _show(self, read: _Read) -> None:
        self._stack.setCurrentWidget(self.view)
        if read is self._shown:
            return
        self._shown, card = read, read.card
        rows = [(Cell(plain(name)), Cell(plain(value))) for name, value in card.facts]
        self._facts_card.setVisible(bool(rows))
        self.facts.show_rows((self.tr("In its head"), ""), rows, (1, 4))
        self.at.setText(self.tr("at commit {commit}").format(commit=card.commit[:8]))
        for part in (self.at, self.page):
            part.show()
        self._show_notice(card)
        self.view.show_pieces(read.pieces, end=self._end_words(card))

    def _show_notice(self, card: ModelCard) -> None:
        self.notice.hide()
        if card.is_kept:
            text = self.tr(
                "The Hub could not be asked. This is the card that was read here before."
            )
            self.notice.show_message(text, NoticeLevel.INFO, button=self.tr("Try again"))

    def _end_words(self, card: ModelCard) -> str:
        if not card.is_cut:
            return ""
        text = self.tr("Cut here: the card has {size}, and only its beginning was read.")
        return text.format(size=format_bytes(card.total_bytes))

    def _show_problem(self, problem: BaseException) -> None:
        self.empty.title.setText(self.tr("The model card could not be read"))
        self.empty.text.setText(error_text(problem))
        self._stack.setCurrentWidget(self.empty)

    def _on_page(self) -> None:
        if self._shown is not None:
            self.link_notice.show_address(self._shown.card.page)

    def _on_link(self, address: str) -> None:
        """Where a link leads is shown first; one inside the page leads nowhere here."""
        if self._shown is None or address.startswith("#"):
            return
        card = self._shown.card
        with contextlib.suppress(ValueError):
            address = urljoin(f"{card.page}/blob/{card.commit}/", address)
        self.link_notice.show_address(address)

    def _on_link_confirmed(self, address: str) -> None:
        QDesktopServices.openUrl(QUrl(address))

    def _on_link_copied(self, address: str) -> None:
        QGuiApplication.clipboard().setText(address)


def _commits_of(listing: ModelListing, chosen: Build | None) -> dict[str, str]:
    """Repositories with the commit that is known of each, the chosen build's first and the
    publisher's own last."""
    builds = [*([chosen] if chosen is not None else []), *listing.builds]
    commits: dict[str, str] = {}
    for build in builds:
        commits[build.repo] = commits.get(build.repo) or build.commit
    if listing.model is not None:
        commits.setdefault(listing.model.hub_repo, "")
    return commits


def _read_card(
    services: Services, repo: str, commit: str
) -> Work[tuple[str, _Read | BaseException]]:
    def work(cancel: CancelToken, report: Report) -> tuple[str, _Read | BaseException]:
        try:
            card = services.read_card(repo, commit, cancel)
        except CancelledByUser:
            raise
        except OpenshelfError as error:
            return repo, error
        cancel.raise_if_cancelled()
        return repo, _Read(card, card_pieces(card.text))

    return work

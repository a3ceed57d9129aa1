"""The right side of the install sheet: what is fetched, what the policy says, and the consent."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from openshelf.library.evidence import os_user_name
from openshelf.library.install import InstallOffer
from openshelf.licenses.clearance import Verdict
from openshelf.policy.organization import Policy
from openshelf.policy.review_request import is_possible
from openshelf.ui.models.model_words import breakable
from openshelf.ui.pages.decision_part import PolicyPart
from openshelf.ui.sentences import words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    Button,
    InlineNotice,
    KeyValueRow,
    NoticeLevel,
    PrimaryButton,
    ScrollPage,
    SectionLabel,
    TextLabel,
    TickBox,
)
from openshelf.units import format_bytes


class ConsentPanel(ScrollPage):
    """Emits `accepted`, `cancelled`, or `review_pressed` where only a review can help.

    `display_name`, `note`, `is_ticked`: what was entered.
    """

    accepted = Signal()
    cancelled = Signal()
    review_pressed = Signal()

    def __init__(self, offer: InstallOffer, policy: Policy) -> None:
        super().__init__(margin=20, top=18, spacing=4)
        self.setAccessibleName(self.tr("Download and consent"))
        self._offer = offer
        self._policy = policy
        if offer.gated:
            self._add_gate()
        self._add_download()
        self.body.addSpacing(12)
        self.body.addWidget(PolicyPart(offer.decision, policy))
        self.body.addSpacing(12)
        self.problem = InlineNotice()
        self._consent = QWidget()
        self._fill_consent()
        self.body.addWidget(self._consent)
        self.body.addWidget(self.problem)
        self.body.addStretch(1)

    @property
    def display_name(self) -> str:
        return self.name_field.text().strip()

    @property
    def note(self) -> str:
        return self.note_field.text().strip()

    @property
    def is_ticked(self) -> bool:
        return self.tick.isChecked()

    @property
    def why_not(self) -> str:
        """Why this cannot be accepted here; "" where it can."""
        offer = self._offer
        if offer.decision.verdict is Verdict.BLOCKED:
            if not self._policy.exists:
                return self.tr("The license rules this out, so it cannot be installed here.")
            return self.tr(
                "This is blocked. Only an approver’s waiver, with a reason and a last day, lets "
                "it through."
            )
        if offer.decision.verdict is Verdict.NEEDS_REVIEW and self._policy.exists:
            return self.tr("Your policy asks for a review before anyone installs this.")
        if offer.left_bytes > offer.free_bytes:
            text = self.tr("{needed} are needed and {free} are free in {folder}.")
            return text.format(
                needed=format_bytes(offer.left_bytes),
                free=format_bytes(offer.free_bytes),
                folder=offer.folder,
            )
        return ""

    @property
    def asks_for_review(self) -> bool:
        """Whether somebody could still let this through."""
        return is_possible(self._offer.decision, self._policy)

    @property
    def first_control(self) -> QWidget:
        """Where the keyboard starts."""
        if self.asks_for_review:
            return self.name_field
        return self.cancel if self.why_not else self.tick

    def replace_consent(self, panel: QWidget) -> None:
        """Show the progress where the consent was."""
        self._consent.hide()
        self.body.insertWidget(self.body.indexOf(self._consent), panel)

    def _on_tick(self, is_on: bool) -> None:  # noqa: FBT001
        """Whoever finds the button gray finds out what it waits for."""
        self.accept.setEnabled(is_on)
        why = "" if is_on else self.tr("First tick the box above.")
        self.accept.setToolTip(why)
        self.accept.setAccessibleDescription(why)

    def set_busy(self, *, busy: bool) -> None:
        self.accept.setEnabled(not busy and self.is_ticked)
        for widget in (self.tick, self.name_field, self.note_field):
            widget.setEnabled(not busy)

    def _add_gate(self) -> None:
        """First of all: whoever has not filled in the publisher's form gets no file."""
        self.gate = InlineNotice()
        first = self.tr("The publisher asks for a form on the Hub first, with your own account.")
        then = self.tr("Openshelf neither fills it in nor accepts anything for you.")
        text = f"{first} {then}"
        self.body.addWidget(self.gate)
        self.gate.show_message(text, NoticeLevel.WARNING)
        address = TextLabel(breakable(self._offer.page_url), TextRole.CODE, "muted", wrap=True)
        address.setAccessibleName(self._offer.page_url)
        self.body.addWidget(address)
        self.page_button = Button(self.tr("Open the page"))
        self.page_button.setToolTip(self._offer.page_url)
        self.page_button.setEnabled(bool(self._offer.page_url))
        self.page_button.clicked.connect(self._on_open_page)
        self.body.addWidget(self.page_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.body.addSpacing(10)

    def _on_open_page(self) -> None:
        QDesktopServices.openUrl(QUrl(self._offer.page_url))

    def _add_download(self) -> None:
        offer = self._offer
        is_local = offer.source != "hub"
        title = self.tr("Already on this machine") if is_local else self.tr("Download")
        self.body.addWidget(SectionLabel(title))
        if len(offer.files) == 1:
            name = offer.files[0].path.rpartition("/")[2]
        else:
            name = self.tr("%n file(s)", "", len(offer.files))
        self.body.addWidget(TextLabel(breakable(name, at_hyphens=True), TextRole.CODE, wrap=True))
        self.body.addWidget(KeyValueRow(self.tr("Size"), format_bytes(offer.size_bytes)))
        if offer.resumed_from_bytes:
            kept = format_bytes(offer.resumed_from_bytes)
            self.body.addWidget(KeyValueRow(self.tr("Already fetched"), kept))
        left = format_bytes(max(0, offer.free_bytes - offer.left_bytes))
        self.body.addWidget(KeyValueRow(self.tr("Free after install"), left))
        self.body.addWidget(KeyValueRow(self.tr("Checked by"), "SHA-256"))
        if offer.commit and offer.source != "file":
            self.commit = TextLabel(offer.commit[:8], TextRole.CODE, selectable=True)
            self.commit.setToolTip(f"{offer.repo}\n{offer.commit}")
            self.body.addWidget(KeyValueRow(self.tr("Commit"), self.commit))

    def _fill_consent(self) -> None:
        column = QVBoxLayout(self._consent)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._make_fields()
        refusal = self.why_not
        is_blocked = self._offer.decision.verdict is Verdict.BLOCKED
        if refusal:
            level = NoticeLevel.BAD if is_blocked else NoticeLevel.WARNING
            self._add_notice(column, refusal, level)
        elif self._offer.decision.verdict is Verdict.NEEDS_REVIEW:
            text = self.tr("Nobody reviewed these terms yet. The record will say so.")
            self._add_notice(column, text, NoticeLevel.WARNING)
        if not refusal:
            column.addWidget(self.tick)
        if not refusal or self.asks_for_review:
            name = self.name_field.accessibleName()
            label = TextLabel(name, TextRole.SMALL, "muted")
            label.setBuddy(self.name_field)
            for widget in (label, self.name_field, self.note_field):
                column.addWidget(widget)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        last = self._last_button
        if last is not None:
            buttons.addWidget(last)
        column.addLayout(buttons)
        if last is not None:
            kept = words("review_note_sheet" if self.asks_for_review else "acceptance_note")
            column.addWidget(TextLabel(kept, TextRole.TINY, "faint", wrap=True))

    def _add_notice(self, column: QVBoxLayout, text: str, level: NoticeLevel) -> None:
        # Put into its place first: shown without a parent it would be a window of its own.
        notice = InlineNotice()
        column.addWidget(notice)
        notice.show_message(text, level)

    @property
    def _last_button(self) -> Button | None:
        """What goes on from here: accepting, asking for a review, or nothing."""
        if self.asks_for_review:
            return self.ask
        return None if self.why_not else self.accept

    def _make_fields(self) -> None:
        organization = self._policy.organization.name
        terms = self.tr("I accept these terms")
        if self._offer.decision.verdict is Verdict.NEEDS_REVIEW:
            terms = words("acceptance_unreviewed")
        elif organization:
            terms = self.tr("I accept these terms for {name}").format(name=organization)
        record = self.tr("record") if not self.asks_for_review else self.tr("request")
        self.tick = TickBox(terms)
        self.name_field = QLineEdit(os_user_name())
        name = self.tr("Your name for the {record}").format(record=record)
        self.name_field.setAccessibleName(name)
        self.name_field.setMaxLength(200)
        self.note_field = QLineEdit()
        note = self.tr("Note for the {record}").format(record=record)
        optional = self.tr("{note} (optional)").format(note=note)
        self.note_field.setPlaceholderText(optional)
        self.note_field.setAccessibleName(note)
        self.note_field.setMaxLength(500)
        leaves = self.why_not and not self.asks_for_review
        self.cancel = Button(self.tr("Close") if leaves else self.tr("Cancel"))
        self.accept = PrimaryButton(self.tr("Accept and install"))
        self.accept.setEnabled(False)
        self.ask = PrimaryButton(self.tr("Ask for review…"))
        shown: list[QWidget] = [self.cancel]
        if not self.why_not:
            shown += [self.tick, self.name_field, self.note_field, self.accept]
        elif self.asks_for_review:
            shown += [self.name_field, self.note_field, self.ask]
        # In this order the keyboard goes through them.
        fields = (self.tick, self.name_field, self.note_field)
        for widget in (*fields, self.cancel, self.accept, self.ask):
            widget.setParent(self._consent)
            widget.setVisible(widget in shown)
        self.tick.toggled.connect(self._on_tick)
        self._on_tick(is_on=False)
        self.accept.clicked.connect(self.accepted)
        self.ask.clicked.connect(self.review_pressed)
        self.cancel.clicked.connect(self.cancelled)

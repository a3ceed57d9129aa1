"""The right side of the install sheet: what is fetched, what the policy says, and the consent."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from openshelf.library.evidence import os_user_name
from openshelf.library.install import InstallOffer
from openshelf.licenses.clearance import Verdict
from openshelf.policy.organization import Policy
from openshelf.ui.pages.decision_part import PolicyPart
from openshelf.ui.sentences import words
from openshelf.ui.theme.fonts import TextRole
from openshelf.ui.widgets import (
    Button,
    ElidedLabel,
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
    """Emits `accepted` and `cancelled`; `display_name`, `note`, `is_ticked`: what was entered."""

    accepted = Signal()
    cancelled = Signal()

    def __init__(self, offer: InstallOffer, policy: Policy) -> None:
        super().__init__(margin=20, top=18, spacing=4)
        self.setAccessibleName(self.tr("Download and consent"))
        self._offer = offer
        self._policy = policy
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
            return self.tr("This model is blocked, so it cannot be installed here.")
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

    def replace_consent(self, panel: QWidget) -> None:
        """Show the progress where the consent was."""
        self._consent.hide()
        self.body.insertWidget(self.body.indexOf(self._consent), panel)

    def set_busy(self, *, busy: bool) -> None:
        self.accept.setEnabled(not busy and self.is_ticked)
        for widget in (self.tick, self.name_field, self.note_field):
            widget.setEnabled(not busy)

    def _add_download(self) -> None:
        offer = self._offer
        is_local = offer.source != "hub"
        title = self.tr("Already on this machine") if is_local else self.tr("Download")
        self.body.addWidget(SectionLabel(title))
        if len(offer.files) == 1:
            name = offer.files[0].path.rpartition("/")[2]
        else:
            name = self.tr("%n file(s)", "", len(offer.files))
        self.body.addWidget(ElidedLabel(name, TextRole.CODE))
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
        if refusal:
            notice = InlineNotice()
            is_blocked = self._offer.decision.verdict is Verdict.BLOCKED
            notice.show_message(refusal, NoticeLevel.BAD if is_blocked else NoticeLevel.WARNING)
            column.addWidget(notice)
        else:
            if self._offer.decision.verdict is Verdict.NEEDS_REVIEW:
                notice = InlineNotice()
                notice.show_message(
                    self.tr("Nobody reviewed these terms yet. The record will say so."),
                    NoticeLevel.WARNING,
                )
                column.addWidget(notice)
            column.addWidget(self.tick)
            label = TextLabel(self.tr("Your name for the record"), TextRole.SMALL, "muted")
            label.setBuddy(self.name_field)
            column.addWidget(label)
            column.addWidget(self.name_field)
            column.addWidget(self.note_field)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        if not refusal:
            buttons.addWidget(self.accept)
        column.addLayout(buttons)
        kept = words("acceptance_note")
        if not refusal:
            column.addWidget(TextLabel(kept, TextRole.TINY, "faint", wrap=True))

    def _make_fields(self) -> None:
        organization = self._policy.organization.name
        terms = self.tr("I accept these terms")
        if self._offer.decision.verdict is Verdict.NEEDS_REVIEW:
            terms = words("acceptance_unreviewed")
        elif organization:
            terms = self.tr("I accept these terms for {name}").format(name=organization)
        self.tick = TickBox(terms)
        self.name_field = QLineEdit(os_user_name())
        self.name_field.setAccessibleName(self.tr("Your name for the record"))
        self.name_field.setMaxLength(200)
        self.note_field = QLineEdit()
        self.note_field.setPlaceholderText(self.tr("Note for the record (optional)"))
        self.note_field.setAccessibleName(self.tr("Note for the record"))
        self.note_field.setMaxLength(500)
        self.cancel = Button(self.tr("Cancel"))
        self.accept = PrimaryButton(self.tr("Accept and install"))
        self.accept.setEnabled(False)
        asked = (self.tick, self.name_field, self.note_field, self.accept)
        # In this order the keyboard goes through them.
        for widget in (*asked[:-1], self.cancel, self.accept):
            widget.setParent(self._consent)
            widget.setVisible(widget is self.cancel or not self.why_not)
        self.tick.toggled.connect(self.accept.setEnabled)
        self.accept.clicked.connect(self.accepted)
        self.cancel.clicked.connect(self.cancelled)

"""The left side of the install sheet: each license with its duties, and its full text."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget
from typing_extensions import override

from openshelf.licenses.claims import NOTICE_TEXT
from openshelf.licenses.license import NO_LICENSE
from openshelf.licenses.lineage import LicenseText
from openshelf.ui.models.plain_text import readable
from openshelf.ui.models.terms import LicenseHead, RowGroup, ShownRow, ShownTerms
from openshelf.ui.models.terms_change import ShownTermsChange
from openshelf.ui.sentences import words
from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets import (
    Chip,
    ChipKind,
    FlowLayout,
    LinkButton,
    ScrollPage,
    SectionLabel,
    TextLabel,
)
from openshelf.ui.widgets.terms_change import TermsChangePart
from openshelf.units import format_bytes


class TermsPanel(ScrollPage):
    """Shows all licenses of a decision; knows which texts were opened (`texts_shown`)."""

    grown = Signal()
    """More or less is shown than before."""

    def __init__(self) -> None:
        super().__init__(margin=24, top=18, spacing=10)
        self.setAccessibleName(self.tr("License terms"))
        self._texts: list[FullText] = []

    @property
    def texts_shown(self) -> tuple[str, ...]:
        """SHA-256 of each text that was on the screen."""
        return tuple(text.sha256 for text in self._texts if text.was_opened and text.sha256)

    def show_change(self, change: ShownTermsChange) -> None:
        """What is not as it was accepted before; comes before everything else."""
        self.change = TermsChangePart(change)
        self.change.grown.connect(self.grown)
        self.body.addWidget(self.change)

    def show_terms(self, terms: ShownTerms) -> None:
        is_one = len(terms.heads) == 1
        texts = {
            head.id: FullText(head.name, head.text, is_one=is_one)
            for head in terms.heads
            if head.id != NO_LICENSE
        }
        for head in terms.heads:
            self.body.addWidget(self._head_line(head, texts.get(head.id)))
        for warning in terms.warnings:
            self.body.addWidget(TextLabel(warning, TextRole.SMALL, "warning", wrap=True))
        if terms.unknown:
            self.body.addWidget(TextLabel(terms.unknown, wrap=True))
        tags = [Chip(r.tag.text).sizeHint().width() for g in terms.groups for r in g.rows]
        for group in terms.groups:
            self._add_group(group, max(tags, default=0))
        for head in terms.heads:
            if head.id in texts:
                self._add_text(texts[head.id])
            for other in head.others:
                self._add_text(OtherText(head.name, other))
            for url in head.use_policies:
                line = words("use_policy_at", url=url)
                label = TextLabel(line, TextRole.SMALL, "muted", wrap=True, selectable=True)
                self.body.addWidget(label)
        note = words("sheet_note", date=terms.reviewed)
        if not terms.reviewed:
            note = words("sheet_note_unknown")
        if terms.has_doubts:
            note = f"{words('unsure_note')} {note}"
        self.body.addWidget(TextLabel(note, TextRole.TINY, "faint", wrap=True))
        self.body.addStretch(1)

    def _head_line(self, head: LicenseHead, text: FullText | None) -> QWidget:
        line = QWidget()
        flow = FlowLayout(line, spacing=8)
        flow.addWidget(TextLabel(head.name, TextRole.HEADING))
        flow.addWidget(Chip(head.badge.text, head.badge.kind))
        # Apart on purpose: an approved license says nothing about how open the model is.
        flow.addWidget(Chip(words("badge_osaid")))
        if text is not None:
            spoken = self.tr("Go to the full text of {license}").format(license=head.name)
            link = LinkButton(self.tr("Full text"), spoken, small=True)
            link.clicked.connect(partial(self._show_text, text))
            flow.addWidget(link)
        return line

    def _show_text(self, text: FullText) -> None:
        """Open it where it stands, below the terms, and bring it into sight."""
        text.open_text()
        self.body.activate()
        self.ensureWidgetVisible(text)
        text.take_focus()

    def _add_text(self, text: FullText) -> None:
        text.grown.connect(self.grown)
        self._texts.append(text)
        self.body.addWidget(text)

    def _add_group(self, group: RowGroup, tag_width: int) -> None:
        if group.title:
            self.body.addWidget(SectionLabel(group.title))
        if group.caption:
            self.body.addWidget(TextLabel(group.caption, TextRole.SMALL, "muted", wrap=True))
        for row in group.rows:
            self.body.addWidget(TermLine(row, tag_width))


class TermLine(QWidget):
    """Tag, sentence with its clause, and the words to copy where the license prescribes some."""

    def __init__(self, row: ShownRow, tag_width: int) -> None:
        super().__init__()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(10)
        holder = QWidget()
        holder.setFixedWidth(tag_width)
        inside = QHBoxLayout(holder)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(Chip(row.tag.text, row.tag.kind))
        inside.addStretch(1)
        line.addWidget(holder, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(3)
        tone = "muted" if row.tag.kind is ChipKind.NEUTRAL else "ink"
        column.addWidget(TextLabel(f"{row.text} {row.ref}".strip(), TextRole.BODY, tone, wrap=True))
        if row.note:
            column.addWidget(TextLabel(row.note, TextRole.SMALL, "faint", wrap=True))
        if row.exact:
            column.addWidget(ExactWords(row.exact))
        line.addLayout(column, 1)


class ExactWords(QWidget):
    """Words that a license prescribes, with a button that copies them as they stand."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._exact = text
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(TextLabel(f"“{text}”", TextRole.SMALL_STRONG, wrap=True), 1)
        copy = LinkButton(self.tr("Copy"), self.tr("Copy “{text}”").format(text=text), small=True)
        copy.clicked.connect(self._on_copy)
        row.addWidget(copy, 0, Qt.AlignmentFlag.AlignTop)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._exact)


class FullText(QWidget):
    """ "Read the full text" and, once pressed, the text as it stands."""

    grown = Signal()

    def __init__(self, name: str, text: LicenseText | None, *, is_one: bool = True) -> None:
        """`is_one` of several has to say whose text it is."""
        super().__init__()
        self._text, self._is_one = text, is_one
        self.was_opened = False
        self._view: QPlainTextEdit | None = None
        self._name = name
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        if text is None or text.text is None:
            self._add_absent(text.url if text is not None else "")
            return
        line = QWidget()
        row = FlowLayout(line, spacing=12)
        size = format_bytes(text.bytes)
        short, spoken = self.opener_words
        self.opener = LinkButton(short.format(size=size, license=name).replace("&", "&&"))
        self.opener.setAccessibleName(spoken.format(license=name))
        self.opener.clicked.connect(self._on_opened)
        row.addWidget(self.opener)
        if text.sha256:
            facts = f"sha256 {text.sha256[:4]}…{text.sha256[-4:]}"
            facts += f" · commit {text.commit[:7]}" if text.commit else ""
            label = TextLabel(facts, TextRole.CODE, "faint")
            label.setToolTip(text.sha256)
            row.addWidget(label)
        self._column.addWidget(line)

    @property
    def opener_words(self) -> tuple[str, str]:
        """What its button says, and what a screen reader says instead."""
        short = self.tr("Read the full text ({size})")
        if not self._is_one:
            short = self.tr("Read the {license} ({size})")
        return short, self.tr("Read the full text of {license}")

    @property
    def sha256(self) -> str:
        return self._text.sha256 if self._text is not None else ""

    def _add_absent(self, url: str) -> None:
        self._column.addWidget(
            TextLabel(words("text_not_read"), TextRole.SMALL, "muted", wrap=True)
        )
        if url:
            self._column.addWidget(
                TextLabel(url, TextRole.CODE, "muted", wrap=True, selectable=True)
            )

    def open_text(self) -> None:
        """Show the text, where it is at hand and not open yet."""
        is_here = self._text is not None and self._text.text is not None
        if is_here and (self._view is None or self._view.isHidden()):
            self._on_opened()

    def take_focus(self) -> None:
        if self._view is not None:
            self._view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_opened(self) -> None:
        if self._view is None and self._text is not None:
            self._view = QPlainTextEdit()
            self._view.setProperty("kind", "text")
            self._view.setReadOnly(True)
            self._view.setFont(font(TextRole.CODE))
            self._view.setPlainText(readable(self._text.text or ""))
            self._view.setMinimumHeight(220)
            self._view.setTabChangesFocus(True)
            name = self.tr("Full text of {license}").format(license=self._name)
            self._view.setAccessibleName(name)
            self._view.hide()
            self._column.addWidget(self._view)
        if self._view is not None:
            self._view.setVisible(self._view.isHidden())
            self.was_opened = True
            self.grown.emit()


class OtherText(FullText):
    """A use policy, or the NOTICE that a publisher asks to be passed on."""

    def __init__(self, name: str, text: LicenseText) -> None:
        self._is_notice = text.kind == NOTICE_TEXT
        super().__init__(name, text)

    @property
    @override
    def opener_words(self) -> tuple[str, str]:
        if self._is_notice:
            return self.tr("Read the publisher’s NOTICE ({size})"), self.tr(
                "Read the NOTICE beside {license}"
            )
        return self.tr("Read the use policy ({size})"), self.tr("Read the use policy of {license}")

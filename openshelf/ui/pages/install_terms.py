"""The left side of the install sheet: each license with its duties, and its full text."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.ui.models.install_words import osi_badge, summary_note
from openshelf.ui.models.terms import LicenseTerms, TermRow
from openshelf.ui.sentences import reason_sentence
from openshelf.ui.theme.fonts import TextRole, font
from openshelf.ui.widgets import (
    Chip,
    FlowLayout,
    LinkButton,
    ScrollPage,
    SectionLabel,
    TextLabel,
)
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

    def show_terms(self, terms: Sequence[LicenseTerms], decision: Decision) -> None:
        if len(terms) > 1:
            both = self.tr("%n license(s) apply together.", "", len(terms))
            self.body.addWidget(TextLabel(both, TextRole.SMALL, "muted", wrap=True))
        for flag in decision.license.flags:
            sentence = reason_sentence(Reason(flag, {}))
            self.body.addWidget(TextLabel(f"•  {sentence}", TextRole.SMALL, "warning", wrap=True))
        for entry in terms:
            self._add_license(entry)
        self.body.addWidget(_footer(terms))
        self.body.addStretch(1)

    def _add_license(self, terms: LicenseTerms) -> None:
        head = QWidget()
        flow = FlowLayout(head, spacing=8)
        flow.addWidget(TextLabel(terms.name, TextRole.HEADING))
        badge = osi_badge(terms.osi_approved)
        flow.addWidget(Chip(badge.text, badge.kind))
        self.body.addWidget(head)
        if not (terms.must or terms.only_if or terms.may):
            nothing = self.tr(
                "This license is not one Openshelf knows. Read its text before you accept it."
            )
            self.body.addWidget(TextLabel(nothing, TextRole.BODY, wrap=True))
        elif not terms.must:
            self._add_group(self.tr("You must"), ())
            calm = self.tr("Nothing, while you only use it yourself.")
            self.body.addWidget(TextLabel(calm, TextRole.BODY, "muted", wrap=True))
        else:
            self._add_group(self.tr("You must"), terms.must)
        self._add_group(self.tr("Only if"), terms.only_if)
        self._add_group(self.tr("You may"), terms.may)
        text = FullText(terms)
        text.grown.connect(self.grown)
        self._texts.append(text)
        self.body.addWidget(text)

    def _add_group(self, title: str, rows: Sequence[TermRow]) -> None:
        if rows or title == self.tr("You must"):
            self.body.addWidget(SectionLabel(title))
        tags = _tag_width(rows)
        for row in rows:
            self.body.addWidget(TermLine(row, tags))


class TermLine(QWidget):
    """Tag, sentence with its clause, and the words to copy where the license prescribes some."""

    def __init__(self, row: TermRow, tag_width: int) -> None:
        super().__init__()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(10)
        tag = Chip(row.tag, row.kind)
        holder = QWidget()
        holder.setMinimumWidth(tag_width)
        inside = QHBoxLayout(holder)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(tag, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        inside.addStretch(1)
        line.addWidget(holder, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(3)
        text = f"{row.text} {row.ref}" if row.ref else row.text
        words.addWidget(TextLabel(text, wrap=True, selectable=False))
        if row.when:
            words.addWidget(TextLabel(row.when, TextRole.SMALL, "faint", wrap=True))
        if row.exact:
            words.addWidget(ExactWords(row.exact))
        line.addLayout(words, 1)


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

    def __init__(self, terms: LicenseTerms) -> None:
        super().__init__()
        self._text = terms.text
        self.was_opened = False
        self._view: QPlainTextEdit | None = None
        self._name = terms.name
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        text = terms.text
        if text is None or text.text is None:
            self._add_absent(text.url if text is not None else "")
            return
        row = QHBoxLayout()
        row.setSpacing(12)
        size = format_bytes(text.bytes)
        self.opener = LinkButton(self.tr("Read the full text ({size})").format(size=size))
        name = self.tr("Read the full text of {license}").format(license=terms.name)
        self.opener.setAccessibleName(name)
        self.opener.clicked.connect(self._on_opened)
        row.addWidget(self.opener)
        if text.sha256:
            facts = f"sha256 {text.sha256[:4]}…{text.sha256[-4:]}"
            facts += f" · commit {text.commit[:7]}" if text.commit else ""
            label = TextLabel(facts, TextRole.CODE, "faint")
            label.setToolTip(text.sha256)
            row.addWidget(label)
        row.addStretch(1)
        self._column.addLayout(row)

    @property
    def sha256(self) -> str:
        return self._text.sha256 if self._text is not None else ""

    def _add_absent(self, url: str) -> None:
        words = self.tr("The text was not read yet.")
        self._column.addWidget(TextLabel(words, TextRole.SMALL, "muted", wrap=True))
        if url:
            self._column.addWidget(
                TextLabel(url, TextRole.CODE, "muted", wrap=True, selectable=True)
            )

    def _on_opened(self) -> None:
        if self._view is None and self._text is not None:
            self._view = QPlainTextEdit()
            self._view.setProperty("kind", "text")
            self._view.setReadOnly(True)
            self._view.setFont(font(TextRole.CODE))
            self._view.setPlainText(self._text.text or "")
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


def _tag_width(rows: Sequence[TermRow]) -> int:
    return max((Chip(row.tag, row.kind).sizeHint().width() for row in rows), default=0)


def _footer(terms: Sequence[LicenseTerms]) -> TextLabel:
    dates = sorted(entry.reviewed for entry in terms if entry.reviewed)
    return TextLabel(summary_note(dates[0] if dates else ""), TextRole.TINY, "faint", wrap=True)
